-- Debt collection (Art 17(3)(e); PreskrL 2, 5-7 §§): through the day the claim lapses or is extinguished, whichever is
-- first; after an extinction the national_id stays through the grace. What is paid before the claim arose starts with
-- the payment. Grain: a record and a clock.
-- Closed words: record_type, clock.
with debts as (
    select
        debt.invoice_id,
        debt.customer_id,
        case when debt.settled_on < debt.arose_on then debt.settled_on else debt.arose_on end as starts_on,
        debt.ends_on,
        debt.lapses_on,
        debt.grace_ends_on,
        debt.missing
    from triggers.debts as debt
),

clocks as (
    select
        debt.invoice_id,
        debt.customer_id,
        'limitation' as clock,
        debt.starts_on,
        case when debt.missing is null then debt.ends_on end as ends_on,
        debt.missing
    from debts as debt
    where debt.missing is null or debt.lapses_on is null or debt.lapses_on >= $as_of
    union all
    select
        debt.invoice_id,
        debt.customer_id,
        'grace' as clock,
        debt.starts_on,
        debt.grace_ends_on as ends_on,
        cast(null as varchar) as missing
    from debts as debt
    where debt.grace_ends_on is not null
)

select
    'invoice' as record_type,
    clock.invoice_id as row_id,
    clock.clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
union all
select
    'claim_event' as record_type,
    happening.claim_event_id as row_id,
    clock.clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
inner join core.claim_events as happening
    on clock.invoice_id = happening.invoice_id
union all
select
    'customer' as record_type,
    clock.customer_id as row_id,
    clock.clock,
    min(clock.starts_on) as starts_on,
    max(clock.ends_on) as ends_on,
    cast(null as varchar) as ended_by,
    max(clock.missing) as missing
from clocks as clock
inner join core.customers as customer
    on clock.customer_id = customer.customer_id and customer.is_person
group by clock.customer_id, clock.clock
