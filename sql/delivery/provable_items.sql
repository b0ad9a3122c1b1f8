-- Items whose source's exports can prove or disprove them: erasures and redactions that were delivered, with the fields
-- that they still order. A verified one is in it, for a record can come back. Grain: an item and field.
-- A field that a later item has told otherwise is that item's to prove.
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
)

select
    states.manifest_id,
    states.item_id,
    states.system,
    states.record_type,
    states.record_key,
    states.state,
    sealed.field,
    least(own.delivered_at, common.delivered_at) as delivered_at
from manifest.item_states as states
inner join manifest.sealed_fields as sealed
    on
        states.item_id = sealed.item_id
        and sealed.state = 'erase'
inner join policy.records
    on
        states.record_type = records.record_type
        and states.system = records.source
left join delivered as own
    on
        states.manifest_id = own.manifest_id
        and states.item_id = own.item_id
left join delivered as common
    on
        states.manifest_id = common.manifest_id
        and common.item_id is null
where
    states.action in ('erase', 'redact')
    and states.state not in ('issued', 'approved', 'cancelled')
    and least(own.delivered_at, common.delivered_at) is not null
