-- Dispositions that the claims do not bear out, read from what the purposes claim once more:
-- - kept without a claim that holds, or restricted where a use holds, outside an open restriction (Art 18)
-- - up for erasure or review although a claim holds, up for erasure although a trigger is missing
-- - kept until another day than that of the latest claim that holds, or with an end although one has none
-- Both sides are summed up by record type and category first: how many records are kept or in doubt, and a signature
-- of which, how and until when. Where the sums differ, and there alone, records are compared one by one. That nothing
-- is decided twice, another audit sees. Categories that the same clocks cover are claimed alike and summed once, but
-- for records that a purpose with a clock for each category (a legal hold) claims.
-- By parts: row_id of retention.dispositions, retention.purpose_claims.
with apart as (
    select
        coverage.record_type,
        coverage.purpose
    from policy.coverage as coverage
    group by coverage.record_type, coverage.purpose
    having count(distinct coverage.clock) > 1 and count(distinct coverage.clock) = count(*)
),

alike as (
    select
        coverage.record_type,
        coverage.data_category,
        string_agg(coverage.purpose || ' ' || coverage.clock, ';' order by coverage.purpose, coverage.clock) as clocks
    from policy.coverage as coverage
    left join apart on coverage.record_type = apart.record_type and coverage.purpose = apart.purpose
    where apart.purpose is null
    group by coverage.record_type, coverage.data_category
),

bundles as (
    select
        categories.record_type,
        categories.data_category,
        false as is_apart,
        min(categories.category_id) over (partition by categories.record_type, alike.clocks) as bundle
    from policy.categories as categories
    left join alike
        on categories.record_type = alike.record_type and categories.data_category = alike.data_category
    union all
    select
        categories.record_type,
        categories.data_category,
        true as is_apart,
        -1 - categories.category_id as bundle
    from policy.categories as categories
),

covered as (
    select distinct
        coverage.record_type,
        coverage.purpose,
        coverage.clock,
        coalesce(purposes.class = 'use', false) as is_use,
        bundles.is_apart,
        bundles.bundle
    from policy.coverage as coverage
    left join policy.purposes as purposes on coverage.purpose = purposes.purpose
    inner join bundles
        on coverage.record_type = bundles.record_type and coverage.data_category = bundles.data_category
),

records_apart as (
    select distinct
        claims.record_type,
        claims.row_id
    from retention.purpose_claims as claims
    inner join apart on claims.record_type = apart.record_type and claims.purpose = apart.purpose
    cross join retention.evaluation as evaluation
    where claims.ends_on >= evaluation.as_of or claims.missing is not null
),

described as (
    select
        categories.record_type,
        count(*) as number
    from policy.categories as categories
    group by categories.record_type
),

-- Records of which no category is for the claims to decide.
unclaimable as (
    select
        dispositions.record_type,
        dispositions.row_id
    from retention.dispositions as dispositions
    inner join described on dispositions.record_type = described.record_type
    where
        dispositions.disposition = 'not_personal'
        or (
            dispositions.disposition in ('retain', 'restrict')
            and list_contains(dispositions.reasons, 'restriction (Art 18)')
        )
    group by dispositions.record_type, dispositions.row_id, described.number
    having count(distinct dispositions.data_category) = described.number
),

holding as (
    select
        claims.row_id,
        covered.bundle,
        max(claims.ends_on) filter (where claims.ends_on >= evaluation.as_of) as last_day,
        coalesce(bool_or(covered.is_use) filter (where claims.ends_on >= evaluation.as_of), false) as is_used
    from retention.purpose_claims as claims
    cross join retention.evaluation as evaluation
    left join records_apart
        on claims.record_type = records_apart.record_type and claims.row_id = records_apart.row_id
    left join unclaimable
        on claims.record_type = unclaimable.record_type and claims.row_id = unclaimable.row_id
    inner join covered
        on
            claims.record_type = covered.record_type
            and claims.purpose = covered.purpose
            and claims.clock = covered.clock
            and covered.is_apart = (records_apart.row_id is not null)
    where (claims.ends_on >= evaluation.as_of or claims.missing is not null) and unclaimable.row_id is null
    group by claims.row_id, covered.bundle
),

