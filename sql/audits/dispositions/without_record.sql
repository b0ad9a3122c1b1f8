-- Record types of which the dispositions are not about the records that are in the sources now: the surrogates of one
-- category are not theirs, by number and by the sum of their hashes. The check that categories are decided once
-- compares the other categories in the same way.
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

select decided.record_type
from decided
inner join first_categories
    on
        decided.record_type = first_categories.record_type
        and decided.data_category = first_categories.data_category
left join records on decided.record_type = records.record_type
where
    records.records is distinct from decided.records
    or records.surrogates is distinct from decided.surrogates
