-- Items that name other fields than were decided on, and decisions that no item tells. Grain: an item.
with told as (
    select
        items.system,
        items.record_type,
        items.row_id,
        items.record_key,
        items.action,
        items.named,
        items.unknown
    from gate_items as items
    where items.action <> 'notify'
)

select
    coalesce(told.system, decided.source) as system,
    coalesce(told.record_key, decided.record_key) as record_key
from told
full outer join manifest.changed_items as decided
    on
        told.record_type = decided.record_type
        and told.row_id = decided.row_id
        and told.action = decided.action
where
    told.system is null
    or decided.source is null
    or told.system <> decided.source
    or told.record_key <> decided.record_key
    or told.named <> decided.named
    or told.unknown > 0
