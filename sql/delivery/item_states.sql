-- Where each manifest item stands: its last event, or that of its manifest where it is later and the step from the
-- item's own state leads there. Grain: a manifest item. A view, so that it never lags behind the events.
-- due_on is the day on which something is to have happened: the postponement's, else the day to answer.
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

common as (
    select
        manifest_events.manifest_id,
        max(manifest_events.latest) as latest
    from manifest_events
    group by manifest_events.manifest_id
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

standing as (
    select
        items.manifest_id,
        items.item_id,
        items.system,
        items.record_type,
        items.record_key,
        items.action,
        items.as_of,
        items.respond_by,
        case
            when moved_on.item_id is not null then moved_on.latest
            when own_events.item_id is not null then own_events.latest
            else common.latest
        end as latest
    from manifest.items
    left join own_events
        on
            items.manifest_id = own_events.manifest_id
            and items.item_id = own_events.item_id
    left join moved_on
        on
            items.manifest_id = moved_on.manifest_id
            and items.item_id = moved_on.item_id
    left join common on items.manifest_id = common.manifest_id
)

select
    standing.manifest_id,
    standing.item_id,
    standing.system,
    standing.record_type,
    standing.record_key,
    standing.action,
    standing.as_of,
    standing.respond_by,
    coalesce(standing.latest.state, 'issued') as state,
    coalesce(standing.latest.on_day, standing.as_of) as since,
    standing.latest.happened_at,
    standing.latest.until,
    standing.latest.reason,
    standing.latest.by_whom,
    standing.latest.origin,
    standing.latest.detail,
    coalesce(standing.latest.sequence, 0) as sequence,
    coalesce(standing.latest.until, standing.respond_by) as due_on,
    states.owner,
    states.next_sv,
    states.next_en
from standing
left join manifest.states as states on coalesce(standing.latest.state, 'issued') = states.state
