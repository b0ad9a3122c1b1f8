-- Fields that hold a value and are up for erasure, but were neither ordered erased before nor are in exactly one item;
-- and records up for erasure whose source was not told everything, and that were not looked at for news.
-- Numbers with a bit per field find the records in doubt; only of these are there rows of fields.
with due as (
    select
        dispositions.record_type,
        dispositions.row_id,
        bit_or(categories.bits) as fields
    from retention.dispositions as dispositions
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

items as (
    select
        proposed.record_type,
        proposed.row_id,
        bool_or(proposed.action = 'erase') as is_whole,
        coalesce(bit_or(named.named), 0) as named,
        count(*) > 1 or coalesce(bool_or(named.is_repeated), false) as is_repeated
    from manifest.proposed as proposed
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
