-- Records of which one system is told twice about the same field in a night. Grain: a system and record.
-- Numbers that stand for different fields add up to what they cover together.
select
    items.system,
    items.record_key
from gate_items as items
group by
    items.system,
    items.record_type,
    items.record_key
having
    sum(items.named) <> bit_or(items.named)
    or max(items.repeated) > 0
