-- Claims that hold, or are in doubt, on rows that are no record: they keep nothing, and the record they were meant for
-- may be erased. Claims that are over keep nothing anyway, and are left out for their number.
select
    claims.record_type,
    claims.row_id
from retention.purpose_claims as claims
cross join retention.evaluation as evaluation
where
    (claims.ends_on >= evaluation.as_of or claims.missing is not null)
    and not exists (
        select 1 from core.records as records
        where
            records.record_type = claims.record_type
            and records.row_id = claims.row_id
    )
