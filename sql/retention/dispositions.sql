-- What the claims on each category of each record in the sources add up to on the day. Grain: a record and a data
-- category.
-- An open restriction (Art 18) comes first, then use, then duty, then doubt; what nobody claims is to be erased.
-- Most claims are over: those that hold, and those in doubt, are picked before anything is joined or grouped. Reasons
-- are lists, of which there are few different ones: they travel as numbers.
-- By parts: row_id of retention.records, retention.purpose_claims.
-- Closed words: disposition.
with doubts as (
    select
        claim.row_id,
        coverage.category_id,
        claim.purpose,
        max(claim.missing) as missing
    from retention.purpose_claims as claim
    inner join policy.coverage
        on
            claim.purpose = coverage.purpose
            and claim.clock = coverage.clock
            and claim.record_type = coverage.record_type
    where claim.missing is not null
    group by claim.row_id, coverage.category_id, claim.purpose
),

doubtful as (
    select
        doubts.row_id,
        doubts.category_id,
        list_sort(list(doubts.purpose || ': ' || doubts.missing)) as reasons
    from doubts
    group by doubts.row_id, doubts.category_id
),

numbered_reasons as (
    select
        each.reasons,
        cast(row_number() over (order by each.reasons) as integer) as reasons_id
    from (
        select distinct doubtful.reasons
        from doubtful
    ) as each
),

standing as (
    select
        claim.row_id,
        coverage.category_id,
        claim.ends_on as last_day,
        case when purpose.class = 'use' then 1 else 0 end as is_use,
        cast(null as integer) as reasons_id
    from retention.purpose_claims as claim
    inner join policy.coverage
        on
            claim.purpose = coverage.purpose
            and claim.clock = coverage.clock
            and claim.record_type = coverage.record_type
    inner join policy.purposes as purpose
        on claim.purpose = purpose.purpose
    where claim.ends_on >= $as_of
    union all
    select
        doubtful.row_id,
        doubtful.category_id,
        cast(null as date) as last_day,
        cast(null as integer) as is_use,
        numbered.reasons_id
    from doubtful
    inner join numbered_reasons as numbered
        on doubtful.reasons = numbered.reasons
),

summed as (
    select
        standing.row_id,
        standing.category_id,
        max(standing.last_day) as last_day,
        max(standing.is_use) as is_use,
        max(standing.reasons_id) as reasons_id
    from standing
    group by standing.row_id, standing.category_id
),

subjects as (
    select
        record.record_type,
        record.row_id,
        record.not_personal,
        restricted.row_id is not null as is_restricted,
        orphan.row_id is not null as is_orphan
    from retention.records as record
    left join triggers.restricted_records as restricted
        on record.record_type = restricted.record_type and record.row_id = restricted.row_id
    left join triggers.orphans as orphan
        on record.record_type = orphan.record_type and record.row_id = orphan.row_id
),

decided as (
    select
        category.record_type,
        subject.row_id,
        category.data_category,
        case
            when subject.not_personal then 'not_personal'
            when subject.is_restricted then 'restrict'
            when summed.is_use = 1 then 'retain'
            when summed.is_use = 0 then 'restrict'
            when summed.reasons_id is not null or subject.is_orphan then 'review'
            else 'erase'
        end as disposition,
        case
            when not subject.not_personal and not subject.is_restricted and summed.last_day < cast('9999-12-31' as date)
                then summed.last_day
        end as keep_until,
        subject.is_restricted,
        summed.reasons_id
    from subjects as subject
    inner join policy.categories as category
        on subject.record_type = category.record_type
    left join summed
        on subject.row_id = summed.row_id and category.category_id = summed.category_id
)

select
    decided.record_type,
    decided.row_id,
    decided.data_category,
    decided.disposition,
    decided.keep_until,
    case
        when decided.disposition = 'restrict' and decided.is_restricted then array['restriction (Art 18)']
        when decided.disposition = 'review' and numbered.reasons is not null then numbered.reasons
        when decided.disposition = 'review' then array['orphan']
    end as reasons
from decided
left join numbered_reasons as numbered
    on decided.reasons_id = numbered.reasons_id
