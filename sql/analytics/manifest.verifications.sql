-- A proof: what the next full delivery of the source showed about one manifest item.
-- - manifest_id varchar: the manifest
-- - item_id varchar: the item
-- - outcome varchar: verified or discrepancy
-- - delivery_id varchar: the delivery that showed it
-- - as_of date: the day of evaluation
select
    verifications.manifest_id,
    verifications.item_id,
    verifications.outcome,
    verifications.delivery_id,
    verifications.as_of
from manifest.verifications
