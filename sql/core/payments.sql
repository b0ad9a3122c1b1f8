-- Payments. Grain: a payment; invoice_id is null for an orphan.
-- chain_id: the invoice at the head of its voucher chain, negative (its own) for an orphan. That is the invoice itself
-- but for credit notes that refer to another: these few are looked up.
with referring as (
    select
        invoice.invoice_id,
        invoice.chain_id
    from core.invoices as invoice
    where invoice.chain_id <> invoice.invoice_id
)

select
    payment.row_id as payment_id,
    invoice.row_id as invoice_id,
    coalesce(referring.chain_id, invoice.row_id, -1 - payment.row_id) as chain_id,
    payment.paid_at as paid_on,
    payment.known_amount as amount,
    payment.in_source
from raw.orders_payments as payment
left join raw.orders_invoices as invoice
    on payment.invoice_id = invoice.invoice_id
left join referring
    on invoice.row_id = referring.invoice_id
