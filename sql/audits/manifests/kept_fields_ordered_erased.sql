-- Items that would erase what is kept: a field whose category is not up for erasure, or a record of which any is not.
-- Grain: a record and category. Numbers have a bit per field; names that no contract knows are a category of their own.
with listed as (
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
        coalesce(bit_or(bits.bit), 0) as named,
        count(*) > count(bits.bit) as is_unknown
    from listed
    left join manifest.field_bits as bits
        on
            listed.record_type = bits.record_type
            and listed.field = bits.field
    group by listed.record_type, listed.fields
),

every_field as (
    select
        bits.record_type,
        bit_or(bits.bit) as named
    from manifest.field_bits as bits
    group by bits.record_type
),

orders as (
    select
        proposed.record_type,
        proposed.row_id,
        named.named,
        named.is_unknown
    from manifest.proposed as proposed
    inner join named
        on
            proposed.record_type = named.record_type
            and proposed.fields = named.fields
    where proposed.action = 'redact'
    union all
    select
        proposed.record_type,
        proposed.row_id,
        coalesce(every_field.named, 0) as named,
        every_field.named is null as is_unknown
    from manifest.proposed as proposed
    left join every_field on proposed.record_type = every_field.record_type
    where proposed.action = 'erase'
),

due as (
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

kept as (
    select
        orders.record_type,
        orders.row_id,
        orders.is_unknown,
        orders.named - (orders.named & coalesce(due.fields, 0)) as fields
    from orders
    left join due
        on
            orders.record_type = due.record_type
            and orders.row_id = due.row_id
)

select distinct
    kept.record_type,
    kept.row_id,
    categories.data_category
from kept
inner join manifest.category_bits as categories
    on
        kept.record_type = categories.record_type
        and (categories.bits & kept.fields) <> 0
where kept.fields <> 0
union all
select distinct
    kept.record_type,
    kept.row_id,
    cast(null as varchar) as data_category
from kept
where kept.is_unknown
