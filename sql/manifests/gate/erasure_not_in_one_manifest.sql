-- Fields that are to be erased and hold a value, neither ordered erased before nor in exactly one item.
-- Grain: a field. Numbers that stand for different fields add up to what they cover together.
with proposals as (
    select
        items.record_type,
        items.row_id,
        bit_or(items.named) as named,
        sum(items.named) <> bit_or(items.named) as is_repeated
    from gate_items as items
    where items.action in ('erase', 'redact')
    group by
        items.record_type,
        items.row_id
),

expected as (
    select
        uncovered.source,
        uncovered.record_type,
        uncovered.record_key,
        uncovered.ordered,
        held.held & uncovered.due as due,
        coalesce(proposals.named, 0) as named,
        coalesce(proposals.is_repeated, false) as is_repeated
    from gate_uncovered as uncovered
    inner join manifest.gate_held as held
        on
            uncovered.record_type = held.record_type
            and uncovered.row_id = held.row_id
    left join proposals
        on
            uncovered.record_type = proposals.record_type
            and uncovered.row_id = proposals.row_id
)

select
    expected.source as system,
    expected.record_key
from expected
inner join manifest.field_bits as fields
    on
        expected.record_type = fields.record_type
        and (fields.bit & expected.due) <> 0
where
    (expected.is_repeated and (fields.bit & expected.named) <> 0)
    or (fields.bit & (expected.named | expected.ordered)) = 0
