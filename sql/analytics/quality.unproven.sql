-- Manifest items of which nothing is seen any more, and that no export proves: their contract changed since they were
-- sealed. As of the last settlement.
-- - system varchar: the system
-- - reason varchar: field_read_no_more, field_read_otherwise, key_read_otherwise or other_rows_in_scope
-- - items bigint: how many
select
    unproven.system,
    unproven.reason,
    unproven.items
from manifest.unproven
