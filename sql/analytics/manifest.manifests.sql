-- A sealed deletion manifest.
-- - manifest_id varchar: derived from the content
-- - system varchar: the system that is told
-- - sequence bigint: its number among that system's manifests
-- - as_of date: the day of evaluation
-- - issued_at timestamp: when it was sealed, UTC
-- - respond_by date: the last day to answer
-- - items bigint: how many items it holds
-- - items_sha256 varchar: digest of items.jsonl
-- - digest varchar: digest of manifest.json in its canonical form
-- - previous varchar: digest of that system's previous manifest; null: the first
select
    manifests.manifest_id,
    manifests.system,
    manifests.sequence,
    manifests.as_of,
    manifests.issued_at,
    manifests.respond_by,
    manifests.items,
    manifests.items_sha256,
    manifests.digest,
    manifests.previous
from manifest.manifests
