-- Which records differ from what they were told, read record by record: what changed_records.sql finds by sets of
-- them. Its columns and its meaning are told there.
with decided as (
    select
        dispositions.record_type,
        dispositions.row_id,
        min(case when dispositions.disposition = 'erase' then 1 else 0 end) = 1 as is_whole,
        bit_or(case when dispositions.disposition = 'erase' then categories.bits else 0 end) as erase,
        bit_or(case when dispositions.disposition = 'restrict' then categories.bits else 0 end) as restrict,
        bit_or(case when dispositions.disposition in ('retain', 'not_personal') then categories.bits else 0 end)
            as retain
    from retention.dispositions
    inner join manifest.category_bits as categories
        on
            dispositions.record_type = categories.record_type
            and dispositions.data_category = categories.data_category
    group by
        dispositions.record_type,
        dispositions.row_id
),

known as (
    select
        fields.record_type,
        bit_or(fields.bit) as bits
    from manifest.field_bits as fields
    group by fields.record_type
),

due as (
    select fallen.item_id
    from manifest.fallen_due as fallen
    inner join retention.evaluation as evaluation
        on fallen.as_of = evaluation.as_of
),

told as (
    select
        words.record_type,
        words.record_key,
        bit_or(
            case when words.state = 'restrict' and recalled.item_id is null then words.named & known.bits else 0 end
        ) as restricted,
        bit_or(case when words.state = 'erase' and recalled.item_id is null then words.named & known.bits else 0 end)
            as erased,
        bit_or(
            case
                when words.state = 'erase' and words.action = 'erase' and recalled.item_id is null
                    then words.named & known.bits
                else 0
            end
        ) as erased_whole,
        bit_or(
            case when words.state = 'erase' and recalled.item_id is not null then words.named & known.bits else 0 end
        ) as recalled,
        bit_or(
            case when words.state = 'restrict' and recalled.item_id is not null then words.named & known.bits else 0 end
        ) as recalled_restricted
    from manifest.told as words
    inner join known on words.record_type = known.record_type
    left join due
        on words.item_id = due.item_id
    left join manifest.recalled_orders as recalled
        on words.item_id = recalled.item_id
    where due.item_id is null
    group by
        words.record_type,
        words.record_key
),

compared as (
    select
        decided.record_type,
        records.source,
        decided.row_id,
        records.record_key,
        decided.is_whole,
        coalesce(told.erased_whole, 0) <> 0 as was_ordered_whole,
        decided.erase,
        decided.restrict,
        decided.retain,
        coalesce(told.erased, 0)
        | (coalesce(told.recalled, 0) - (coalesce(told.recalled, 0) & decided.erase)) as told_erase,
        coalesce(told.restricted, 0)
        | (
            coalesce(told.recalled_restricted, 0) - (coalesce(told.recalled_restricted, 0) & decided.restrict)
        ) as told_restrict
    from decided
    inner join retention.records
        on
            decided.record_type = records.record_type
            and decided.row_id = records.row_id
    left join told
        on
            records.record_type = told.record_type
            and records.record_key = told.record_key
)

select
    compared.record_type,
    compared.source,
    compared.row_id,
    compared.record_key,
    compared.is_whole,
    compared.was_ordered_whole,
    compared.erase,
    compared.restrict,
    compared.retain,
    compared.told_erase,
    compared.told_restrict
from compared
where
    (compared.erase & compared.told_erase) <> compared.erase
    or (compared.restrict & compared.told_restrict) <> compared.restrict
    or (compared.retain & (compared.told_erase | compared.told_restrict)) <> 0
    or (compared.is_whole and not compared.was_ordered_whole)
