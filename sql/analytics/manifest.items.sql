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
with states as (
    select
        events.manifest_id,
        events.item_id,
        events.state,
        row_number() over (
            partition by events.manifest_id, events.item_id
            order by events.on_day desc, events.rowid desc
        ) as latest
    from manifest.events
)

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
    coalesce(states.state, 'issued') as state
from manifest.items
left join states
    on
        items.manifest_id = states.manifest_id
        and items.item_id = states.item_id
        and states.latest = 1
