-- The product's own copies of personal data, counted by kind: the copy register of the last run.
-- - kind varchar: the register's line: delivery, warehouse, backup, manifest …
-- - purpose varchar: what such copies are kept for
-- - copies bigint: how many files, deliveries or manifests
-- - bytes bigint: their size
-- - first_last_day date: the first day on which one of them is to be destroyed; null: none has a day of its own
select
    copies.kind,
    copies.purpose,
    copies.copies,
    copies.bytes,
    copies.first_last_day
from erasure.copies
