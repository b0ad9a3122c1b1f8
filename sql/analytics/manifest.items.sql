-- An item of a sealed deletion manifest: what one system was told about one record.
-- - manifest_id varchar: the manifest that holds it
-- - item_id varchar: the item
-- - system varchar: the system that was told
-- - record_type varchar: what the record is
-- - record_key varchar: the source system's own key of the record
-- - action varchar: erase, redact, restrict, lift or notify
-- - fields varchar[]: the fields that it names; empty: the whole record
-- - as_of date: the day of evaluation that it was decided on
-- - respond_by date: the last day to answer
-- - state varchar: issued, and later what became of it; the last one that was recorded
-- - since date: the day on which it came to be in that state
-- - due_on date: the day on which something is to have happened: the postponement's, else the last day to answer
-- - reason varchar: a code, where the state has one
-- - owner varchar: who has to act: approver, gallring, system, privacy or nobody
-- - next_step varchar: what is to be done, in English
select
    items.manifest_id,
    items.item_id,
    items.system,
    items.record_type,
    items.record_key,
    items.action,
    coalesce(items.fields, []) as fields,
    items.as_of,
    items.respond_by,
    states.state,
    states.since,
    states.due_on,
    states.reason,
    states.owner,
    states.next_en as next_step
from manifest.items
inner join manifest.item_states as states
    on
        items.manifest_id = states.manifest_id
        and items.item_id = states.item_id
