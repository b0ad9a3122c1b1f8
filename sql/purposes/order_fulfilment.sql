-- Order fulfilment (Art 6(1)(b), for a company's contacts 6(1)(f)): while the order is open, through the day it closes.
-- Grain: a record. Claims on the customer keep the national_id too: it waits for the invoice.
-- Closed words: record_type, clock.
with clocks as (
    select
        state.order_id,
        state.customer_id,
        state.contact_id,
        state.placed_on,
        case state.state
            when 'open' then cast('9999-12-31' as date)
            when 'closed' then add_months(state.closed_on, while_open.months) + while_open.days
        end as ends_on,
        state.reason as missing
    from triggers.order_states as state
    inner join policy.periods as while_open
        on while_open.purpose = 'order_fulfilment' and while_open.clock = 'while_open'
)

select
    'order' as record_type,
    clock.order_id as row_id,
    'while_open' as clock,
    clock.placed_on as starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
union all
select
    'delivery' as record_type,
    delivery.delivery_id as row_id,
    'while_open' as clock,
    clock.placed_on as starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
inner join core.deliveries as delivery
    on clock.order_id = delivery.order_id
union all
select
    'order_line' as record_type,
    line.order_line_id as row_id,
    'while_open' as clock,
    clock.placed_on as starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
inner join core.order_lines as line
    on clock.order_id = line.order_id
union all
select
    'proof_approval' as record_type,
    proof.proof_id as row_id,
    'while_open' as clock,
    clock.placed_on as starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
inner join core.proof_approvals as proof
    on clock.order_id = proof.order_id
union all
select
    'customer' as record_type,
    clock.customer_id as row_id,
    'while_open' as clock,
    min(clock.placed_on) as starts_on,
    max(clock.ends_on) as ends_on,
    cast(null as varchar) as ended_by,
    max(clock.missing) as missing
from clocks as clock
inner join core.customers as customer
    on clock.customer_id = customer.customer_id and customer.is_person
group by clock.customer_id
union all
select
    'contact' as record_type,
    clock.contact_id as row_id,
    'while_open' as clock,
    min(clock.placed_on) as starts_on,
    max(case when clock.missing is null then least(clock.ends_on, cap.cap_on) end) as ends_on,
    max(case when cap.cap_on < clock.ends_on then 'role_ended' end) as ended_by,
    max(clock.missing) as missing
from clocks as clock
left join triggers.contact_caps as cap
    on clock.contact_id = cap.contact_id
where clock.contact_id is not null and (clock.missing is null or cap.cap_on is null or cap.cap_on >= $as_of)
group by clock.contact_id
