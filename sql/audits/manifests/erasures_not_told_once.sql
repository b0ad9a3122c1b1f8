-- Fields that hold a value and are up for erasure, but were neither ordered erased before nor are in exactly one item;
-- and records up for erasure whose source was not told everything, and that were not looked at for news.
with orders as (
    select
        proposed.record_type,
        proposed.row_id,
        unnest(proposed.fields) as field
    from manifest.proposed as proposed
    where proposed.action = 'redact'
    union all
    select
        held.record_type,
        held.row_id,
        held.field
    from manifest.proposed as proposed
    inner join manifest.held_fields as held
        on
            proposed.record_type = held.record_type
            and proposed.row_id = held.row_id
    where proposed.action = 'erase'
),

told as (
    select
        orders.record_type,
        orders.row_id,
        orders.field,
        count(*) as items
    from orders
    group by orders.record_type, orders.row_id, orders.field
),

sealed as (
    select
        records.record_type,
        records.row_id,
        fields.data_category,
        fields.field
    from manifest.ordered_fields as ordered
    inner join retention.records as records
        on
            ordered.record_type = records.record_type
            and ordered.record_key = records.record_key
    inner join policy.fields as fields
        on
            ordered.record_type = fields.record_type
            and ordered.field = fields.field
),

field_counts as (
    select
        fields.record_type,
        fields.data_category,
        count(*) as field_count
    from policy.fields as fields
    group by fields.record_type, fields.data_category
),

sealed_counts as (
    select
        sealed.record_type,
        sealed.row_id,
        sealed.data_category,
        count(*) as sealed_count
    from sealed
    group by sealed.record_type, sealed.row_id, sealed.data_category
)

select
    held.record_type,
    held.row_id
from manifest.held_fields as held
inner join retention.dispositions as dispositions
    on
        held.record_type = dispositions.record_type
        and held.row_id = dispositions.row_id
        and held.data_category = dispositions.data_category
left join told
    on
        held.record_type = told.record_type
        and held.row_id = told.row_id
        and held.field = told.field
left join sealed
    on
        held.record_type = sealed.record_type
        and held.row_id = sealed.row_id
        and held.field = sealed.field
where
    dispositions.disposition = 'erase'
    and (
        coalesce(told.items, 0) > 1
        or (told.items is null and sealed.field is null)
    )
union all
select
    dispositions.record_type,
    dispositions.row_id
from retention.dispositions as dispositions
inner join field_counts
    on
        dispositions.record_type = field_counts.record_type
        and dispositions.data_category = field_counts.data_category
left join sealed_counts
    on
        dispositions.record_type = sealed_counts.record_type
        and dispositions.row_id = sealed_counts.row_id
        and dispositions.data_category = sealed_counts.data_category
where
    dispositions.disposition = 'erase'
    and coalesce(sealed_counts.sealed_count, 0) < field_counts.field_count
    and not exists (
        select 1 from manifest.changed_records as changed
        where
            changed.record_type = dispositions.record_type
            and changed.row_id = dispositions.row_id
    )
