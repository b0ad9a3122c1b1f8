-- A system's answer to one manifest item. A claim, until an export shows it.
-- - manifest_id varchar: the manifest
-- - item_id varchar: the item that is answered
-- - status varchar: accepted, queued, done, already_absent, partly_retained, refused or withheld
-- - at timestamp: when the system says it happened, UTC
-- - detail varchar: the system's code, if it gave one
-- - until date: how long it withholds
select
    receipts.manifest_id,
    receipts.item_id,
    receipts.status,
    receipts.at,
    receipts.detail,
    receipts.until
from manifest.receipts
