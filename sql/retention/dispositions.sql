-- What the claims on each category of each record in the sources add up to on the day. Grain: a record and a data
-- category.
-- An open restriction (Art 18) comes first, then use, then duty, then doubt; what nobody claims is to be erased.
-- Most claims are over: those that hold, and those in doubt, are picked before anything is joined or grouped.
-- Closed words: record_type, data_category, disposition.
with held as (
    select
        claim.row_id,
        coverage.category_id,
        max(claim.ends_on) as last_day,
        max(case when purpose.class = 'use' then 1 else 0 end) as has_use
    from retention.purpose_claims as claim
    inner join policy.coverage
        on
            claim.purpose = coverage.purpose
            and claim.clock = coverage.clock
            and claim.record_type = coverage.record_type
    inner join policy.purposes as purpose
        on claim.purpose = purpose.purpose
    where claim.ends_on >= $as_of
    group by claim.row_id, coverage.category_id
),

doubts as (
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
    inner join policy.purposes as purpose
        on claim.purpose = purpose.purpose
    where claim.missing is not null
    group by claim.row_id, coverage.category_id, claim.purpose
),

doubtful as (
    select
        doubts.row_id,
        doubts.category_id,
        list_sort(list(doubts.purpose || ': ' || doubts.missing)) as missing
    from doubts
    group by doubts.row_id, doubts.category_id
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
        subject.record_type,
        subject.row_id,
        category.data_category,
        case
            when subject.not_personal then 'not_personal'
            when subject.is_restricted then 'restrict'
            when held.has_use = 1 then 'retain'
            when held.has_use = 0 then 'restrict'
            when doubtful.missing is not null or subject.is_orphan then 'review'
            else 'erase'
        end as disposition,
        case
            when subject.not_personal or subject.is_restricted or held.last_day = cast('9999-12-31' as date) then null
            else held.last_day
        end as keep_until,
        subject.is_restricted,
        doubtful.missing
    from subjects as subject
    inner join policy.categories as category
        on subject.record_type = category.record_type
    left join held
        on subject.row_id = held.row_id and category.category_id = held.category_id
    left join doubtful
        on subject.row_id = doubtful.row_id and category.category_id = doubtful.category_id
)

select
    decided.record_type,
    decided.row_id,
    decided.data_category,
    decided.disposition,
    decided.keep_until,
    case
        when decided.disposition = 'restrict' and decided.is_restricted then array['restriction (Art 18)']
        when decided.disposition = 'review' and decided.missing is not null then decided.missing
        when decided.disposition = 'review' then array['orphan']
    end as reasons
from decided
