-- Fields in an erase or redact item whose category is not `erase`, or has an active claim, and fields that no contract
-- knows. Grain: a field; a field without a name of its own once an item.
with wrong as (
    select
        items.system,
        items.record_type,
        items.record_key,
        items.unknown,
        items.named - (items.named & coalesce(decisions.due, 0)) as not_due,
        items.named & coalesce(claims.active, 0) as active
    from manifest.gate_items as items
    left join manifest.gate_decisions as decisions
        on
            items.record_type = decisions.record_type
            and items.row_id = decisions.row_id
    left join manifest.gate_claims as claims
        on
            items.record_type = claims.record_type
            and items.row_id = claims.row_id
    where items.action in ('erase', 'redact')
)

select
    wrong.system,
    wrong.record_key
from wrong
inner join manifest.field_bits as fields
    on
        wrong.record_type = fields.record_type
        and (fields.bit & (wrong.not_due | wrong.active)) <> 0
where (wrong.not_due | wrong.active) <> 0
union all
select
    wrong.system,
    wrong.record_key
from wrong
where wrong.unknown > 0
