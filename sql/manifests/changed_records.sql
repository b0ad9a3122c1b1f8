-- Records with a category that may differ from what their source was last told, their fields as numbers with a bit per
-- field. Grain: a record in the sources now. Only of these is looked up what they hold.
-- erase, restrict, retain: what is decided (what turns out to be a company's own is in use, as what is retained: an
-- order that was told of it is taken back); told_erase, told_restrict: what was told. is_whole: every category is
-- `erase`. was_ordered_whole: an item about the whole record still stands. What no manifest named counts as `retain`.
-- What was told is no table of its own: stored numbers of its width are dear to read.
-- An order that is to be told anew on the day counts as not told. One that was taken back after its delivery was cut
-- off, or whose lift was, counts as not told where it is still to go, and as told where it is not: its source may have
-- it. So does a restriction.
-- Thirty-two surrogates are the bits of one number: what was decided of a category and what was told with the same
-- words meet as sets of records. Sets find each record that may differ (more than do, never fewer), and only these are
-- compared field by field.
with decided_parts as (
    select
        dispositions.record_type,
        dispositions.data_category,
        dispositions.row_id >> 5 as part,
        bit_or(
            case when dispositions.disposition = 'erase' then cast(1 as bigint) << (dispositions.row_id & 31) else 0 end
        ) as erase,
        bit_or(
            case
                when dispositions.disposition = 'restrict' then cast(1 as bigint) << (dispositions.row_id & 31)
                else 0
            end
        ) as restrict,
        bit_or(
            case
                when dispositions.disposition in ('retain', 'not_personal')
                    then cast(1 as bigint) << (dispositions.row_id & 31)
                else 0
            end
        ) as retain,
        bit_or(cast(1 as bigint) << (dispositions.row_id & 31)) as records
    from retention.dispositions
    group by
        dispositions.record_type,
        dispositions.data_category,
        dispositions.row_id >> 5
),

decided_fields as (
    select
        decided_parts.record_type,
        decided_parts.data_category,
        decided_parts.part,
        decided_parts.erase,
        decided_parts.restrict,
        decided_parts.retain,
        decided_parts.records,
        categories.bits
    from decided_parts
    inner join manifest.category_bits as categories
        on
            decided_parts.record_type = categories.record_type
            and decided_parts.data_category = categories.data_category
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

words as (
    select
        told.record_type,
        told.record_key,
        told.state,
        told.action,
        told.named,
        recalled.item_id is not null as is_recalled
    from manifest.told
    left join due
        on told.item_id = due.item_id
    left join manifest.recalled_orders as recalled
        on told.item_id = recalled.item_id
    where due.item_id is null
),

told_parts as (
    select
        words.record_type,
        words.state,
        words.action,
        words.named,
        words.is_recalled,
        records.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (records.row_id & 31)) as records
    from words
    inner join retention.records
        on
            words.record_type = records.record_type
            and words.record_key = records.record_key
    group by
        words.record_type,
        words.state,
        words.action,
        words.named,
        words.is_recalled,
        records.row_id >> 5
),

told_fields as (
    select
        told_parts.record_type,
        told_parts.part,
        told_parts.state,
        told_parts.action,
        told_parts.is_recalled,
        told_parts.records,
        told_parts.named & known.bits as named
    from told_parts
    inner join known on told_parts.record_type = known.record_type
),

-- which records were told a category whole, by one order; which were told anything of it
told_categories as (
    select
        told.record_type,
        categories.data_category,
        told.part,
        bit_or(
            case
                when told.state = 'erase' and not told.is_recalled and (told.named & categories.bits) = categories.bits
                    then told.records
                else 0
            end
        ) as erased,
        bit_or(
            case
                when
                    told.state = 'restrict' and not told.is_recalled
                    and (told.named & categories.bits) = categories.bits
                    then told.records
                else 0
            end
        ) as restricted,
        bit_or(case when told.state in ('erase', 'restrict') then told.records else 0 end) as named
    from told_fields as told
    inner join manifest.category_bits as categories
        on
            told.record_type = categories.record_type
            and (told.named & categories.bits) <> 0
    group by
        told.record_type,
        categories.data_category,
        told.part
),

