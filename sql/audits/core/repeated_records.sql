-- Records that stand twice, or without a surrogate, among all records. Two of a kind would share their decisions.
select
    records.record_type,
    records.row_id
from core.records as records
group by records.record_type, records.row_id
having count(*) > 1 or records.row_id is null
