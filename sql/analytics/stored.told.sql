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
with spoken_of as (
    select distinct
        events.manifest_id,
        events.item_id
    from manifest.events
    where events.item_id is not null and events.state <> 'issued'
),

common as (
    select
        items.manifest_id,
        items.system,
        items.record_type,
        items.action,
        items.fields,
        items.as_of,
        items.respond_by,
        min(items.item_id) filter (where spoken_of.item_id is null) as item_id
    from manifest.items
    left join spoken_of
        on
            items.manifest_id = spoken_of.manifest_id
            and items.item_id = spoken_of.item_id
    group by
        items.manifest_id, items.system, items.record_type, items.action, items.fields, items.as_of, items.respond_by
)

select
    cast(
        row_number() over (
            order by
                common.manifest_id, common.system, common.record_type, common.action, common.fields, common.as_of,
                common.respond_by
        ) as integer
    ) as told,
    common.manifest_id,
    common.system,
    common.record_type,
    common.action,
    common.fields,
    common.as_of,
    common.respond_by,
    states.state,
    states.since,
    states.due_on,
    states.reason,
    states.owner,
    states.next_en as next_step
from common
left join manifest.item_states as states
    on
        common.manifest_id = states.manifest_id
        and common.item_id = states.item_id
