-- Invoicing (Art 6(1)(b), companies 6(1)(f)): through the day the invoice is settled, at most a month past due.
-- Grain: a record. What is paid before the invoice is booked starts with the payment.
-- Closed words: record_type, clock.
with clocks as (
    select
        invoicing_end.invoice_id,
        invoicing_end.order_id,
        invoicing_end.customer_id,
        case
            when invoicing_end.settled_on < invoicing_end.voucher_on then invoicing_end.settled_on
            else invoicing_end.voucher_on
        end as starts_on,
        add_months(invoicing_end.ends_on, until_settled.months) + until_settled.days as ends_on
    from triggers.invoicing_ends as invoicing_end
    inner join policy.periods as until_settled
        on until_settled.purpose = 'invoicing' and until_settled.clock = 'until_settled'
),

claims as (
    select
        'invoice' as record_type,
        clock.invoice_id as row_id,
        clock.starts_on,
        clock.ends_on,
        clock.ends_on is null as is_undated
    from clocks as clock
    union all
    select
        'payment' as record_type,
        payment.payment_id as row_id,
        clock.starts_on,
        clock.ends_on,
        clock.ends_on is null as is_undated
    from clocks as clock
    inner join core.payments as payment
        on clock.invoice_id = payment.invoice_id
    union all
    select
        'order' as record_type,
        clock.order_id as row_id,
        min(clock.starts_on) as starts_on,
        max(clock.ends_on) as ends_on,
        max(case when clock.ends_on is null then 1 else 0 end) = 1 as is_undated
    from clocks as clock
    where clock.order_id is not null
    group by clock.order_id
    union all
    select
        'customer' as record_type,
        clock.customer_id as row_id,
        min(clock.starts_on) as starts_on,
        max(clock.ends_on) as ends_on,
        max(case when clock.ends_on is null then 1 else 0 end) = 1 as is_undated
    from clocks as clock
    inner join core.customers as customer
        on clock.customer_id = customer.customer_id and customer.is_person
    group by clock.customer_id
)

select
    claim.record_type,
    claim.row_id,
    'until_settled' as clock,
    claim.starts_on,
    claim.ends_on,
    cast(null as varchar) as ended_by,
    case when claim.is_undated then 'invoice_without_day' end as missing
from claims as claim
