-- Claims that hold, or are in doubt, on rows that are no record: they keep nothing, and the record they were meant for
-- may be erased. Claims that are over keep nothing anyway, and are left out for their number.
-- Thirty-two surrogates of records are the bits of one number: a claim is about a record where its bit is set.
with numbers as (
    select
        records.record_type,
        records.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (records.row_id & 31)) as bits
    from core.records as records
    group by records.record_type, records.row_id >> 5
)

select
    claims.record_type,
    claims.row_id
from retention.purpose_claims as claims
cross join retention.evaluation as evaluation
left join numbers
    on
        claims.record_type = numbers.record_type
        and (claims.row_id >> 5) = numbers.part
where
    (claims.ends_on >= evaluation.as_of or claims.missing is not null)
    and coalesce(numbers.bits & (cast(1 as bigint) << (claims.row_id & 31)), 0) = 0