signed as (
    select
        holding.bundle,
        count(*) as number,
        sum(hash(
            holding.row_id,
            coalesce(holding.last_day, date '9999-12-31'),
            case when holding.last_day is null then 0 when holding.is_used then 2 else 1 end
        )) as signature
    from holding
    group by holding.bundle
),

claimed as (
    select
        bundles.record_type,
        bundles.data_category,
        sum(signed.number) as number,
        sum(signed.signature) as signature
    from signed
    inner join bundles on signed.bundle = bundles.bundle
    group by bundles.record_type, bundles.data_category
),

decided as (
    select
        dispositions.record_type,
        dispositions.data_category,
        count(*) as number,
        sum(hash(
            dispositions.row_id,
            coalesce(dispositions.keep_until, date '9999-12-31'),
            case dispositions.disposition when 'review' then 0 when 'retain' then 2 else 1 end
        )) as signature
    from retention.dispositions as dispositions
    where
        dispositions.disposition in ('retain', 'restrict', 'review')
        and (
            dispositions.reasons is null
            or case dispositions.disposition
                when 'review' then dispositions.reasons <> ['orphan']
                else not list_contains(dispositions.reasons, 'restriction (Art 18)')
            end
        )
    group by dispositions.record_type, dispositions.data_category
),

suspected as (
    select
        coalesce(claimed.record_type, decided.record_type) as record_type,
        coalesce(claimed.data_category, decided.data_category) as data_category
    from claimed
    full outer join decided
        on claimed.record_type = decided.record_type and claimed.data_category = decided.data_category
    where
        claimed.number is distinct from decided.number
        or claimed.signature is distinct from decided.signature
),

closely as (
    select
        coverage.record_type,
        coverage.data_category,
        claims.row_id,
        bool_or(coalesce(claims.ends_on >= evaluation.as_of, false)) as is_held,
        bool_or(coalesce(claims.ends_on >= evaluation.as_of and purposes.class = 'use', false)) as is_used,
        bool_or(claims.missing is not null) as is_in_doubt,
        max(claims.ends_on) filter (where claims.ends_on >= evaluation.as_of) as last_day
    from retention.purpose_claims as claims
    cross join retention.evaluation as evaluation
    inner join policy.coverage as coverage
        on
            claims.record_type = coverage.record_type
            and claims.purpose = coverage.purpose
            and claims.clock = coverage.clock
    inner join suspected
        on coverage.record_type = suspected.record_type and coverage.data_category = suspected.data_category
    left join policy.purposes as purposes on claims.purpose = purposes.purpose
    where claims.ends_on >= evaluation.as_of or claims.missing is not null
    group by coverage.record_type, coverage.data_category, claims.row_id
)

select
    dispositions.record_type,
    dispositions.row_id,
    dispositions.data_category
from retention.dispositions as dispositions
inner join suspected
    on
        dispositions.record_type is not distinct from suspected.record_type
        and dispositions.data_category is not distinct from suspected.data_category
left join closely
    on
        dispositions.record_type = closely.record_type
        and dispositions.row_id = closely.row_id
        and dispositions.data_category = closely.data_category
where
    case dispositions.disposition
        when 'erase' then coalesce(closely.is_held or closely.is_in_doubt, false)
        when 'review' then coalesce(closely.is_held, false)
        when 'not_personal' then false
        else
            not coalesce(list_contains(dispositions.reasons, 'restriction (Art 18)'), false)
            and (
                not coalesce(closely.is_held, false)
                or closely.is_used is distinct from (dispositions.disposition = 'retain')
                or dispositions.keep_until
                is distinct from case when closely.last_day < date '9999-12-31' then closely.last_day end
            )
    end
