-- Categories of a record type of which the dispositions are not one for each record: as many rows, and the same
-- surrogates, by their sum and the sum of their squares. Among millions of rows that is a scan where a grouping by
-- record would cost as much as deciding.
with records as (
    select
        records.record_type,
        count(*) as records,
        sum(cast(records.row_id as hugeint)) as surrogates,
        sum(cast(records.row_id as hugeint) * records.row_id) as squares
    from retention.records as records
    group by records.record_type
),

decided as (
    select
        dispositions.record_type,
        dispositions.data_category,
        count(*) as records,
        sum(cast(dispositions.row_id as hugeint)) as surrogates,
        sum(cast(dispositions.row_id as hugeint) * dispositions.row_id) as squares
    from retention.dispositions as dispositions
    group by dispositions.record_type, dispositions.data_category
)

select
    decided.record_type,
    decided.data_category
from decided
left join records on decided.record_type = records.record_type
where
    records.records is distinct from decided.records
    or records.surrogates is distinct from decided.surrogates
    or records.squares is distinct from decided.squares
