-- Records with a category that may differ from what their source was last told. Grain: a record in the sources now.
-- Only these are widened to fields. is_whole: every category is `erase`. was_ordered_whole: an item about the whole
-- record still stands. A category that no manifest named counts as `retain`.
with field_counts as (
    select
        fields.record_type,
        fields.data_category,
        cast(count(*) as integer) as field_count
    from policy.fields
    group by
        fields.record_type,
        fields.data_category
),

told as (
    select
        records.record_type,
        records.row_id,
        sealed.data_category,
        sealed.restricted,
        sealed.erased,
        sealed.erased_whole
    from manifest.sealed_categories as sealed
    inner join retention.records
        on
            sealed.record_type = records.record_type
            and sealed.record_key = records.record_key
),

compared as (
    select
        dispositions.record_type,
        dispositions.row_id,
        case when dispositions.disposition = 'erase' then 1 else 0 end as is_erase,
        coalesce(told.erased_whole, 0) as erased_whole,
        case
            when dispositions.disposition = 'erase' and coalesce(told.erased, 0) < field_counts.field_count then 1
            when dispositions.disposition = 'restrict' and coalesce(told.restricted, 0) < field_counts.field_count
                then 1
            when dispositions.disposition = 'retain' and coalesce(told.restricted, 0) + coalesce(told.erased, 0) > 0
                then 1
            else 0
        end as may_differ
    from retention.dispositions
    inner join field_counts
        on
            dispositions.record_type = field_counts.record_type
            and dispositions.data_category = field_counts.data_category
    left join told
        on
            dispositions.record_type = told.record_type
            and dispositions.row_id = told.row_id
            and dispositions.data_category = told.data_category
),

rolled_up as (
    select
        compared.record_type,
        compared.row_id,
        min(compared.is_erase) = 1 as is_whole,
        sum(compared.erased_whole) > 0 as was_ordered_whole,
        max(compared.may_differ) = 1 as may_differ
    from compared
    group by
        compared.record_type,
        compared.row_id
)

select
    rolled_up.record_type,
    records.source,
    rolled_up.row_id,
    records.record_key,
    rolled_up.is_whole,
    rolled_up.was_ordered_whole
from rolled_up
inner join retention.records
    on
        rolled_up.record_type = records.record_type
        and rolled_up.row_id = records.row_id
where
    rolled_up.may_differ
    or (rolled_up.is_whole and not rolled_up.was_ordered_whole)
