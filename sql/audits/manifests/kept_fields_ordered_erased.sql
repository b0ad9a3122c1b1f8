-- Items that would erase what is kept: a field whose category is not up for erasure, or a record of which any is not.
-- Grain: a record and category. Numbers have a bit per field; names that no contract knows are a category of their own.
-- Thirty-two surrogates are the bits of another: which records of a category are up for erasure is looked up there.
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

erased as (
    select
        dispositions.record_type,
        dispositions.data_category,
        dispositions.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (dispositions.row_id & 31)) as records
    from retention.dispositions as dispositions
    where dispositions.disposition = 'erase'
    group by dispositions.record_type, dispositions.data_category, dispositions.row_id >> 5
),

whole_parts as (
    select
        proposed.record_type,
        proposed.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (proposed.row_id & 31)) as records
    from manifest.proposed as proposed
    where proposed.action = 'erase'
    group by proposed.record_type, proposed.row_id >> 5
),

kept_parts as (
    select
        whole_parts.record_type,
        categories.data_category,
        whole_parts.part,
        whole_parts.records & ~coalesce(erased.records, 0) as records
    from whole_parts
    inner join manifest.category_bits as categories on whole_parts.record_type = categories.record_type
    left join erased
        on
            categories.record_type = erased.record_type
            and categories.data_category = erased.data_category
            and whole_parts.part = erased.part
),

redacted as (
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
)

select
    proposed.record_type,
    proposed.row_id,
    kept_parts.data_category
from manifest.proposed as proposed
inner join kept_parts
    on
        proposed.record_type = kept_parts.record_type
        and (proposed.row_id >> 5) = kept_parts.part
        and (kept_parts.records & (cast(1 as bigint) << (proposed.row_id & 31))) <> 0
where proposed.action = 'erase' and kept_parts.records <> 0
union
select
    redacted.record_type,
    redacted.row_id,
    categories.data_category
from redacted
inner join manifest.category_bits as categories
    on
        redacted.record_type = categories.record_type
        and (redacted.named & categories.bits) <> 0
left join erased
    on
        categories.record_type = erased.record_type
        and categories.data_category = erased.data_category
        and (redacted.row_id >> 5) = erased.part
where coalesce(erased.records & (cast(1 as bigint) << (redacted.row_id & 31)), 0) = 0
union
select
    redacted.record_type,
    redacted.row_id,
    cast(null as varchar) as data_category
from redacted
where redacted.is_unknown
union
select
    proposed.record_type,
    proposed.row_id,
    cast(null as varchar) as data_category
from manifest.proposed as proposed
left join manifest.category_bits as categories on proposed.record_type = categories.record_type
where proposed.action = 'erase' and (categories.record_type is null or proposed.row_id is null)
