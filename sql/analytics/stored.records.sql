-- Beneath the views: the records that are in the sources now, numbered, and which clocks run on the day of evaluation.
-- - record bigint: the record's number
-- - type integer: the kind of record
-- - record_key varchar: the source system's own key of the record
-- - clocks ubigint: the clocks that run, a bit each; none where the record is not personal
with running as (
    select
        clocks.type,
        claims.row_id,
        bit_or(cast(1 as ubigint) << clocks.bit) as clocks
    from retention.purpose_claims as claims
    cross join retention.evaluation
    inner join published.stored.clocks
        on
            claims.record_type = clocks.record_type
            and claims.purpose = clocks.purpose
            and claims.clock = clocks.name
    where claims.ends_on >= evaluation.as_of
    group by clocks.type, claims.row_id
)

select
    records.row_id * types.types + types.type as record,
    types.type,
    records.record_key,
    case when records.not_personal then 0 else coalesce(running.clocks, 0) end as clocks
from retention.records
inner join published.stored.record_types as types on records.record_type = types.record_type
left join running
    on
        types.type = running.type
        and records.row_id = running.row_id
