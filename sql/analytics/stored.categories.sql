-- Beneath the views: the data categories of each kind of record, numbered.
-- - category integer: the category's number
-- - type integer: the kind of record
-- - record_type varchar: what the records are
-- - data_category varchar: the group of fields that share their fate
select
    cast(categories.category_id as integer) as category,
    types.type,
    categories.record_type,
    categories.data_category
from policy.categories
inner join published.stored.record_types as types on categories.record_type = types.record_type
