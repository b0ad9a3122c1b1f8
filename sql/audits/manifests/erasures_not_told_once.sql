-- Fields that hold a value and are up for erasure, but were neither ordered erased before nor are in exactly one item;
-- and records up for erasure whose source was not told everything, and that were not looked at for news.
-- Thirty-two surrogates are the bits of one number, and so are a record's fields. Sets of records find each record that
-- may be in doubt (more than are, never fewer), and only these are compared field by field.
with erased as (
    select
        dispositions.record_type,
        dispositions.data_category,
        dispositions.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (dispositions.row_id & 31)) as records
    from retention.dispositions as dispositions
    where dispositions.disposition = 'erase'
    group by dispositions.record_type, dispositions.data_category, dispositions.row_id >> 5
),

changed_parts as (
    select
        changed.record_type,
        changed.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (changed.row_id & 31)) as records
    from manifest.changed_records as changed
    group by changed.record_type, changed.row_id >> 5
),

told_parts as (
    select
        records.record_type,
        told.named,
        records.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (records.row_id & 31)) as records
    from manifest.ordered_records as told
    inner join retention.records as records
        on
            told.record_type = records.record_type
            and told.record_key = records.record_key
    group by records.record_type, told.named, records.row_id >> 5
),

-- what one earlier order told a source whole
ordered_parts as (
    select
        told_parts.record_type,
        categories.data_category,
        told_parts.part,
        bit_or(told_parts.records) as records
    from told_parts
    inner join manifest.category_bits as categories
        on
            told_parts.record_type = categories.record_type
            and (told_parts.named & categories.bits) = categories.bits
    group by told_parts.record_type, categories.data_category, told_parts.part
),

missing_parts as (
    select
        erased.record_type,
        erased.data_category,
        erased.part,
        erased.records & ~coalesce(ordered_parts.records, 0) as records
    from erased
    left join ordered_parts
        on
            erased.record_type = ordered_parts.record_type
            and erased.data_category = ordered_parts.data_category
            and erased.part = ordered_parts.part
),

item_parts as (
    select
        proposed.record_type,
        proposed.row_id >> 5 as part,
        count(*) as items,
        bit_or(cast(1 as bigint) << (proposed.row_id & 31)) as records,
        bit_or(
            case when proposed.action = 'erase' then cast(1 as bigint) << (proposed.row_id & 31) else 0 end
        ) as wholes
    from manifest.proposed as proposed
    where proposed.action in ('erase', 'redact')
    group by proposed.record_type, proposed.row_id >> 5
),

listed as (
    select
        lists.record_type,
        lists.fields,
        unnest(lists.fields) as field
    from (
        select distinct
            proposed.record_type,
            proposed.fields
        from manifest.proposed as proposed
        where proposed.action = 'redact'
    ) as lists
),

named as (
    select
        listed.record_type,
        listed.fields,
        bit_or(bits.bit) as named,
        count(*) > count(distinct listed.field) as is_repeated
    from listed
    left join manifest.field_bits as bits
        on
            listed.record_type = bits.record_type
            and listed.field = bits.field
    group by listed.record_type, listed.fields
),

redacted as (
    select
        proposed.record_type,
        proposed.row_id,
        coalesce(named.named, 0) as named,
        coalesce(named.is_repeated, false) as is_repeated
    from manifest.proposed as proposed
    left join named
        on
            proposed.record_type = named.record_type
            and proposed.fields = named.fields
    where proposed.action = 'redact'
),

uncovered as (
    select
        held.record_type,
        held.row_id,
        held.held - (held.held & coalesce(redacted.named, 0)) as fields
    from manifest.held_records as held
    left join item_parts
        on
            held.record_type = item_parts.record_type
            and (held.row_id >> 5) = item_parts.part
    left join redacted
        on
            held.record_type = redacted.record_type
            and held.row_id = redacted.row_id
    where
        coalesce(item_parts.wholes & (cast(1 as bigint) << (held.row_id & 31)), 0) = 0
        and held.held <> (held.held & coalesce(redacted.named, 0))
),

not_told as (
    select
        missing_parts.record_type,
        missing_parts.part,
        missing_parts.records & ~coalesce(changed_parts.records, 0) as records
    from missing_parts
    left join changed_parts
        on
            missing_parts.record_type = changed_parts.record_type
            and missing_parts.part = changed_parts.part
),

