-- Dispositions of rows that are no record in the sources now.
select
    dispositions.record_type,
    dispositions.row_id
from retention.dispositions as dispositions
where
    not exists (
        select 1 from retention.records as records
        where
            records.record_type = dispositions.record_type
            and records.row_id = dispositions.row_id
    )
