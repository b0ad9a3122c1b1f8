-- Where the items of a manifest stand that have no event of their own: the manifest's last event, or issued.
-- Grain: a manifest with items. A view, so that it never lags behind the events.
with latest_events as (
    select
        events.manifest_id,
        max({
            'sequence': coalesce(events.sequence, 0),
            'on_day': events.on_day,
            'turn': events.rowid,
            'state': events.state,
            'happened_at': events.happened_at,
            'reason': events.reason,
            'until': events.until,
            'by_whom': events.by_whom,
            'origin': events.origin,
            'detail': events.detail
        }) as latest
    from manifest.events
    where events.item_id is null
    group by events.manifest_id
),

named as (
    select distinct items.manifest_id
    from manifest.items
),

placed as (
    select
        named.manifest_id,
        coalesce(latest_events.latest.state, 'issued') as state,
        latest_events.latest
    from named
    left join latest_events on named.manifest_id = latest_events.manifest_id
)

select
    placed.manifest_id,
    placed.state,
    placed.latest.on_day,
    placed.latest.happened_at,
    placed.latest.until,
    placed.latest.reason,
    placed.latest.by_whom,
    placed.latest.origin,
    placed.latest.detail,
    coalesce(placed.latest.sequence, 0) as sequence,
    states.owner,
    states.next_sv,
    states.next_en
from placed
left join manifest.states as states on placed.state = states.state
