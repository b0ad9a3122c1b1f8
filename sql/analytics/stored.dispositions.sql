-- Beneath the views: what holds of a record's data category on the day of evaluation.
-- - record bigint: the record's number
-- - category integer: the category
-- - disposition enum: retain, restrict, review, erase or not_personal
-- - has_value boolean: whether one of its fields holds a value
-- - keep_until date: the last day of the latest active claim; null: none, or no end
-- - reasons varchar[]: codes that say why, beyond the claims; null: none
-- Which records hold a value in a category stands in numbers of thirty-two bits, one a surrogate.
with numbered as (
    select
        dispositions.row_id,
        dispositions.row_id * types.types + types.type as record,
        categories.category,
        dispositions.disposition,
        dispositions.keep_until,
        dispositions.reasons
    from retention.dispositions
    inner join published.stored.categories
        on
            dispositions.record_type = categories.record_type
            and dispositions.data_category = categories.data_category
    inner join published.stored.record_types as types on categories.type = types.type
)

select
    numbered.record,
    numbered.category,
    numbered.disposition,
    coalesce((held.records >> (numbered.row_id & 31)) & 1 = 1, false) as has_value,
    numbered.keep_until,
    numbered.reasons
from numbered
left join publication.held_parts as held
    on
        numbered.category = held.category_id
        and (numbered.row_id >> 5) = held.part
