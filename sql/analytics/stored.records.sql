-- Beneath the views: the records that are in the sources now, numbered, and which clocks run on the day of evaluation.
-- - record bigint: the record's number
-- - type integer: the kind of record
-- - record_key varchar: the source system's own key of the record
-- - clocks ubigint: the clocks that run, a bit each; none where the record is not personal
with clocks as (
    select
        clocks.clock,
        cast(cast(1 as ubigint) << clocks.bit as ubigint) as own_bit
    from published.stored.clocks
),

running as (
    select
        claims.record,
        bit_or(clocks.own_bit) as clocks
    from published.stored.claims
    cross join retention.evaluation
    inner join clocks on claims.clock = clocks.clock
    where claims.ends_on >= evaluation.as_of
    group by claims.record
),

numbered as (
    select
        records.row_id * types.types + types.type as record,
        types.type,
        records.record_key
    from retention.records
    inner join published.stored.record_types as types on records.record_type = types.record_type
)

select
    numbered.record,
    numbered.type,
    numbered.record_key,
    coalesce(running.clocks, 0) as clocks
from numbered
left join running on numbered.record = running.record
