-- Categories of a record type of which the dispositions are not one for each record: as many rows, and the same
-- surrogates, by the sum of their hashes. Among millions of rows that is a scan where a grouping by record would cost
-- as much as deciding.
with records as (
    select
        records.record_type,
        count(*) as records,
        sum(hash(records.row_id)) as surrogates
    from retention.records as records
    group by records.record_type
),

decided as (
    select
        dispositions.record_type,
        dispositions.data_category,
        count(*) as records,
        sum(hash(dispositions.row_id)) as surrogates
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
