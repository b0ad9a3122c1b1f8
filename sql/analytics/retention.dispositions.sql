-- A record's data category: what its claims add up to on the day of evaluation. Records in the sources now.
-- - source varchar: the system that delivers the record
-- - record_type varchar: what the record is: customer, order, invoice …
-- - record_key varchar: the source system's own key of the record
-- - data_category varchar: the group of fields that share their fate
-- - disposition varchar: retain, restrict, review, erase or not_personal
-- - keep_until date: the last day of the latest active claim; null: none, or no end
-- - purposes varchar[]: the purposes whose claims are active, sorted; none where the record is not personal
-- - reasons varchar[]: codes that say why, beyond the claims: a missing trigger, a restriction
-- - as_of date: the day of evaluation
--
-- The active purposes of a row travel as one number with a bit per purpose: sixteen million small lists cost gigabytes,
-- a few hundred different ones cost nothing.
with active as (
    select
        claims.record_type,
        claims.row_id,
        claims.data_category,
        bit_or(cast(1 as hugeint) << purposes.position) as purpose_set
    from retention.claims
    inner join policy.purposes as purposes on claims.purpose = purposes.purpose
    where claims.is_active
    group by claims.record_type, claims.row_id, claims.data_category
),

purpose_sets as (
    select distinct active.purpose_set
    from active
),

purpose_lists as (
    select
        purpose_sets.purpose_set,
        list_sort(list(purposes.purpose)) as purposes
    from purpose_sets
    inner join policy.purposes as purposes on (purpose_sets.purpose_set >> purposes.position) & 1 = 1
    group by purpose_sets.purpose_set
)

select
    records.source,
    records.record_type,
    records.record_key,
    dispositions.data_category,
    dispositions.disposition,
    dispositions.keep_until,
    case when records.not_personal then [] else coalesce(purpose_lists.purposes, []) end as purposes,
    coalesce(dispositions.reasons, []) as reasons,
    evaluation.as_of
from retention.dispositions
inner join retention.records
    on
        dispositions.record_type = records.record_type
        and dispositions.row_id = records.row_id
left join active
    on
        dispositions.record_type = active.record_type
        and dispositions.row_id = active.row_id
        and dispositions.data_category = active.data_category
left join purpose_lists on active.purpose_set = purpose_lists.purpose_set
cross join retention.evaluation
