-- Fields in an erase or redact item whose category is not `erase`, or has an active claim, and fields that no contract
-- knows. Grain: a field; a field without a name of its own once an item.
with wrong as (
    select
        items.system,
        items.record_type,
        items.record_key,
        items.unknown,
        (items.named - (items.named & items.due)) | (items.named & items.active) as kept
    from gate_items as items
    where items.action in ('erase', 'redact')
)

select
    wrong.system,
    wrong.record_key
from wrong
inner join manifest.field_bits as fields
    on
        wrong.record_type = fields.record_type
        and (fields.bit & wrong.kept) <> 0
where wrong.kept <> 0
union all
select
    wrong.system,
    wrong.record_key
from wrong
where wrong.unknown > 0
