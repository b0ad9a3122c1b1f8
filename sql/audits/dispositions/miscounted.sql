-- Categories of a record type with more or fewer dispositions than the record type has records in the sources.
with categories as (
    select distinct
        fields.record_type,
        fields.data_category
    from policy.fields as fields
),

records as (
    select
        records.record_type,
        count(*) as records
    from retention.records as records
    group by records.record_type
),

dispositions as (
    select
        dispositions.record_type,
        dispositions.data_category,
        count(*) as dispositions
    from retention.dispositions as dispositions
    group by dispositions.record_type, dispositions.data_category
),

expected as (
    select
        categories.record_type,
        categories.data_category,
        coalesce(records.records, 0) as records
    from categories
    left join records on categories.record_type = records.record_type
)

select
    coalesce(expected.record_type, dispositions.record_type) as record_type,
    coalesce(expected.data_category, dispositions.data_category) as data_category
from expected
full outer join dispositions
    on
        expected.record_type = dispositions.record_type
        and expected.data_category = dispositions.data_category
where coalesce(expected.records, 0) <> coalesce(dispositions.dispositions, 0)
