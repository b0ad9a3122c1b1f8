-- Claims that hold, or are in doubt, on rows that are no record: they keep nothing, and the record they were meant for
-- may be erased. Claims that are over keep nothing anyway, and are left out for their number.
-- Surrogates are counted up: where every number from a record type's first to its last is a record (as many as there
-- are, and their sum), a claim between them is about one. All others are looked up. Thirty-two surrogates of records
-- are the bits of one number: a claim is about a record where its bit is set.
with spans as (
    select
        records.record_type,
        min(records.row_id) as first_id,
        max(records.row_id) as last_id
    from core.records as records
    group by records.record_type
    having
        count(*) = max(records.row_id) - min(records.row_id) + 1
        and 2 * sum(records.row_id) = (min(records.row_id) + max(records.row_id)) * count(*)
),

suspected as (
    select
        claims.record_type,
        claims.row_id
    from retention.purpose_claims as claims
    cross join retention.evaluation as evaluation
    left join spans on claims.record_type = spans.record_type
    where
        (claims.ends_on >= evaluation.as_of or claims.missing is not null)
        and not coalesce(claims.row_id between spans.first_id and spans.last_id, false)
),

types as (
    select distinct suspected.record_type
    from suspected
),

numbers as (
    select
        records.record_type,
        records.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (records.row_id & 31)) as bits
    from core.records as records
    inner join types on records.record_type = types.record_type
    group by records.record_type, records.row_id >> 5
)

select
    suspected.record_type,
    suspected.row_id
from suspected
left join numbers
    on
        suspected.record_type = numbers.record_type
        and (suspected.row_id >> 5) = numbers.part
where coalesce(numbers.bits & (cast(1 as bigint) << (suspected.row_id & 31)), 0) = 0
