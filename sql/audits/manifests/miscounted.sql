-- Sealed manifests that do not hold as many items as they say, and items of a manifest that is not there. One that was
-- destroyed on its last day (no document any more) holds none.
with counted as (
    select
        items.manifest_id,
        count(*) as items,
        count(distinct items.item_id) as distinct_items
    from manifest.items as items
    group by items.manifest_id
)

select coalesce(manifests.manifest_id, counted.manifest_id) as manifest_id
from manifest.manifests as manifests
full outer join counted on manifests.manifest_id = counted.manifest_id
where
    (
        manifests.items is distinct from coalesce(counted.items, 0)
        and (manifests.manifest_id is null or manifests.document is not null)
    )
    or counted.items <> counted.distinct_items
