-- A proof: what a later delivery of the source showed about one manifest item; that it went, a full one alone.
-- - manifest_id varchar: the manifest
-- - item_id varchar: the item
-- - outcome varchar: verified, discrepancy or returned
-- - delivery_id varchar: the delivery that showed it
-- - as_of date: the day of evaluation
-- - reason varchar: a code, where the outcome has one
select
    verifications.manifest_id,
    verifications.item_id,
    verifications.outcome,
    verifications.delivery_id,
    verifications.as_of,
    verifications.reason
from manifest.verifications
