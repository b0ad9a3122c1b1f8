-- What holds manifests back on the day of evaluation, and why.
-- - source varchar: the system
-- - table_name varchar: the table of the contract; null: the whole source
-- - reason varchar: never_arrived, stale, shrunk, emptied, barred or rejected
-- - detail varchar: what to look at
select
    blocks.source,
    blocks.table_name,
    blocks.reason,
    blocks.detail
from intake.blocks