told_whole as (
    select
        told.record_type,
        told.part,
        bit_or(told.records) as records
    from told_fields as told
    where told.state = 'erase' and told.action = 'erase' and not told.is_recalled and told.named <> 0
    group by
        told.record_type,
        told.part
),

compared_parts as (
    select
        decided.record_type,
        decided.part,
        bit_or(
            (decided.erase & ~coalesce(told.erased, 0))
            | (decided.restrict & ~coalesce(told.restricted, 0))
            | (decided.retain & coalesce(told.named, 0))
        ) as records,
        bit_or(decided.erase) as erase,
        bit_or(decided.records & ~decided.erase) as others
    from decided_fields as decided
    left join told_categories as told
        on
            decided.record_type = told.record_type
            and decided.data_category = told.data_category
            and decided.part = told.part
    group by
        decided.record_type,
        decided.part
),

doubted_parts as (
    select
        compared.record_type,
        compared.part,
        compared.records | (compared.erase & ~compared.others & ~coalesce(told_whole.records, 0)) as records
    from compared_parts as compared
    left join told_whole
        on
            compared.record_type = told_whole.record_type
            and compared.part = told_whole.part
),

doubted as (
    select
        doubted_parts.record_type,
        doubted_parts.part,
        cast(1 as bigint) << (records.row_id & 31) as bit,
        records.source,
        records.row_id,
        records.record_key
    from retention.records
    inner join doubted_parts
        on
            records.record_type = doubted_parts.record_type
            and (records.row_id >> 5) = doubted_parts.part
            and (doubted_parts.records & (cast(1 as bigint) << (records.row_id & 31))) <> 0
    where doubted_parts.records <> 0
),

decided as (
    select
        doubted.record_type,
        doubted.row_id,
        min(case when (decided_fields.erase & doubted.bit) <> 0 then 1 else 0 end) = 1 as is_whole,
        bit_or(case when (decided_fields.erase & doubted.bit) <> 0 then decided_fields.bits else 0 end) as erase,
        bit_or(case when (decided_fields.restrict & doubted.bit) <> 0 then decided_fields.bits else 0 end) as restrict,
        bit_or(case when (decided_fields.retain & doubted.bit) <> 0 then decided_fields.bits else 0 end) as retain
    from doubted
    inner join decided_fields
        on
            doubted.record_type = decided_fields.record_type
            and doubted.part = decided_fields.part
            and (decided_fields.records & doubted.bit) <> 0
    group by
        doubted.record_type,
        doubted.row_id
),

told as (
    select
        doubted.record_type,
        doubted.row_id,
        bit_or(case when told.state = 'restrict' and not told.is_recalled then told.named else 0 end) as restricted,
        bit_or(case when told.state = 'erase' and not told.is_recalled then told.named else 0 end) as erased,
        bit_or(
            case when told.state = 'erase' and told.action = 'erase' and not told.is_recalled then told.named else 0 end
        ) as erased_whole,
        bit_or(case when told.state = 'erase' and told.is_recalled then told.named else 0 end) as recalled,
        bit_or(case when told.state = 'restrict' and told.is_recalled then told.named else 0 end)
            as recalled_restricted
    from doubted
    inner join told_fields as told
        on
            doubted.record_type = told.record_type
            and doubted.part = told.part
            and (told.records & doubted.bit) <> 0
    group by
        doubted.record_type,
        doubted.row_id
),

compared as (
    select
        doubted.record_type,
        doubted.source,
        doubted.row_id,
        doubted.record_key,
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
    from doubted
    inner join decided
        on
            doubted.record_type = decided.record_type
            and doubted.row_id = decided.row_id
    left join told
        on
            doubted.record_type = told.record_type
            and doubted.row_id = told.row_id
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
