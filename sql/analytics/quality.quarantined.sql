-- Quarantined rows of a file, counted by the rule they broke. No values.
-- - source varchar: the system that delivered the file
-- - delivery_id varchar: the delivery
-- - table_name varchar: the table of the contract
-- - file_name varchar: the file
-- - rule varchar: the rule that was broken
-- - column_name varchar: the column that it is about; null: the whole row
-- - rows bigint: how many rows
select
    quarantined.source,
    quarantined.delivery_id,
    quarantined.table_name,
    quarantined.file_name,
    quarantined.rule,
    quarantined.column_name,
    count(*) as rows
from intake.quarantined
group by
    quarantined.source, quarantined.delivery_id, quarantined.table_name, quarantined.file_name, quarantined.rule,
    quarantined.column_name
