-- Right to complain (Art 17(3)(e)): three years after the order closed. Grain: a claim on a record.
with clocks as (
    select
        state.order_id,
        state.customer_id,
        state.placed_on,
        case state.state
            when 'closed' then add_months(state.closed_on, tre_ar.months) + tre_ar.days
        end as ends_on,
        state.reason as missing
    from triggers.order_states as state
    inner join policy.periods as tre_ar
        on tre_ar.purpose = 'reklamation' and tre_ar.clock = 'tre_ar'
    where state.state in ('closed', 'missing')
)

select
    'order' as record_type, clock.order_id as row_id, 'tre_ar' as clock, clock.placed_on as starts_on,
    clock.ends_on, cast(null as varchar) as ended_by, clock.missing
from clocks as clock
union all
select
    'order_line' as record_type, line.order_line_id as row_id, 'tre_ar' as clock, clock.placed_on as starts_on,
    clock.ends_on, cast(null as varchar) as ended_by, clock.missing
from clocks as clock
inner join core.order_lines as line
    on clock.order_id = line.order_id
union all
select
    'customer' as record_type, clock.customer_id as row_id, 'tre_ar' as clock, clock.placed_on as starts_on,
    clock.ends_on, cast(null as varchar) as ended_by, clock.missing
from clocks as clock
inner join core.customers as customer
    on clock.customer_id = customer.customer_id and customer.is_person
