-- Fields about which their source is to be told something new. Grain: a field that holds a value, with its action.
-- An `erase` names every field of the record that holds a value; the other actions name what changed. `review` and
-- `not_personal` tell nothing. A recall of an ordered erasure is a `lift`, or a `restrict` where a duty keeps it.
with states as (
    select
        held.record_type,
        changed.source,
        held.row_id,
        changed.record_key,
        held.field,
        held.position,
        held.data_category,
        dispositions.disposition,
        changed.is_whole,
        changed.was_ordered_whole,
        coalesce(sealed.state, 'retain') as told
    from manifest.held_fields as held
    inner join manifest.changed_records as changed
        on
            held.record_type = changed.record_type
            and held.row_id = changed.row_id
    inner join retention.dispositions
        on
            held.record_type = dispositions.record_type
            and held.row_id = dispositions.row_id
            and held.data_category = dispositions.data_category
    left join manifest.sealed_fields as sealed
        on
            changed.record_type = sealed.record_type
            and changed.record_key = sealed.record_key
            and held.field = sealed.field
),

unordered as (
    select distinct
        states.record_type,
        states.row_id
    from states
    where states.told <> 'erase'
),

decided as (
    select
        states.record_type,
        states.source,
        states.row_id,
        states.record_key,
        states.field,
        states.position,
        states.data_category,
        case
            when states.is_whole and (unordered.row_id is not null or not states.was_ordered_whole) then 'erase'
            when states.is_whole then null
            when states.disposition = 'erase' and states.told <> 'erase' then 'redact'
            when states.disposition = 'restrict' and states.told <> 'restrict' then 'restrict'
            when states.disposition = 'retain' and states.told <> 'retain' then 'lift'
        end as action
    from states
    left join unordered
        on
            states.record_type = unordered.record_type
            and states.row_id = unordered.row_id
)

select
    decided.record_type,
    decided.source,
    decided.row_id,
    decided.record_key,
    decided.field,
    decided.position,
    decided.data_category,
    decided.action
from decided
where decided.action is not null
