-- Beneath the views: where an item stands that something has been recorded of by itself: an answer, a proof, a step.
-- - manifest_id varchar: the manifest
-- - item_id varchar: the item
-- - state varchar: where it stands
-- - since date: since when
-- - due_on date: the day on which something is to have happened
-- - reason varchar: a code, where the state has one
-- - owner varchar: who has to act
-- - next_step varchar: what is to be done, in English
with spoken_of as (
    select distinct
        events.manifest_id,
        events.item_id
    from manifest.events
    where events.item_id is not null and events.state <> 'issued'
)

select
    states.manifest_id,
    states.item_id,
    states.state,
    states.since,
    states.due_on,
    states.reason,
    states.owner,
    states.next_en as next_step
from spoken_of
inner join manifest.item_states as states
    on
        spoken_of.manifest_id = states.manifest_id
        and spoken_of.item_id = states.item_id
