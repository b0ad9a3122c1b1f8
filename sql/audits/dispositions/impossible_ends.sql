-- Last days where there can be none (erase, review, not personal), or that are past on the day of evaluation.
select
    dispositions.record_type,
    dispositions.row_id,
    dispositions.data_category
from retention.dispositions as dispositions
cross join retention.evaluation as evaluation
where
    dispositions.keep_until < evaluation.as_of
    or (dispositions.keep_until is not null and dispositions.disposition not in ('retain', 'restrict'))
