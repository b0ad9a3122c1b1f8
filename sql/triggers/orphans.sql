-- Records whose parent is unknown: kept for review where no purpose of their own keeps them. Grain: a record.
select
    'delivery' as record_type,
    record.delivery_id as row_id
from core.deliveries as record
where record.order_id is null
union all
select
    'order_line' as record_type,
    record.order_line_id as row_id
from core.order_lines as record
where record.order_id is null
union all
select
    'proof_approval' as record_type,
    record.proof_id as row_id
from core.proof_approvals as record
where record.order_id is null
union all
select
    'complaint' as record_type,
    record.complaint_id as row_id
from core.complaints as record
where record.order_id is null
union all
select
    'claim_event' as record_type,
    record.claim_event_id as row_id
from core.claim_events as record
where record.invoice_id is null
union all
select
    'payment' as record_type,
    record.payment_id as row_id
from core.payments as record
where record.invoice_id is null
union all
select
    'quote_document' as record_type,
    record.document_id as row_id
from core.quote_documents as record
where record.quote_id is null
union all
select
    'send' as record_type,
    record.send_id as row_id
from core.sends as record
where record.subscriber_id is null
union all
select
    'contact' as record_type,
    record.contact_id as row_id
from core.contacts as record
where record.customer_id is null
