-- Fields that are to be erased and hold a value, neither ordered erased before nor in exactly one item.
-- Grain: a field. Numbers that stand for different fields add up to what they cover together.
with proposals as (
    select
        items.record_type,
        items.row_id,
        bit_or(items.named) as named,
        sum(items.named) <> bit_or(items.named) as is_repeated
    from manifest.gate_items as items
    where items.action in ('erase', 'redact')
    group by
        items.record_type,
        items.row_id
),

expected as (
    select
        records.source,
        records.record_type,
        records.record_key,
        held.held & decisions.due as due,
        coalesce(proposals.named, 0) as named,
        coalesce(proposals.is_repeated, false) as is_repeated
    from manifest.gate_held as held
    inner join manifest.gate_decisions as decisions
        on
            held.record_type = decisions.record_type
            and held.row_id = decisions.row_id
    inner join retention.records as records
        on
            held.record_type = records.record_type
            and held.row_id = records.row_id
    left join proposals
        on
            held.record_type = proposals.record_type
            and held.row_id = proposals.row_id
),

doubted as (
    select
        expected.source,
        expected.record_type,
        expected.record_key,
        expected.named,
        expected.is_repeated,
        expected.due
    from expected
    where
        expected.due <> (expected.due & expected.named)
        or (expected.is_repeated and (expected.due & expected.named) <> 0)
)

select
    doubted.source as system,
    doubted.record_key
from doubted
inner join manifest.field_bits as fields
    on
        doubted.record_type = fields.record_type
        and (fields.bit & doubted.due) <> 0
left join manifest.sealed_fields as sealed
    on
        doubted.record_type = sealed.record_type
        and doubted.record_key = sealed.record_key
        and fields.field = sealed.field
where
    ((fields.bit & doubted.named) <> 0 and doubted.is_repeated)
    or ((fields.bit & doubted.named) = 0 and coalesce(sealed.state, 'retain') <> 'erase')
