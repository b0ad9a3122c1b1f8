-- What the source of a record is to be told that it was not told before. Grain: a record and action; `named` has a bit
-- per field that the item is about, each of which holds a value.
-- An `erase` is about every field of the record that holds a value; the other actions are about what changed. `review`
-- and `not_personal` tell nothing. A recall of an ordered erasure is a `lift`, or a `restrict` where a duty keeps it.
with decided as (
    select
        changed.record_type,
        changed.source,
        changed.row_id,
        changed.record_key,
        case
            when not changed.is_whole then 0
            when (held.held & changed.told_erase) <> held.held or not changed.was_ordered_whole then held.held
            else 0
        end as erase,
        case
            when changed.is_whole then 0
            else (held.held & changed.erase) - (held.held & changed.erase & changed.told_erase)
        end as redact,
        case
            when changed.is_whole then 0
            else (held.held & changed.restrict) - (held.held & changed.restrict & changed.told_restrict)
        end as restrict,
        case
            when changed.is_whole then 0
            else held.held & changed.retain & (changed.told_erase | changed.told_restrict)
        end as lift
    from manifest.held_records as held
    inner join manifest.changed_records as changed
        on
            held.record_type = changed.record_type
            and held.row_id = changed.row_id
)

select
    decided.record_type,
    decided.source,
    decided.row_id,
    decided.record_key,
    'erase' as action,
    decided.erase as named
from decided
where decided.erase <> 0
union all
select
    decided.record_type,
    decided.source,
    decided.row_id,
    decided.record_key,
    'redact' as action,
    decided.redact as named
from decided
where decided.redact <> 0
union all
select
    decided.record_type,
    decided.source,
    decided.row_id,
    decided.record_key,
    'restrict' as action,
    decided.restrict as named
from decided
where decided.restrict <> 0
union all
select
    decided.record_type,
    decided.source,
    decided.row_id,
    decided.record_key,
    'lift' as action,
    decided.lift as named
from decided
where decided.lift <> 0
