-- Invoices and credit notes. Grain: an invoice or a credit note.
select
    invoice_id,
    cast(year(issued_on) as varchar) || '-' || cast(o as varchar) as invoice_number,
    'O' || number as order_id,
    customer_id,
    'invoice' as kind,
    null as refers_to_invoice_id,
    issued_on,
    come(issued_on + 1) as booked_on,
    due_on,
    soiled(amount, 'tolv kronor', o, 'invoice amount') as amount,
    'SEK' as currency,
    name as buyer_name,
    sample_street(n) as buyer_street,
    sample_postal_code(n) as buyer_postal_code,
    sample_city(n) as buyer_city,
    null as buyer_national_id
from sample_invoices
union all
select
    'K' || invoice_id as invoice_id,
    cast(year(issued_on + 20) as varchar) || '-K' || cast(o as varchar) as invoice_number,
    'O' || number as order_id,
    customer_id,
    'credit_note' as kind,
    invoice_id as refers_to_invoice_id,
    issued_on + 20 as issued_on,
    issued_on + 20 as booked_on,
    null as due_on,
    cast(amount as varchar) as amount,
    'SEK' as currency,
    name as buyer_name,
    sample_street(n) as buyer_street,
    sample_postal_code(n) as buyer_postal_code,
    sample_city(n) as buyer_city,
    null as buyer_national_id
from sample_invoices
where is_credited and issued_on + 20 <= sample_day()
