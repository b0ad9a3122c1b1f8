-- Categories that a person is to look at without being told why.
select
    dispositions.record_type,
    dispositions.row_id,
    dispositions.data_category
from retention.dispositions as dispositions
where dispositions.disposition = 'review' and coalesce(len(dispositions.reasons), 0) = 0
