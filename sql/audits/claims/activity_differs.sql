-- Claims that count as active although their last day is past, or not although it is to come. Active through that day.
select
    claims.record_type,
    claims.row_id,
    claims.purpose
from retention.claims as claims
cross join retention.evaluation as evaluation
where claims.is_active is distinct from (claims.open_ended or coalesce(claims.keep_until >= evaluation.as_of, false))
