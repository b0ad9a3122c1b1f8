-- A view: an item of a sealed deletion manifest: what one system was told about one record.
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
    told.manifest_id,
    items.item_id,
    told.system,
    told.record_type,
    items.record_key,
    told.action,
    coalesce(told.fields, cast([] as varchar[])) as fields,
    told.as_of,
    told.respond_by,
    case when states.item_id is null then told.state else states.state end as state,
    case when states.item_id is null then told.since else states.since end as since,
    case when states.item_id is null then told.due_on else states.due_on end as due_on,
    case when states.item_id is null then told.reason else states.reason end as reason,
    case when states.item_id is null then told.owner else states.owner end as owner,
    case when states.item_id is null then told.next_step else states.next_step end as next_step
from published.stored.items
inner join published.stored.told on items.told = told.told
left join published.stored.item_states as states
    on
        told.manifest_id = states.manifest_id
        and items.item_id = states.item_id
