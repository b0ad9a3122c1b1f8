-- Beneath the views: what many items of a manifest have in common, where those stand that nothing has been recorded of
-- by itself.
-- - told integer: the number
-- - manifest_id varchar: the manifest
-- - system varchar: the system that was told
-- - record_type varchar: what the records are
-- - action varchar: erase, redact, restrict, lift or notify
-- - fields varchar[]: the fields that it names
-- - as_of date: the day of evaluation that it was decided on
-- - respond_by date: the last day to answer
-- - state varchar: where they stand
-- - since date: since when
-- - due_on date: the day on which something is to have happened
-- - reason varchar: a code, where the state has one
-- - owner varchar: who has to act
-- - next_step varchar: what is to be done, in English
with common as (
    select
        items.manifest_id,
        items.system,
        items.record_type,
        items.action,
        items.fields,
        items.as_of,
        items.respond_by
    from manifest.items
    group by
        items.manifest_id, items.system, items.record_type, items.action, items.fields, items.as_of, items.respond_by
),

-- As manifest.item_states says it of an item without events of its own; there it costs a join of all items.
standing as (
    select
        common.*,
        states.state,
        states.on_day,
        states.until,
        states.reason,
        states.owner,
        states.next_en,
        is_acknowledged(common.action, states.state) as is_acknowledged
    from common
    inner join manifest.common_states as states on common.manifest_id = states.manifest_id
)

select
    cast(
        row_number() over (
            order by
                standing.manifest_id, standing.system, standing.record_type, standing.action, standing.fields,
                standing.as_of, standing.respond_by
        ) as integer
    ) as told,
    standing.manifest_id,
    standing.system,
    standing.record_type,
    standing.action,
    standing.fields,
    standing.as_of,
    standing.respond_by,
    standing.state,
    coalesce(standing.on_day, standing.as_of) as since,
    falls_due_on(standing.state, standing.on_day, standing.until, standing.respond_by) as due_on,
    standing.reason,
    case when standing.is_acknowledged then 'nobody' else standing.owner end as owner,
    case
        when standing.is_acknowledged then 'Nothing: acknowledged; no export can show it.'
        else standing.next_en
    end as next_step
from standing
