-- Invoices in their source that name an order, a customer or, as a credit note, an invoice which no source knows.
-- One whose customer is unknown may have its order's, so that what it names is looked for itself.
select record.invoice_id
from core.invoices as record
inner join raw.orders_invoices as told
    on record.invoice_id = told.row_id
left join raw.crm_customers as customer
    on told.customer_id = customer.customer_id
where
    record.in_source
    and (
        (record.order_id is null and told.order_id is not null)
        or (customer.row_id is null and told.customer_id is not null)
        or (record.is_credit_note and record.chain_id = record.invoice_id and told.refers_to_invoice_id is not null)
    )
