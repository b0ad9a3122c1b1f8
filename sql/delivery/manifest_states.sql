-- How many items of each manifest and action stand where: what item_states says, counted. Grain: a manifest, system,
-- action and state. A view. Only items with events of their own are looked at one by one; the others are counted.
-- since is the last day on which one of them got there.
with totals as (
    select
        items.manifest_id,
        items.system,
        items.action,
        items.as_of,
        count(*) as items
    from manifest.items
    group by
        items.manifest_id,
        items.system,
        items.action,
        items.as_of
),

own as (
    select
        items.manifest_id,
        items.system,
        items.action,
        items.as_of,
        states.state,
        states.on_day,
        states.owner,
        count(*) as items
    from manifest.own_states as states
    inner join manifest.items
        on
            states.manifest_id = items.manifest_id
            and states.item_id = items.item_id
    group by
        items.manifest_id,
        items.system,
        items.action,
        items.as_of,
        states.state,
        states.on_day,
        states.owner
),

apart as (
    select
        own.manifest_id,
        own.system,
        own.action,
        own.as_of,
        sum(own.items) as items
    from own
    group by
        own.manifest_id,
        own.system,
        own.action,
        own.as_of
),

standing as (
    select
        totals.manifest_id,
        totals.system,
        totals.action,
        common.state,
        common.owner,
        coalesce(common.on_day, totals.as_of) as since,
        totals.items - coalesce(apart.items, 0) as items
    from totals
    inner join manifest.common_states as common on totals.manifest_id = common.manifest_id
    left join apart
        on
            totals.manifest_id = apart.manifest_id
            and totals.system is not distinct from apart.system
            and totals.action is not distinct from apart.action
            and totals.as_of is not distinct from apart.as_of
    union all
    select
        own.manifest_id,
        own.system,
        own.action,
        own.state,
        own.owner,
        coalesce(own.on_day, own.as_of) as since,
        own.items
    from own
),

counted as (
    select
        standing.manifest_id,
        standing.system,
        standing.action,
        standing.state,
        standing.owner,
        max(standing.since) as since,
        sum(standing.items) as items
    from standing
    where standing.items > 0
    group by
        standing.manifest_id,
        standing.system,
        standing.action,
        standing.state,
        standing.owner
),

named as (
    select
        counted.*,
        is_acknowledged(counted.action, counted.state) as is_acknowledged
    from counted
)

select
    named.manifest_id,
    named.system,
    named.action,
    named.state,
    named.since,
    not named.is_acknowledged and named.state not in ('verified', 'cancelled') as is_open,
    case when named.is_acknowledged then 'nobody' else named.owner end as owner,
    cast(named.items as bigint) as items
from named
