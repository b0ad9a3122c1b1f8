-- Categories of a record with more than one disposition.
select
    dispositions.record_type,
    dispositions.row_id,
    dispositions.data_category
from retention.dispositions as dispositions
group by dispositions.record_type, dispositions.row_id, dispositions.data_category
having count(*) > 1
