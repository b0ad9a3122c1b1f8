-- Claims that have no end, are not open-ended and miss no trigger, or have an end and are open-ended as well.
select
    claims.record_type,
    claims.row_id,
    claims.purpose
from retention.claims as claims
where
    (claims.keep_until is null and not claims.open_ended and claims.missing is null)
    or (claims.keep_until is not null and claims.open_ended)
