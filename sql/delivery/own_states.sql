-- Where the items stand that have events of their own: the last of them, or that of the manifest where it is later and
-- the step from the item's own state leads there. Grain: an item with events of its own, known or not.
-- What is to be done next of a merged record goes by its reason.
-- A view, so that it never lags behind the events.
with own_events as (
    select
        events.manifest_id,
        events.item_id,
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
    where
        events.item_id is not null
        and events.state <> 'issued'
    group by
        events.manifest_id,
        events.item_id
),

manifest_events as (
    select
        events.manifest_id,
        events.state,
        {
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
        } as latest
    from manifest.events
    where events.item_id is null
),

moved_on as (
    select
        own_events.manifest_id,
        own_events.item_id,
        max(manifest_events.latest) as latest
    from own_events
    inner join manifest_events on own_events.manifest_id = manifest_events.manifest_id
    inner join manifest.state_steps as steps
        on
            own_events.latest.state = steps.state
            and manifest_events.state = steps.following
    where manifest_events.latest.sequence > own_events.latest.sequence
    group by
        own_events.manifest_id,
        own_events.item_id
),

placed as (
    select
        own_events.manifest_id,
        own_events.item_id,
        coalesce(moved_on.latest, own_events.latest) as latest
    from own_events
    left join moved_on
        on
            own_events.manifest_id = moved_on.manifest_id
            and own_events.item_id = moved_on.item_id
)

select
    placed.manifest_id,
    placed.item_id,
    placed.latest.state,
    placed.latest.on_day,
    placed.latest.happened_at,
    placed.latest.until,
    placed.latest.reason,
    placed.latest.by_whom,
    placed.latest.origin,
    placed.latest.detail,
    placed.latest.sequence,
    states.owner,
    states.next_sv,
    states.next_en
from placed
left join manifest.states as states
    on
        states.state = case
            when placed.latest.state = 'discrepancy' and placed.latest.reason = 'merged_into_another'
                then placed.latest.reason
            else placed.latest.state
        end
