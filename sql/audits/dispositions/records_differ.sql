-- Record types with more or fewer records to decide about than core has in the sources.
with sources as (
    select
        records.record_type,
        count(*) as records
    from core.records as records
    where records.in_source
    group by records.record_type
),

decided as (
    select
        records.record_type,
        count(*) as records
    from retention.records as records
    group by records.record_type
)

select coalesce(sources.record_type, decided.record_type) as record_type
from sources
full outer join decided on sources.record_type = decided.record_type
where coalesce(sources.records, 0) <> coalesce(decided.records, 0)
