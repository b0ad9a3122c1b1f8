-- Invoices and credit notes. Grain: a row of the invoice ledger.
-- customer_id: the customer it names, else its order's. order_customer_id: its order's.
-- capacity: its order's, else what its customer's kind says when it has no order with a known customer.
-- chain_id: the invoice that a credit note refers to, else the row itself. voucher_on: the day it is booked.
with credit_notes as (
    select
        credit_note.row_id,
        referred.row_id as referred_id
    from raw.orders_invoices as credit_note
    inner join raw.orders_invoices as referred
        on credit_note.refers_to_invoice_id = referred.invoice_id
    where credit_note.kind = 'credit_note' and referred.kind = 'invoice'
)

select
    invoice.row_id as invoice_id,
    purchase.order_id,
    coalesce(customer.row_id, purchase.customer_id) as customer_id,
    purchase.customer_id as order_customer_id,
    invoice.kind,
    invoice.kind = 'credit_note' as is_credit_note,
    coalesce(credit_note.referred_id, invoice.row_id) as chain_id,
    invoice.issued_on,
    invoice.due_on,
    coalesce(invoice.booked_on, invoice.issued_on) as voucher_on,
    invoice.known_amount as amount,
    case
        when purchase.capacity is not null then purchase.capacity
        when purchase.customer_id is not null then null
        when customer.customer_type = 'private' then 'private'
        when customer.customer_type = 'company' then 'business'
    end as capacity,
    invoice.in_source
from raw.orders_invoices as invoice
left join raw.orders_orders as raw_order
    on invoice.order_id = raw_order.order_id
left join core.orders as purchase
    on raw_order.row_id = purchase.order_id
left join raw.crm_customers as customer
    on invoice.customer_id = customer.customer_id
left join credit_notes as credit_note
    on invoice.row_id = credit_note.row_id
