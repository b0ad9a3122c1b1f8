-- A claim: one purpose's hold on one data category of one record that is in the sources now. A company's own
-- customer record is no personal data and has none.
-- - source varchar: the system that delivers the record
-- - record_type varchar: what the record is: customer, order, invoice …
-- - record_key varchar: the source system's own key of the record
-- - data_category varchar: the group of fields that the claim holds
-- - purpose varchar: the purpose's name in the register
-- - class varchar: use (kept in ordinary use) or duty (kept for a legal duty or claim alone)
-- - legal_basis varchar: articles of the GDPR, as DPV writes them
-- - starts_on date: the day that the claim counts from
-- - keep_until date: the claim's last day; null: no end yet, or its trigger is missing
-- - ended_by varchar: the word or event that ended it before its clock, else null
-- - open_ended boolean: whether nothing has set an end yet
-- - is_active boolean: whether it holds on the day of evaluation
-- - missing varchar: the code of the trigger that is missing, else null
select
    records.source,
    records.record_type,
    records.record_key,
    claims.data_category,
    claims.purpose,
    purposes.class,
    purposes.legal_basis,
    claims.starts_on,
    claims.keep_until,
    claims.ended_by,
    claims.open_ended,
    claims.is_active,
    claims.missing
from retention.claims
inner join retention.records
    on
        claims.record_type = records.record_type
        and claims.row_id = records.row_id
inner join policy.purposes as purposes on claims.purpose = purposes.purpose
where not records.not_personal
