-- Where people write what they should not: personal numbers, addresses, telephone numbers and words about health in
-- notes, quote texts and complaints. Grain: a record, a field and a kind of finding. hits: how often; never the text.
-- A number counts only when its check digit and date hold; a word about health counts with its Swedish endings.
with texts as (
    select
        'interaction' as record_type,
        interactions.row_id,
        'subject' as field,
        interactions.subject as content
    from raw.crm_interactions as interactions
    where interactions.in_source and interactions.subject is not null
    union all
    select
        'interaction' as record_type,
        interactions.row_id,
        'body' as field,
        interactions.body as content
    from raw.crm_interactions as interactions
    where interactions.in_source and interactions.body is not null
    union all
    select
        'quote' as record_type,
        quotes.row_id,
        'request_text' as field,
        quotes.request_text as content
    from raw.crm_quotes as quotes
    where quotes.in_source and quotes.request_text is not null
    union all
    select
        'complaint' as record_type,
        complaints.row_id,
        'description' as field,
        complaints.description as content
    from raw.orders_complaints as complaints
    where complaints.in_source and complaints.description is not null
    union all
    select
        'claim_event' as record_type,
        claim_events.row_id,
        'note' as field,
        claim_events.note as content
    from raw.orders_claim_events as claim_events
    where claim_events.in_source and claim_events.note is not null
),

-- what stands between two numbers ends the one and begins the other: once for each
spaced as (
    select
        texts.record_type,
        texts.row_id,
        texts.field,
        texts.content,
        regexp_replace(texts.content, '([^0-9])', '\1\1', 'g') as numbers
    from texts
),

found as (
    select
        texts.record_type,
        texts.row_id,
        texts.field,
        len(list_filter(
            regexp_extract_all(
                texts.numbers, '(?:^|[^0-9])((?:[0-9]{2})?[0-9]{6}(?:[-][-]|[+][+]|  )?[0-9]{4})(?:[^0-9]|$)', 1
            ),
            lambda number: personnummer(regexp_replace(number, '([^0-9])[^0-9]', '\1', 'g')) is not null -- noqa: RF03
        )) as personal_numbers,
        len(regexp_extract_all(
            texts.content, '[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:[.][A-Za-z0-9-]+)+'
        )) as email_addresses,
        len(list_filter(
            regexp_extract_all(
                texts.numbers,
                '(?:^|[^0-9+])((?:[+][+]46|0046|0)(?:[-][-]|  )?[1-9](?:(?:[-][-]|  )?[0-9]){6,9})(?:[^0-9]|$)',
                1
            ),
            lambda number: personnummer(regexp_replace(number, '([^0-9])[^0-9]', '\1', 'g')) is null -- noqa: RF03
        )) as phone_numbers,
        len(regexp_extract_all(lower(texts.content), $health_words)) as health_words
    from spaced as texts
),

kinds as (
    unpivot found
    on personal_numbers, email_addresses, phone_numbers, health_words
    into name kind value hits
)

select
    records.source,
    kinds.record_type,
    records.record_key,
    kinds.field,
    kinds.kind,
    kinds.hits
from kinds
inner join retention.records
    on
        kinds.record_type = records.record_type
        and kinds.row_id = records.row_id
where kinds.hits > 0
