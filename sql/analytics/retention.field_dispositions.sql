-- A view: a record's field: every field that a contract classifies, empty or not, of every record in the sources now.
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
    types.source,
    types.record_type,
    records.record_key,
    fields.field,
    categories.data_category,
    cast(dispositions.disposition as varchar) as disposition,
    dispositions.keep_until,
    coalesce(purpose_lists.purposes, cast([] as varchar[])) as purposes,
    about.as_of
from published.stored.dispositions
inner join published.stored.records on dispositions.record = records.record
inner join published.stored.categories on dispositions.category = categories.category
inner join published.stored.fields on dispositions.category = fields.category
inner join published.stored.record_types as types on categories.type = types.type
left join published.stored.purpose_lists
    on
        records.type = purpose_lists.type
        and records.clocks = purpose_lists.clocks
        and dispositions.category = purpose_lists.category
cross join published.main.about
