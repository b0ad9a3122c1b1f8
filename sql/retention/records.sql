-- A view: the records that are in the sources now. Grain: a record.
select
    record.record_type,
    described.source,
    record.row_id,
    record.record_key,
    record.not_personal
from core.records as record
inner join policy.records as described
    on record.record_type = described.record_type
where record.in_source
