-- Dispositions of rows that are no record in the sources now. One category stands for all of a record: the check that
-- they are decided once compares the others with the records.
with first_categories as (
    select
        categories.record_type,
        min(categories.data_category) as data_category
    from policy.categories as categories
    group by categories.record_type
)

select
    dispositions.record_type,
    dispositions.row_id
from retention.dispositions as dispositions
inner join first_categories
    on
        dispositions.record_type = first_categories.record_type
        and dispositions.data_category = first_categories.data_category
where
    not exists (
        select 1 from retention.records as records
        where
            records.record_type = dispositions.record_type
            and records.row_id = dispositions.row_id
    )
