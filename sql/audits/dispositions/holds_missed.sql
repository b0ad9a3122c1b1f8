-- Categories up for erasure or review although a legal hold on the record is in force, read from the holds themselves.
select distinct
    dispositions.record_type,
    dispositions.row_id,
    dispositions.data_category
from core.holds as holds
cross join retention.evaluation as evaluation
inner join retention.records as records
    on
        holds.record_type = records.record_type
        and holds.record_key = records.record_key
inner join policy.fields as fields
    on
        records.record_type = fields.record_type
        and (holds.listed is null or strpos(holds.listed, ';' || fields.field || ';') > 0)
inner join retention.dispositions as dispositions
    on
        records.record_type = dispositions.record_type
        and records.row_id = dispositions.row_id
        and fields.data_category = dispositions.data_category
where
    dispositions.disposition in ('erase', 'review')
    and (holds.placed_on is null or holds.placed_on <= evaluation.as_of)
    and (holds.released_on is null or holds.released_on >= evaluation.as_of)
