-- Sealed manifests that do not hold as many items as they say, and items of a manifest that is not there. One that was
-- destroyed on its last day (no document any more) holds none.
-- Numbers find the items that may be the same, and only these are compared word by word: items stay for years.
with counted as (
    select
        items.manifest_id,
        count(*) as items,
        count(items.item_id) as item_ids
    from manifest.items as items
    group by items.manifest_id
),

alike as (
    select hash(items.manifest_id, items.item_id) as number
    from manifest.items as items
    group by hash(items.manifest_id, items.item_id)
    having count(*) > 1
),

repeated as (
    select distinct same.manifest_id
    from (
        select
            items.manifest_id,
            items.item_id
        from manifest.items as items
        inner join alike on hash(items.manifest_id, items.item_id) = alike.number
        group by items.manifest_id, items.item_id
        having count(*) > 1
    ) as same
)

select coalesce(manifests.manifest_id, counted.manifest_id) as manifest_id
from manifest.manifests as manifests
full outer join counted on manifests.manifest_id = counted.manifest_id
left join repeated on counted.manifest_id = repeated.manifest_id
where
    (
        manifests.items is distinct from coalesce(counted.items, 0)
        and (manifests.manifest_id is null or manifests.document is not null)
    )
    or counted.items <> counted.item_ids
    or repeated.manifest_id is not null
