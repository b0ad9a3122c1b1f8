-- Open complaint (Art 17(3)(e)): while the complaint is open; what identifies the parties a year more. Grain: a record
-- and a clock.
-- Closed words: record_type, clock.
with states as (
    select
        complaint.complaint_id,
        complaint.order_id,
        purchase.customer_id,
        complaint.opened_on,
        case when complaint.closed_on <= $as_of then complaint.closed_on end as closed_on,
        case
            when complaint.closed_on <= $as_of and complaint.closed_on < complaint.opened_on
                then 'complaint_closed_before_opened'
        end as missing
    from core.complaints as complaint
    left join core.orders as purchase
        on complaint.order_id = purchase.order_id
),

clocks as (
    select
        state.complaint_id,
        state.order_id,
        state.customer_id,
        period.clock,
        state.opened_on as starts_on,
        case
            when state.missing is not null then null
            when state.closed_on is null then cast('9999-12-31' as date)
            else add_months(state.closed_on, period.months) + period.days
        end as ends_on,
        state.missing
    from states as state
    inner join policy.periods as period
        on period.purpose = 'open_complaint' and period.clock in ('while_open', 'after_closing')
),

order_clocks as (
    select
        clock.order_id,
        clock.customer_id,
        clock.clock,
        min(clock.starts_on) as starts_on,
        max(clock.ends_on) as ends_on,
        max(clock.missing) as missing
    from clocks as clock
    where clock.order_id is not null
    group by clock.order_id, clock.customer_id, clock.clock
)

select
    'complaint' as record_type,
    clock.complaint_id as row_id,
    clock.clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
union all
select
    'order' as record_type,
    clock.order_id as row_id,
    clock.clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from order_clocks as clock
union all
select
    'order_line' as record_type,
    line.order_line_id as row_id,
    clock.clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from order_clocks as clock
inner join core.order_lines as line
    on clock.order_id = line.order_id
union all
select
    'proof_approval' as record_type,
    proof.proof_id as row_id,
    clock.clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from order_clocks as clock
inner join core.proof_approvals as proof
    on clock.order_id = proof.order_id
union all
select
    'customer' as record_type,
    clock.customer_id as row_id,
    clock.clock,
    min(clock.starts_on) as starts_on,
    max(clock.ends_on) as ends_on,
    cast(null as varchar) as ended_by,
    max(clock.missing) as missing
from order_clocks as clock
inner join core.customers as customer
    on clock.customer_id = customer.customer_id and customer.is_person
group by clock.customer_id, clock.clock
