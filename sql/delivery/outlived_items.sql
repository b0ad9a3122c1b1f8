-- Items that may be open still of records of which a later order about the whole was verified. Grain: an item.
-- Only what was sealed before that order: of a record that came back since, what is there is ordered anew.
-- Starts from the few that have not come to their end.
with waiting as (
    select
        items.item_id,
        items.system,
        items.record_type,
        items.record_key,
        manifests.sequence
    from manifest.items
    inner join manifest.manifests on items.manifest_id = manifests.manifest_id
    where
        items.action <> 'notify'
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
),

later as (
    select
        waiting.item_id,
        erasures.item_id as erasure_id
    from waiting
    inner join manifest.items as erasures
        on
            waiting.record_type = erasures.record_type
            and waiting.record_key = erasures.record_key
            and waiting.system = erasures.system
    inner join manifest.manifests on erasures.manifest_id = manifests.manifest_id
    where
        erasures.action = 'erase'
        and manifests.sequence > waiting.sequence
)

select distinct later.item_id
from later
where
    later.erasure_id in (
        select events.item_id
        from manifest.events
        where
            events.item_id is not null
            and events.state = 'verified'
    )
