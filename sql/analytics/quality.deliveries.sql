-- A file of a delivery: rows in = rows loaded + rows quarantined + rows out of scope.
-- - source varchar: the system that delivered
-- - delivery_id varchar: the delivery
-- - sequence bigint: its place in the order of arrival
-- - mode varchar: full or delta
-- - extracted_at timestamp: when the source made it, UTC; of one that was lost before a restore the day it was read for
-- - status varchar: loaded or rejected
-- - reason varchar: why the delivery was rejected, else null
-- - table_name varchar: the table of the contract; null: the delivery's files were not looked at
-- - file_name varchar: the file
-- - file_status varchar: loaded or rejected
-- - file_reason varchar: why the file was rejected, else null
-- - rows_in bigint: rows in the file
-- - rows_loaded bigint: rows that were taken in
-- - rows_quarantined bigint: rows that were set aside
-- - rows_out_of_scope bigint: rows that the contract leaves out
select
    deliveries.source,
    deliveries.delivery_id,
    deliveries.sequence,
    deliveries.mode,
    deliveries.extracted_at,
    deliveries.status,
    deliveries.reason,
    files.table_name,
    files.file_name,
    files.status as file_status,
    files.reason as file_reason,
    files.rows_in,
    files.rows_loaded,
    files.rows_quarantined,
    files.rows_out_of_scope
from intake.deliveries
left join intake.files
    on
        deliveries.source = files.source
        and deliveries.delivery_id = files.delivery_id
