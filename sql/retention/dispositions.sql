-- What the claims on each category of each record in the sources add up to on the day. Grain: a record and a data
-- category.
-- An open restriction (Art 18) comes first, then use, then duty, then doubt; what nobody claims is to be erased.
-- Most claims are over: those that hold, and those in doubt, are picked before anything is joined or grouped. Reasons
-- are lists, of which there are few different ones: they travel as numbers.
-- Categories of a record type that the same clocks cover are claimed alike and decided once, as a bundle. Legal holds
-- have a clock for each category, and no two categories would be alike: the few records that such a purpose claims are
-- singled out, and each of their categories is a bundle of its own.
-- By parts: row_id of retention.records, retention.purpose_claims.
-- Closed words: disposition.
with singling as (
    select
        coverage.record_type,
        coverage.purpose
    from policy.coverage
    group by coverage.record_type, coverage.purpose
    having count(distinct coverage.clock) > 1 and count(distinct coverage.clock) = count(*)
),

profiles as (
    select
        coverage.category_id,
        list_sort(list(cast(coverage.purpose as varchar) || ' ' || cast(coverage.clock as varchar))) as clocks
    from policy.coverage
    where
        not exists (
            select 1
            from singling
            where coverage.record_type = singling.record_type and coverage.purpose = singling.purpose
        )
    group by coverage.category_id
),

bundles as (
    select
        category.record_type,
        category.category_id,
        category.data_category,
        false as is_singled,
        min(category.category_id) over (partition by category.record_type, profile.clocks) as bundle_id
    from policy.categories as category
    left join profiles as profile
        on category.category_id = profile.category_id
    union all
    select
        category.record_type,
        category.category_id,
        category.data_category,
        true as is_singled,
        -1 - category.category_id as bundle_id
    from policy.categories as category
),

covered as (
    select distinct
        coverage.purpose,
        coverage.clock,
        coverage.record_type,
        bundle.is_singled,
        bundle.bundle_id
    from policy.coverage
    inner join bundles as bundle
        on coverage.category_id = bundle.category_id
),

singled as (
    select distinct
        claim.record_type,
        claim.row_id
    from retention.purpose_claims as claim
    inner join singling
        on claim.record_type = singling.record_type and claim.purpose = singling.purpose
    where claim.ends_on >= $as_of or claim.missing is not null
),

doubts as (
    select
        claim.row_id,
        covered.bundle_id,
        claim.purpose,
        max(claim.missing) as missing
    from retention.purpose_claims as claim
    left join singled
        on claim.record_type = singled.record_type and claim.row_id = singled.row_id
    inner join covered
        on
            claim.purpose = covered.purpose
            and claim.clock = covered.clock
            and claim.record_type = covered.record_type
            and covered.is_singled = (singled.row_id is not null)
    where claim.missing is not null
    group by claim.row_id, covered.bundle_id, claim.purpose
),

doubtful as (
    select
        doubts.row_id,
        doubts.bundle_id,
        list_sort(list(doubts.purpose || ': ' || doubts.missing)) as reasons
    from doubts
    group by doubts.row_id, doubts.bundle_id
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
        covered.bundle_id,
        claim.ends_on as last_day,
        case when purpose.class = 'use' then 1 else 0 end as is_use,
        cast(null as integer) as reasons_id
    from retention.purpose_claims as claim
    left join singled
        on claim.record_type = singled.record_type and claim.row_id = singled.row_id
    inner join covered
        on
            claim.purpose = covered.purpose
            and claim.clock = covered.clock
            and claim.record_type = covered.record_type
            and covered.is_singled = (singled.row_id is not null)
    inner join policy.purposes as purpose
        on claim.purpose = purpose.purpose
    where claim.ends_on >= $as_of
    union all
    select
        doubtful.row_id,
        doubtful.bundle_id,
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
        standing.bundle_id,
        max(standing.last_day) as last_day,
        max(standing.is_use) as is_use,
        max(standing.reasons_id) as reasons_id
    from standing
    group by standing.row_id, standing.bundle_id
),

subjects as (
    select
        record.record_type,
        record.row_id,
        record.not_personal,
        restricted.row_id is not null as is_restricted,
        orphan.row_id is not null as is_orphan,
        singled.row_id is not null as is_singled
    from retention.records as record
    left join triggers.restricted_records as restricted
        on record.record_type = restricted.record_type and record.row_id = restricted.row_id
    left join triggers.orphans as orphan
        on record.record_type = orphan.record_type and record.row_id = orphan.row_id
    left join singled
        on record.record_type = singled.record_type and record.row_id = singled.row_id
),

-- claimable_id: null where no clock covers the bundle, so that its claims are not looked for.
subject_bundles as (
    select distinct
        bundle.record_type,
        bundle.is_singled,
        bundle.bundle_id,
        covered.bundle_id as claimable_id
    from bundles as bundle
    left join covered
        on bundle.bundle_id = covered.bundle_id
),

decided as (
    select
        subject.row_id,
        bundle.bundle_id,
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
    inner join subject_bundles as bundle
        on subject.record_type = bundle.record_type and subject.is_singled = bundle.is_singled
    left join summed
        on subject.row_id = summed.row_id and bundle.claimable_id = summed.bundle_id
)

select
    bundle.record_type,
    decided.row_id,
    bundle.data_category,
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
inner join bundles as bundle
    on decided.bundle_id = bundle.bundle_id
