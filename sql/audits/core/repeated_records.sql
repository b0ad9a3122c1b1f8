-- Records that stand twice, or without a surrogate, among all records. Two of a kind would share their decisions.
-- Thirty-two surrogates are the bits of one number: as many bits as records is none twice. Only where that is not so
-- are records counted one by one.
with numbers as (
    select
        records.record_type,
        records.row_id >> 5 as part,
        count(*) as records,
        bit_or(cast(1 as bigint) << (records.row_id & 31)) as bits
    from core.records as records
    group by records.record_type, records.row_id >> 5
),

doubted as (
    select
        numbers.record_type,
        numbers.part
    from numbers
    where numbers.records is distinct from bit_count(numbers.bits)
)

select
    records.record_type,
    records.row_id
from core.records as records
inner join doubted
    on
        records.record_type = doubted.record_type
        and (records.row_id >> 5) is not distinct from doubted.part
group by records.record_type, records.row_id
having count(*) > 1 or records.row_id is null
