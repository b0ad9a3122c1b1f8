-- Items whose number of fields is not the number that was decided, and decided fields without an item.
-- Grain: an item.
with items as (
    select
        fields.system,
        fields.record_type,
        fields.record_key,
        fields.action,
        cast(count(*) as integer) as field_count
    from manifest.gate_fields as fields
    where fields.action <> 'notify'
    group by
        fields.system,
        fields.record_type,
        fields.record_key,
        fields.action
),

decided as (
    select
        changed.source as system,
        changed.record_type,
        changed.record_key,
        changed.action,
        cast(count(*) as integer) as field_count
    from manifest.changed_fields as changed
    group by
        changed.source,
        changed.record_type,
        changed.record_key,
        changed.action
)

select
    coalesce(items.system, decided.system) as system,
    coalesce(items.record_key, decided.record_key) as record_key
from items
full outer join decided
    on
        items.system = decided.system
        and items.record_type = decided.record_type
        and items.record_key = decided.record_key
        and items.action = decided.action
where coalesce(items.field_count, 0) <> coalesce(decided.field_count, 0)
