-- Beneath the views: the fields of each data category.
-- - category integer: the category
-- - field varchar: the canonical column
select
    categories.category,
    fields.field
from policy.fields
inner join published.stored.categories
    on
        fields.record_type = categories.record_type
        and fields.data_category = categories.data_category
inner join published.stored.record_types as types
    on
        fields.record_type = types.record_type
        and fields.source = types.source
