-- Record types of which the dispositions are not about the records that are in the sources now: the surrogates of one
-- category are not theirs, by number, sum and sum of squares. The check that categories are decided once compares the
-- other categories in the same way.
with first_categories as (
    select
        categories.record_type,
        min(categories.data_category) as data_category
    from policy.categories as categories
    group by categories.record_type
),

records as (
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
        count(*) as records,
        sum(cast(dispositions.row_id as hugeint)) as surrogates,
        sum(cast(dispositions.row_id as hugeint) * dispositions.row_id) as squares
    from retention.dispositions as dispositions
    inner join first_categories
        on
            dispositions.record_type = first_categories.record_type
            and dispositions.data_category = first_categories.data_category
    group by dispositions.record_type
)

select decided.record_type
from decided
left join records on decided.record_type = records.record_type
where
    records.records is distinct from decided.records
    or records.surrogates is distinct from decided.surrogates
    or records.squares is distinct from decided.squares
