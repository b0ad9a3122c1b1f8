-- A finding about the data's quality: what a person should look at, what people wrote into free text among it. No
-- values.
-- - finding varchar: the finding's code
-- - source varchar: the system that delivers the record; null: the record has gone
-- - record_type varchar: what the record is; request, hold and disclosure are those of the office's registers
-- - record_key varchar: the source system's own key of the record; null: the record has gone
-- - detail varchar: the column or rule that it is about
-- - hits bigint: how often, where it is counted: in free text
with keys as (
    select
        records.source,
        records.record_type,
        records.row_id,
        records.record_key
    from retention.records as records
    union all
    select
        'office' as source,
        'request' as record_type,
        requests.row_id,
        requests.request_id as record_key
    from raw.office_requests as requests
    union all
    select
        'office' as source,
        'hold' as record_type,
        holds.row_id,
        holds.hold_id as record_key
    from raw.office_holds as holds
    union all
    select
        'office' as source,
        'disclosure' as record_type,
        disclosures.row_id,
        disclosures.disclosure_id as record_key
    from raw.office_disclosures as disclosures
),

found as (
    select
        findings.finding,
        findings.record_type,
        findings.row_id,
        findings.detail
    from retention.findings as findings
    union all
    select
        unheard.finding,
        unheard.record_type,
        unheard.row_id,
        unheard.detail
    from manifest.unheard_disclosures as unheard
)

select
    found.finding,
    keys.source,
    found.record_type,
    keys.record_key,
    found.detail,
    cast(null as bigint) as hits
from found
left join keys
    on
        found.record_type = keys.record_type
        and found.row_id = keys.row_id
union all
select
    'free_text_' || free_text.kind as finding,
    free_text.source,
    free_text.record_type,
    free_text.record_key,
    free_text.field as detail,
    free_text.hits
from rights.free_text as free_text