suspects as (
    select
        uncovered.record_type,
        uncovered.row_id
    from uncovered
    inner join manifest.category_bits as categories
        on
            uncovered.record_type = categories.record_type
            and (uncovered.fields & categories.bits) <> 0
    inner join missing_parts
        on
            categories.record_type = missing_parts.record_type
            and categories.data_category = missing_parts.data_category
            and (uncovered.row_id >> 5) = missing_parts.part
    where (missing_parts.records & (cast(1 as bigint) << (uncovered.row_id & 31))) <> 0
    union
    select
        proposed.record_type,
        proposed.row_id
    from manifest.proposed as proposed
    inner join item_parts
        on
            proposed.record_type = item_parts.record_type
            and (proposed.row_id >> 5) = item_parts.part
    where item_parts.items <> bit_count(item_parts.records)
    union
    select
        redacted.record_type,
        redacted.row_id
    from redacted
    where redacted.is_repeated
    union
    select
        dispositions.record_type,
        dispositions.row_id
    from retention.dispositions as dispositions
    inner join not_told
        on
            dispositions.record_type = not_told.record_type
            and (dispositions.row_id >> 5) = not_told.part
            and (not_told.records & (cast(1 as bigint) << (dispositions.row_id & 31))) <> 0
    where not_told.records <> 0
),

due as (
    select
        dispositions.record_type,
        dispositions.row_id,
        bit_or(categories.bits) as fields
    from retention.dispositions as dispositions
    inner join suspects
        on
            dispositions.record_type = suspects.record_type
            and dispositions.row_id = suspects.row_id
    inner join manifest.category_bits as categories
        on
            dispositions.record_type = categories.record_type
            and dispositions.data_category = categories.data_category
    where dispositions.disposition = 'erase'
    group by dispositions.record_type, dispositions.row_id
),

ordered as (
    select
        records.record_type,
        records.row_id,
        bit_or(told.named) as fields
    from manifest.ordered_records as told
    inner join retention.records as records
        on
            told.record_type = records.record_type
            and told.record_key = records.record_key
    inner join suspects
        on
            records.record_type = suspects.record_type
            and records.row_id = suspects.row_id
    group by records.record_type, records.row_id
),

compared as (
    select
        due.record_type,
        due.row_id,
        due.fields as due,
        coalesce(ordered.fields, 0) as ordered,
        due.fields - (due.fields & coalesce(ordered.fields, 0)) as missing
    from due
    left join ordered
        on
            due.record_type = ordered.record_type
            and due.row_id = ordered.row_id
),

items as (
    select
        proposed.record_type,
        proposed.row_id,
        bool_or(proposed.action = 'erase') as is_whole,
        coalesce(bit_or(named.named), 0) as named,
        count(*) > 1 or coalesce(bool_or(named.is_repeated), false) as is_repeated
    from manifest.proposed as proposed
    inner join suspects
        on
            proposed.record_type = suspects.record_type
            and proposed.row_id = suspects.row_id
    left join named
        on
            proposed.record_type = named.record_type
            and proposed.fields = named.fields
    where proposed.action in ('erase', 'redact')
    group by proposed.record_type, proposed.row_id
),

doubted as (
    select
        compared.record_type,
        compared.row_id,
        compared.ordered,
        held.held & compared.due as due,
        held.held
    from manifest.held_records as held
    inner join compared
        on
            held.record_type = compared.record_type
            and held.row_id = compared.row_id
    left join items
        on
            held.record_type = items.record_type
            and held.row_id = items.row_id
    where
        coalesce(items.is_repeated, false)
        or (
            not coalesce(items.is_whole, false)
            and (held.held & compared.missing) <> (held.held & compared.missing & coalesce(items.named, 0))
        )
),

orders as (
    select
        proposed.record_type,
        proposed.row_id,
        unnest(proposed.fields) as field
    from manifest.proposed as proposed
    inner join doubted
        on
            proposed.record_type = doubted.record_type
            and proposed.row_id = doubted.row_id
    where proposed.action = 'redact'
    union all
    select
        proposed.record_type,
        proposed.row_id,
        bits.field
    from manifest.proposed as proposed
    inner join doubted
        on
            proposed.record_type = doubted.record_type
            and proposed.row_id = doubted.row_id
    inner join manifest.field_bits as bits
        on
            proposed.record_type = bits.record_type
            and (bits.bit & doubted.held) <> 0
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
)

select
    doubted.record_type,
    doubted.row_id
from doubted
inner join manifest.field_bits as bits
    on
        doubted.record_type = bits.record_type
        and (bits.bit & doubted.due) <> 0
left join told
    on
        doubted.record_type = told.record_type
        and doubted.row_id = told.row_id
        and bits.field = told.field
where
    coalesce(told.items, 0) > 1
    or (told.items is null and (bits.bit & doubted.ordered) = 0)
union all
select
    compared.record_type,
    compared.row_id
from compared
inner join manifest.category_bits as categories
    on
        compared.record_type = categories.record_type
        and (categories.bits & compared.missing) <> 0
where
    compared.missing <> 0
    and not exists (
        select 1 from manifest.changed_records as changed
        where
            changed.record_type = compared.record_type
            and changed.row_id = compared.row_id
    )
