-- Items that were delivered and are overtaken. Grain: an item.
-- An ordered erasure that a lift or a restriction has chased: it is not done, and of its every field the system has
-- been told otherwise since by an item that it has acknowledged. As long as the system has not said that it heard of
-- the lift, or has refused it, the order is its last word.
-- And whatever is open of a record of which a later order about the whole was verified (outlived_items, a working table
-- of the re-check): nobody can do it any more, and no export can show it.
with chased as (
    select
        replaced.told_by as item_id,
        count(distinct replaced.field) as fields,
        count(distinct replaced.field) filter (where newer.state in ('done', 'already_absent', 'verified')) as told
    from manifest.replaced_fields as replaced
    inner join manifest.item_states as newer on replaced.item_id = newer.item_id
    group by replaced.told_by
)

select
    states.manifest_id,
    states.item_id,
    states.system
from manifest.item_states as states
inner join chased on states.item_id = chased.item_id
where
    states.state in ('delivered', 'accepted', 'queued', 'partly_retained', 'refused', 'withheld', 'overdue')
    and chased.fields = chased.told
    and not exists (
        select 1
        from manifest.told as sealed
        where sealed.item_id = states.item_id
    )
union
select
    states.manifest_id,
    states.item_id,
    states.system
from manifest.item_states as states
inner join outlived_items as outlived on states.item_id = outlived.item_id
where
    states.is_open
    and states.state not in ('issued', 'approved')
