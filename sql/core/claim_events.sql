-- What happened to the claim on an invoice. Grain: an event; invoice_id is null for an orphan.
select
    happening.row_id as claim_event_id,
    invoice.row_id as invoice_id,
    happening.known_event as event,
    happening.occurred_at as occurred_on,
    happening.in_source
from raw.orders_claim_events as happening
left join raw.orders_invoices as invoice
    on happening.invoice_id = invoice.invoice_id
