-- Beneath the views: an item of a sealed deletion manifest.
-- - item_id varchar: the item
-- - record_key varchar: the source system's own key of the record
-- - told integer: what it has in common with others
select
    items.item_id,
    items.record_key,
    told.told
from manifest.items
inner join published.stored.told
    on
        items.manifest_id = told.manifest_id
        and items.system is not distinct from told.system
        and items.record_type is not distinct from told.record_type
        and items.action is not distinct from told.action
        and items.fields is not distinct from told.fields
        and items.as_of is not distinct from told.as_of
        and items.respond_by is not distinct from told.respond_by
