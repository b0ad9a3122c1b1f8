-- Items that may be open still of records of which a later order about the whole was verified, in the month before
-- $as_of: what is closed is closed the night on which that was seen, and nobody looks through the items of all years
-- each night. Grain: an item.
-- Only what was sealed before that order: of a record that came back since, what is there is ordered anew.
with erased as (
    select
        items.system,
        items.record_type,
        items.record_key,
        max(manifests.sequence) as sequence
    from manifest.events
    inner join manifest.items
        on
            events.item_id = items.item_id
            and events.manifest_id = items.manifest_id
    inner join manifest.manifests on items.manifest_id = manifests.manifest_id
    where
        events.state = 'verified'
        and events.on_day > cast($as_of as date) - interval 31 day
        and items.action = 'erase'
    group by
        items.system,
        items.record_type,
        items.record_key
)

select items.item_id
from manifest.items
inner join manifest.manifests on items.manifest_id = manifests.manifest_id
inner join erased
    on
        items.record_type = erased.record_type
        and items.record_key = erased.record_key
        and items.system = erased.system
where
    items.action <> 'notify'
    and manifests.sequence < erased.sequence
    and not exists (
        select 1
        from manifest.events
        where
            events.item_id = items.item_id
            and (
                events.state in ('verified', 'cancelled')
                or (events.state in ('done', 'already_absent') and items.action in ('restrict', 'lift'))
            )
    )
