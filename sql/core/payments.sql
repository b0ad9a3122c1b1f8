-- Payments. Grain: a payment; invoice_id is null for an orphan.
-- chain_id: the invoice at the head of its voucher chain, negative (its own) for an orphan.
select
    payment.row_id as payment_id,
    invoice.invoice_id,
    coalesce(invoice.chain_id, -1 - payment.row_id) as chain_id,
    payment.paid_at as paid_on,
    payment.known_amount as amount,
    payment.in_source
from raw.orders_payments as payment
left join raw.orders_invoices as raw_invoice
    on payment.invoice_id = raw_invoice.invoice_id
left join core.invoices as invoice
    on raw_invoice.row_id = invoice.invoice_id
