-- What the exports settle, and how. Grain: an item. Reads two working tables of the settlement: proving_exports, and
-- looked_up: of each order that still stands, what its record holds of what was ordered.
-- An export proves of an item when it was extracted after the item was delivered; a record that is there, when so was
-- the delivery that last said something about it. Acknowledged or verified is who has an event that says so: the state
-- is asked of the few that could be settled.
with delivered as (
    select
        events.manifest_id,
        events.item_id,
        min(coalesce(events.happened_at, events.on_day + interval 1 day)) as delivered_at
    from manifest.events
    where events.state = 'delivered'
    group by
        events.manifest_id,
        events.item_id
),

said as (
    select
        deliveries.source,
        deliveries.delivery_id,
        max(deliveries.extracted_at) as extracted_at
    from intake.deliveries
    where deliveries.status = 'loaded'
    group by
        deliveries.source,
        deliveries.delivery_id
),

settleable as (
    select looked_up.*
    from looked_up
    where
        looked_up.held = 0
        and not exists (
            select 1
            from manifest.events
            where
                events.item_id = looked_up.item_id
                and events.state = 'verified'
        )
    union all
    select looked_up.*
    from looked_up
    where
        looked_up.held <> 0
        and (
            looked_up.item_id in (
                select events.item_id
                from manifest.events
                where
                    events.item_id is not null
                    and events.state in ('done', 'already_absent', 'partly_retained', 'verified')
            )
            or exists (
                select 1
                from manifest.events
                where
                    events.item_id is null
                    and events.state in ('done', 'already_absent', 'partly_retained', 'verified')
            )
        )
),

compared as (
    select
        states.manifest_id,
        states.item_id,
        states.system,
        states.state,
        exports.delivery_id,
        settleable.record_type,
        settleable.is_successor,
        settleable.named,
        settleable.held
    from settleable
    inner join manifest.item_states as states on settleable.item_id = states.item_id
    inner join proving_exports as exports
        on
            settleable.record_type = exports.record_type
            and states.system = exports.source
    left join delivered as own
        on
            states.manifest_id = own.manifest_id
            and states.item_id = own.item_id
    left join delivered as common
        on
            states.manifest_id = common.manifest_id
            and common.item_id is null
    left join said
        on
            exports.source = said.source
            and settleable.said_in = said.delivery_id
    where
        states.action in ('erase', 'redact')
        and states.state not in ('issued', 'approved', 'cancelled')
        and exports.extracted_at > least(own.delivered_at, common.delivered_at)
        and (not settleable.in_source or said.extracted_at > least(own.delivered_at, common.delivered_at))
),

judged as (
    select
        compared.*,
        case
            when compared.held = 0 and compared.state <> 'verified' then 'verified'
            when compared.held <> 0 and compared.state = 'verified' and not compared.is_successor then 'returned'
            when compared.held <> 0 and compared.state in ('done', 'already_absent') then 'discrepancy'
            when compared.held = compared.named and compared.state = 'partly_retained' then 'discrepancy'
        end as outcome,
        case
            when compared.held <> 0 and compared.is_successor then 'merged_into_another'
            when compared.held <> 0 and compared.state = 'verified' then 'there_again'
            when compared.held = compared.named then 'still_there'
            when compared.held <> 0 then 'partly_there'
        end as reason
    from compared
)

select judged.*
from judged
where judged.outcome is not null
