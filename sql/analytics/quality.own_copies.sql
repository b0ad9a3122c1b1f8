-- The product's own copies of personal data, counted by kind: the copy register of the last run.
-- - kind varchar: the register's line: delivery, warehouse, backup, manifest …
-- - purpose varchar: what such copies are kept for
-- - copies bigint: how many files, deliveries or manifests
-- - bytes bigint: their size
-- - first_last_day date: the first day on which one is to be destroyed, or the warehouse written anew; null: none
select
    copies.kind,
    copies.purpose,
    copies.copies,
    copies.bytes,
    copies.first_last_day
from erasure.copies
