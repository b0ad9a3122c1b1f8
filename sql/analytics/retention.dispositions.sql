-- A view: a record's data category: what its claims add up to on the day of evaluation. Records in the sources now.
-- - source varchar: the system that delivers the record
-- - record_type varchar: what the record is: customer, order, invoice …
-- - record_key varchar: the source system's own key of the record
-- - data_category varchar: the group of fields that share their fate
-- - disposition varchar: retain, restrict, review, erase or not_personal
-- - has_value boolean: whether one of its fields holds a value; what is empty, or was emptied, waits for nobody
-- - keep_until date: the last day of the latest active claim; null: none, or no end
-- - purposes varchar[]: the purposes whose claims are active, sorted; none where the record is not personal
-- - reasons varchar[]: codes that say why, beyond the claims: a missing trigger, a restriction
-- - as_of date: the day of evaluation
select
    types.source,
    types.record_type,
    records.record_key,
    categories.data_category,
    cast(dispositions.disposition as varchar) as disposition,
    dispositions.has_value,
    dispositions.keep_until,
    coalesce(purpose_lists.purposes, cast([] as varchar[])) as purposes,
    coalesce(dispositions.reasons, cast([] as varchar[])) as reasons,
    about.as_of
from published.stored.dispositions
inner join published.stored.records on dispositions.record = records.record
inner join published.stored.categories on dispositions.category = categories.category
inner join published.stored.record_types as types on categories.type = types.type
left join published.stored.purpose_lists
    on
        records.type = purpose_lists.type
        and records.clocks = purpose_lists.clocks
        and dispositions.category = purpose_lists.category
cross join published.main.about
