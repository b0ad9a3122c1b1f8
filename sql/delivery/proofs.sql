-- What the exports settle, and how. Grain: an item. Reads two working tables of the settlement: proving_exports, and
-- settleable_items, with what their records hold of what was ordered.
-- An export proves of an item when it was extracted after the item was delivered; a record that is there, when so was
-- the delivery that last said something about it. What a contract leaves out since the item was sealed is no proof:
-- where the key or an ordered field is read in another way, nothing is verified; where other rows are in scope, only
-- what was seen among them.
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

read_otherwise as (
    select distinct settleable_items.item_id
    from settleable_items
    inner join manifest.item_states as states on settleable_items.item_id = states.item_id
    inner join manifest.manifests on states.manifest_id = manifests.manifest_id
    inner join proving_exports as exports
        on
            settleable_items.record_type = exports.record_type
            and states.system = exports.source
    inner join intake.readings
        on
            exports.source = readings.source
            and exports.table_name = readings.table_name
            and manifests.sequence <= readings.sealed_before
    left join said
        on
            exports.source = said.source
            and settleable_items.said_in = said.delivery_id
    left join manifest.field_numbers
        on
            settleable_items.record_type = field_numbers.record_type
            and readings.what = field_numbers.field
    where
        settleable_items.held = 0
        and (
            readings.what = exports.key_field
            or (settleable_items.in_source and (settleable_items.named & coalesce(field_numbers.bit, 0)) <> 0)
            or (
                readings.what = ''
                and not settleable_items.in_source
                and coalesce(said.extracted_at <= readings.extracted_at, true)
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
        settleable_items.record_type,
        settleable_items.is_successor,
        settleable_items.named,
        settleable_items.held,
        read_otherwise.item_id is not null as is_unproven
    from settleable_items
    inner join manifest.item_states as states on settleable_items.item_id = states.item_id
    inner join proving_exports as exports
        on
            settleable_items.record_type = exports.record_type
            and states.system = exports.source
    left join read_otherwise on settleable_items.item_id = read_otherwise.item_id
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
            and settleable_items.said_in = said.delivery_id
    where
        states.action in ('erase', 'redact')
        and states.state not in ('issued', 'approved', 'cancelled')
        and exports.extracted_at > least(own.delivered_at, common.delivered_at)
        and (not settleable_items.in_source or said.extracted_at > least(own.delivered_at, common.delivered_at))
),

judged as (
    select
        compared.*,
        case
            when compared.held = 0 and compared.state <> 'verified' and not compared.is_unproven then 'verified'
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
