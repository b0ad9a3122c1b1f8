-- Fields that an item tells about and nobody decided on, and decided fields that no item tells about: item by item, the
-- counts add up. Grain: a field and action.
with told as (
    select distinct
        fields.system,
        fields.record_type,
        fields.record_key,
        fields.action,
        fields.field
    from manifest.gate_fields as fields
    where fields.action <> 'notify'
)

select
    coalesce(told.system, decided.source) as system,
    coalesce(told.record_key, decided.record_key) as record_key
from told
full outer join manifest.changed_fields as decided
    on
        told.system = decided.source
        and told.record_type = decided.record_type
        and told.record_key = decided.record_key
        and told.action = decided.action
        and told.field = decided.field
where
    told.field is null
    or decided.field is null
