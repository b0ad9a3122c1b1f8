-- Beneath the views: where an item stands that something has been recorded of by itself: an answer, a proof, a step.
-- - manifest_id varchar: the manifest
-- - item_id varchar: the item
-- - state varchar: where it stands
-- - since date: since when
-- - due_on date: the day on which something is to have happened
-- - reason varchar: a code, where the state has one
-- - owner varchar: who has to act
-- - next_step varchar: what is to be done, in English
-- As manifest.item_states says it, of these items alone.
with standing as (
    select
        items.manifest_id,
        items.item_id,
        items.as_of,
        items.respond_by,
        states.state,
        states.on_day,
        states.until,
        states.reason,
        states.owner,
        states.next_en,
        is_acknowledged(items.action, states.state) as is_acknowledged
    from manifest.items
    inner join manifest.own_states as states
        on
            items.manifest_id = states.manifest_id
            and items.item_id = states.item_id
)

select
    standing.manifest_id,
    standing.item_id,
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
