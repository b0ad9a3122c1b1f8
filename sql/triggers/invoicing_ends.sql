-- The last day of invoicing. Grain: an invoice (credit notes have none).
-- ends_on is null when the invoice is not settled and neither falls due nor was issued on a known day.
-- A register without the purpose sets no limit: the end is the day on which the invoice is settled.
-- customer_id and voucher_on are the invoice's, settled_on the day from which it is paid, for whoever claims it.
with limits as (
    select
        invoice.invoice_id,
        invoice.order_id,
        invoice.customer_id,
        invoice.issued_on,
        invoice.voucher_on,
        add_months(
            coalesce(invoice.due_on, add_months(invoice.issued_on, term.months) + term.days), overdue.months
        ) + overdue.days as limit_on,
        settlement.settled_on
    from core.invoices as invoice
    left join policy.periods as term
        on term.purpose = 'invoicing' and term.clock = 'payment_term'
    left join policy.periods as overdue
        on overdue.purpose = 'invoicing' and overdue.clock = 'overdue'
    left join triggers.settlements as settlement
        on invoice.invoice_id = settlement.invoice_id
    where not invoice.is_credit_note
)

select
    limits.invoice_id,
    limits.order_id,
    limits.customer_id,
    limits.issued_on,
    limits.voucher_on,
    limits.settled_on,
    case
        when limits.settled_on is null then limits.limit_on
        when limits.limit_on is null then limits.settled_on
        else least(limits.settled_on, limits.limit_on)
    end as ends_on
from limits
