-- The day from which the balance of an invoice stays at or below zero. Grain: a settled invoice.
-- An invoice on which nothing was ever owed is settled on its own day; without a day, from the beginning of time.
-- By parts: invoice_id of core.invoices, triggers.invoice_balances.
with summaries as (
    select
        balance.invoice_id,
        min(balance.on_day) as first_moved_on,
        max(balance.on_day) as last_moved_on,
        max(case when balance.balance > 0 then balance.on_day end) as last_owed_on,
        max(case when balance.balance > 0 then balance.next_on end) as next_moved_on
    from triggers.invoice_balances as balance
    group by balance.invoice_id
),

days as (
    select
        summary.invoice_id,
        summary.last_owed_on,
        case
            when summary.last_owed_on is null then summary.first_moved_on
            when summary.last_owed_on < summary.last_moved_on then summary.next_moved_on
        end as settled_on
    from summaries as summary
),

settled as (
    select
        invoice.invoice_id,
        case
            when invoice.amount <= 0 and day.last_owed_on is null
                then coalesce(invoice.voucher_on, cast('0001-01-01' as date))
            else day.settled_on
        end as settled_on
    from core.invoices as invoice
    left join days as day
        on invoice.invoice_id = day.invoice_id
    where not invoice.is_credit_note
)

select
    settled.invoice_id,
    settled.settled_on
from settled
where settled.settled_on is not null
