-- Claims that have neither a last day (the end of time, where they are open-ended) nor a missing trigger.
select
    claims.record_type,
    claims.row_id,
    claims.purpose
from retention.purpose_claims as claims
where claims.ends_on is null and claims.missing is null
