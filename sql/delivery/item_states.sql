-- Where each manifest item stands: by its own events, else by those of its manifest. Grain: a manifest item.
-- A view, so that it never lags behind the events. Most items have no event of their own: what they share is joined to
-- them as it stands, so that who asks for a state meets only the items of manifests that are in it.
-- due_on is the day by which something is to have happened; an acknowledgement that no export can show is the end
-- (is_open false), and stays an acknowledgement: sql/macros.sql says which and when.
with apart as (
    select distinct
        events.manifest_id,
        events.item_id
    from manifest.events
    where
        events.item_id is not null
        and events.state <> 'issued'
),

standing as (
    select
        items.manifest_id,
        items.item_id,
        items.system,
        items.record_type,
        items.record_key,
        items.action,
        items.fields,
        items.as_of,
        items.respond_by,
        common.state,
        common.on_day,
        common.happened_at,
        common.until,
        common.reason,
        common.by_whom,
        common.origin,
        common.detail,
        common.sequence,
        common.owner,
        common.next_sv,
        common.next_en
    from manifest.items
    inner join manifest.common_states as common on items.manifest_id = common.manifest_id
    left join apart
        on
            items.manifest_id = apart.manifest_id
            and items.item_id = apart.item_id
    where apart.item_id is null
    union all
    select
        items.manifest_id,
        items.item_id,
        items.system,
        items.record_type,
        items.record_key,
        items.action,
        items.fields,
        items.as_of,
        items.respond_by,
        own.state,
        own.on_day,
        own.happened_at,
        own.until,
        own.reason,
        own.by_whom,
        own.origin,
        own.detail,
        own.sequence,
        own.owner,
        own.next_sv,
        own.next_en
    from manifest.items
    inner join manifest.own_states as own
        on
            items.manifest_id = own.manifest_id
            and items.item_id = own.item_id
),

named as (
    select
        standing.*,
        is_acknowledged(standing.action, standing.state) as is_acknowledged
    from standing
)

select
    named.manifest_id,
    named.item_id,
    named.system,
    named.record_type,
    named.record_key,
    named.action,
    named.fields,
    named.as_of,
    named.respond_by,
    named.state,
    coalesce(named.on_day, named.as_of) as since,
    named.happened_at,
    named.until,
    named.reason,
    named.by_whom,
    named.origin,
    named.detail,
    named.sequence,
    falls_due_on(named.state, named.on_day, named.until, named.respond_by) as due_on,
    not named.is_acknowledged and named.state not in ('verified', 'cancelled') as is_open,
    case when named.is_acknowledged then 'nobody' else named.owner end as owner,
    case
        when named.is_acknowledged then 'Inget: kvitterat; ingen export kan visa det.'
        else named.next_sv
    end as next_sv,
    case
        when named.is_acknowledged then 'Nothing: acknowledged; no export can show it.'
        else named.next_en
    end as next_en
from named
