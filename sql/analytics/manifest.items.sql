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
-- - state varchar: issued, and later what became of it
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
    'issued' as state
from manifest.items as items
