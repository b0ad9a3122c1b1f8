-- Where each manifest item stands: its last event, or that of its manifest where it is later and the step from the
-- item's own state leads there. Grain: a manifest item. A view, so that it never lags behind the events.
-- due_on is the day by which something is to have happened: the day postponed to, else thirty days after a refusal, a
-- discrepancy or a part kept, else the day to answer. No export can show a restriction, a lift or a notice: their
-- acknowledgement is the end (is_open false), and stays an acknowledgement.
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
),

named as (
    select
        standing.*,
        coalesce(standing.latest.state, 'issued') as state,
        standing.action in ('restrict', 'lift', 'notify')
        and coalesce(standing.latest.state in ('done', 'already_absent'), false) as is_acknowledged
    from standing
)

select
    named.manifest_id,
    named.item_id,
    named.system,
    named.record_type,
    named.record_key,
    named.action,
    named.as_of,
    named.respond_by,
    named.state,
    coalesce(named.latest.on_day, named.as_of) as since,
    named.latest.happened_at,
    named.latest.until,
    named.latest.reason,
    named.latest.by_whom,
    named.latest.origin,
    named.latest.detail,
    coalesce(named.latest.sequence, 0) as sequence,
    case
        when named.latest.until is not null then named.latest.until
        when named.state in ('refused', 'discrepancy', 'partly_retained') then named.latest.on_day + 30
        else named.respond_by
    end as due_on,
    not named.is_acknowledged and named.state not in ('verified', 'cancelled') as is_open,
    case when named.is_acknowledged then 'nobody' else states.owner end as owner,
    case
        when named.is_acknowledged then 'Inget: kvitterat; ingen export kan visa det.'
        else states.next_sv
    end as next_sv,
    case
        when named.is_acknowledged then 'Nothing: acknowledged; no export can show it.'
        else states.next_en
    end as next_en
from named
left join manifest.states as states on named.state = states.state
