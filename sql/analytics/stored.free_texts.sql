-- Beneath the views: the free texts that hold something, also where their source alone has it still. Never the text.
-- - record bigint: the record's number
-- - field varchar: the free text
with texts as (
    select
        'interaction' as record_type,
        interactions.row_id,
        'subject' as field
    from raw.crm_interactions as interactions
    where
        interactions.in_source
        and (interactions.subject is not null or list_contains(interactions.withheld, 'subject'))
    union all
    select
        'interaction' as record_type,
        interactions.row_id,
        'body' as field
    from raw.crm_interactions as interactions
    where
        interactions.in_source
        and (interactions.body is not null or list_contains(interactions.withheld, 'body'))
    union all
    select
        'quote' as record_type,
        quotes.row_id,
        'request_text' as field
    from raw.crm_quotes as quotes
    where
        quotes.in_source
        and (quotes.request_text is not null or list_contains(quotes.withheld, 'request_text'))
    union all
    select
        'order_line' as record_type,
        order_lines.row_id,
        'description' as field
    from raw.orders_order_lines as order_lines
    where
        order_lines.in_source
        and (order_lines.description is not null or list_contains(order_lines.withheld, 'description'))
    union all
    select
        'complaint' as record_type,
        complaints.row_id,
        'description' as field
    from raw.orders_complaints as complaints
    where
        complaints.in_source
        and (complaints.description is not null or list_contains(complaints.withheld, 'description'))
    union all
    select
        'claim_event' as record_type,
        claim_events.row_id,
        'note' as field
    from raw.orders_claim_events as claim_events
    where
        claim_events.in_source
        and (claim_events.note is not null or list_contains(claim_events.withheld, 'note'))
)

select
    texts.row_id * types.types + types.type as record,
    texts.field
from texts
inner join retention.records
    on
        texts.record_type = records.record_type
        and texts.row_id = records.row_id
inner join published.stored.record_types as types on records.record_type = types.record_type
