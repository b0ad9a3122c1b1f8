-- Manifest items of which nothing is seen any more, and that no export proves: their contract changed since they were
-- sealed, or rows of the latest full export that were set aside may be their records. As of the last settlement.
-- - system varchar: the system
-- - reason varchar: field_read_no_more, field_read_otherwise, key_read_otherwise, other_rows_in_scope or
--   rows_without_key
-- - items bigint: how many
-- - table_name varchar: the table whose rows were set aside without a key that is known; else null
-- - set_aside bigint: how many rows they are; else null
select
    unproven.system,
    unproven.reason,
    unproven.items,
    unproven.table_name,
    unproven.set_aside
from manifest.unproven
