-- A view: every record of every source under its own key. Grain: a record that is, or once was, in a source.
-- Nothing is copied: seventeen tables of keys are as quickly read where they stand.
-- not_personal: a company's own customer record, which no retention rule is about.
select
    'customer' as record_type,
    source_row.row_id,
    source_row.customer_id as record_key,
    source_row.customer_type = 'company' as not_personal,
    source_row.in_source
from raw.crm_customers as source_row
union all
select
    'contact' as record_type,
    source_row.row_id,
    source_row.contact_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.crm_contacts as source_row
union all
select
    'interaction' as record_type,
    source_row.row_id,
    source_row.interaction_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.crm_interactions as source_row
union all
select
    'quote' as record_type,
    source_row.row_id,
    source_row.quote_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.crm_quotes as source_row
union all
select
    'quote_document' as record_type,
    source_row.row_id,
    source_row.document_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.crm_quote_documents as source_row
union all
select
    'consent' as record_type,
    source_row.row_id,
    source_row.consent_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.crm_consents as source_row
union all
select
    'order' as record_type,
    source_row.row_id,
    source_row.order_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_orders as source_row
union all
select
    'delivery' as record_type,
    source_row.row_id,
    source_row.delivery_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_deliveries as source_row
union all
select
    'order_line' as record_type,
    source_row.row_id,
    source_row.order_line_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_order_lines as source_row
union all
select
    'proof_approval' as record_type,
    source_row.row_id,
    source_row.proof_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_proof_approvals as source_row
union all
select
    'invoice' as record_type,
    source_row.row_id,
    source_row.invoice_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_invoices as source_row
union all
select
    'payment' as record_type,
    source_row.row_id,
    source_row.payment_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_payments as source_row
union all
select
    'claim_event' as record_type,
    source_row.row_id,
    source_row.claim_event_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_claim_events as source_row
union all
select
    'complaint' as record_type,
    source_row.row_id,
    source_row.complaint_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.orders_complaints as source_row
union all
select
    'subscriber' as record_type,
    source_row.row_id,
    source_row.subscriber_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.mailing_subscribers as source_row
union all
select
    'send' as record_type,
    source_row.row_id,
    source_row.send_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.mailing_sends as source_row
union all
select
    'web_event' as record_type,
    source_row.row_id,
    source_row.event_id as record_key,
    false as not_personal,
    source_row.in_source
from raw.web_events as source_row
