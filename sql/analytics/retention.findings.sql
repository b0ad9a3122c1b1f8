-- A finding about the data's quality: what a person should look at. No values.
-- - finding varchar: the finding's code
-- - source varchar: the system that delivers the record; null: about a register or a record that has gone
-- - record_type varchar: what the record is
-- - record_key varchar: the source system's own key of the record
-- - detail varchar: the column or rule that it is about
select
    findings.finding,
    records.source,
    findings.record_type,
    records.record_key,
    findings.detail
from retention.findings as findings
left join retention.records as records
    on
        findings.record_type = records.record_type
        and findings.row_id = records.row_id
