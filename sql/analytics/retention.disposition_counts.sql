-- How many data categories of records each disposition holds of on the day of evaluation: retention.dispositions in
-- numbers.
-- - source varchar: the system that delivers the records
-- - record_type varchar: what the records are
-- - data_category varchar: the group of fields that share their fate
-- - fields varchar[]: its fields, sorted
-- - disposition varchar: retain, restrict, review, erase or not_personal
-- - has_end boolean: whether a last day is known
-- - categories bigint: how many data categories of records, which is how many records
-- - with_value bigint: in how many of them a field holds a value
with counted as (
    select
        dispositions.category,
        dispositions.disposition,
        dispositions.keep_until is not null as has_end,
        count(*) as categories,
        count(*) filter (where dispositions.has_value) as with_value
    from published.stored.dispositions
    group by dispositions.category, dispositions.disposition, dispositions.keep_until is not null
),

named as (
    select
        fields.category,
        list_sort(list(fields.field)) as fields
    from published.stored.fields
    group by fields.category
)

select
    types.source,
    types.record_type,
    categories.data_category,
    coalesce(named.fields, cast([] as varchar[])) as fields,
    cast(counted.disposition as varchar) as disposition,
    counted.has_end,
    counted.categories,
    counted.with_value
from counted
inner join published.stored.categories on counted.category = categories.category
inner join published.stored.record_types as types on categories.type = types.type
left join named on counted.category = named.category
