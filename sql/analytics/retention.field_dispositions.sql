-- A record's field: every field that a contract classifies, empty or not, of every record in the sources now.
-- - source varchar: the system that delivers the record
-- - record_type varchar: what the record is: customer, order, invoice …
-- - record_key varchar: the source system's own key of the record
-- - field varchar: the canonical column
-- - data_category varchar: the group of fields that share their fate
-- - disposition varchar: retain, restrict, review, erase or not_personal
-- - keep_until date: the last day of the latest active claim; null: none, or no end
-- - purposes varchar[]: the purposes whose claims are active, sorted; none where the record is not personal
-- - as_of date: the day of evaluation
select
    dispositions.source,
    dispositions.record_type,
    dispositions.record_key,
    fields.field,
    dispositions.data_category,
    dispositions.disposition,
    dispositions.keep_until,
    dispositions.purposes,
    dispositions.as_of
from published.retention.dispositions
inner join policy.fields
    on
        dispositions.source = fields.source
        and dispositions.record_type = fields.record_type
        and dispositions.data_category = fields.data_category
