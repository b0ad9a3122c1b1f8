-- Fields that one system is told about in two items of the same night. Grain: a system, record and field.
select
    fields.system,
    min(fields.record_key) as record_key
from manifest.gate_fields as fields
group by
    fields.system,
    fields.record_type,
    fields.record_key,
    fields.field
having count(*) > 1
