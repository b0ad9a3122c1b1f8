-- Claims on rows that are no record: they keep nothing, and the record they were meant for may be erased.
select
    claims.record_type,
    claims.row_id
from retention.purpose_claims as claims
where
    not exists (
        select 1 from core.records as records
        where
            records.record_type = claims.record_type
            and records.row_id = claims.row_id
    )
