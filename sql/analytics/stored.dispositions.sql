-- Beneath the views: what holds of a record's data category on the day of evaluation.
-- - record bigint: the record's number
-- - category integer: the category
-- - disposition enum: retain, restrict, review, erase or not_personal
-- - keep_until date: the last day of the latest active claim; null: none, or no end
-- - reasons varchar[]: codes that say why, beyond the claims; null: none
select
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
