-- Fields that are to be erased and hold a value, neither ordered erased before nor in exactly one item.
-- Grain: a field.
with proposals as (
    select
        fields.record_type,
        fields.row_id,
        fields.field,
        cast(count(*) as integer) as items
    from manifest.gate_fields as fields
    where fields.action in ('erase', 'redact')
    group by
        fields.record_type,
        fields.row_id,
        fields.field
)

select
    records.source as system,
    records.record_key
from manifest.gate_held as held
inner join retention.dispositions as dispositions
    on
        held.record_type = dispositions.record_type
        and held.row_id = dispositions.row_id
        and held.data_category = dispositions.data_category
inner join retention.records as records
    on
        held.record_type = records.record_type
        and held.row_id = records.row_id
left join proposals
    on
        held.record_type = proposals.record_type
        and held.row_id = proposals.row_id
        and held.field = proposals.field
left join manifest.sealed_fields as sealed
    on
        held.record_type = sealed.record_type
        and records.record_key = sealed.record_key
        and held.field = sealed.field
where
    dispositions.disposition = 'erase'
    and (
        coalesce(proposals.items, 0) > 1
        or (coalesce(proposals.items, 0) = 0 and coalesce(sealed.state, 'retain') <> 'erase')
    )
