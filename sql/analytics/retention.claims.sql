-- A view: a claim: one purpose's hold on one data category of one record that is in the sources now. A company's own
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
with single as (
    select
        claims.record,
        coverage.category,
        claims.clock,
        claims.starts_on,
        claims.ends_on,
        case when claims.ends_on is not null then claims.ended_by end as ended_by,
        claims.missing
    from published.stored.claims
    inner join published.stored.coverage on claims.clock = coverage.clock
    where not coverage.is_shared
),

summed as (
    select
        claims.record,
        coverage.category,
        min(claims.clock) as clock,
        min(claims.starts_on) as starts_on,
        max(claims.ends_on) as ends_on,
        max(
            case when claims.ended_by is not null then cast(claims.ends_on as varchar) || ' ' || claims.ended_by end
        ) as last_word,
        max(claims.missing) as missing
    from published.stored.claims
    inner join published.stored.coverage on claims.clock = coverage.clock
    inner join published.stored.clocks on claims.clock = clocks.clock
    where coverage.is_shared
    group by claims.record, coverage.category, clocks.purpose
),

every_claim as (
    select
        single.record,
        single.category,
        single.clock,
        single.starts_on,
        single.ends_on,
        single.ended_by,
        single.missing
    from single
    union all
    select
        summed.record,
        summed.category,
        summed.clock,
        summed.starts_on,
        summed.ends_on,
        case
            when substr(summed.last_word, 1, 10) = cast(summed.ends_on as varchar) then substr(summed.last_word, 12)
        end as ended_by,
        summed.missing
    from summed
)

select
    types.source,
    types.record_type,
    records.record_key,
    categories.data_category,
    clocks.purpose,
    clocks.class,
    clocks.legal_basis,
    every_claim.starts_on,
    case when every_claim.ends_on < cast('9999-12-31' as date) then every_claim.ends_on end as keep_until,
    every_claim.ended_by,
    coalesce(every_claim.ends_on = cast('9999-12-31' as date), false) as open_ended,
    coalesce(every_claim.ends_on >= about.as_of, false) as is_active,
    every_claim.missing
from every_claim
inner join published.stored.records on every_claim.record = records.record
inner join published.stored.categories on every_claim.category = categories.category
inner join published.stored.record_types as types on categories.type = types.type
inner join published.stored.clocks on every_claim.clock = clocks.clock
cross join published.main.about
