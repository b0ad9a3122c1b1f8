-- A view: `retention.claims` with a bit per field instead of a row per category. Grain: a record, a purpose and a
-- clock; a record, a purpose and a category where several clocks of the purpose cover that category.
-- A claim on a category that has no classified field claims nothing.
with covered as (
    select
        coverage.purpose,
        coverage.clock,
        coverage.record_type,
        bit_or(categories.bits) as bits
    from policy.coverage
    inner join manifest.category_bits as categories
        on
            coverage.record_type = categories.record_type
            and coverage.data_category = categories.data_category
    where not coverage.is_shared
    group by
        coverage.purpose,
        coverage.clock,
        coverage.record_type
),

shared as (
    select
        claim.record_type,
        claim.row_id,
        claim.purpose,
        coverage.data_category,
        max(claim.ends_on) as ends_on,
        max(claim.missing) as missing
    from retention.purpose_claims as claim
    inner join policy.coverage
        on
            claim.purpose = coverage.purpose
            and claim.clock = coverage.clock
            and claim.record_type = coverage.record_type
    where claim.has_shared_clocks and coverage.is_shared
    group by
        claim.record_type,
        claim.row_id,
        claim.purpose,
        coverage.data_category
),

claimed as (
    select
        claim.record_type,
        claim.row_id,
        claim.purpose,
        claim.ends_on,
        claim.missing,
        covered.bits
    from retention.purpose_claims as claim
    inner join covered
        on
            claim.purpose = covered.purpose
            and claim.clock = covered.clock
            and claim.record_type = covered.record_type
    union all
    select
        shared.record_type,
        shared.row_id,
        shared.purpose,
        shared.ends_on,
        shared.missing,
        categories.bits
    from shared
    inner join manifest.category_bits as categories
        on
            shared.record_type = categories.record_type
            and shared.data_category = categories.data_category
)

select
    claimed.record_type,
    claimed.row_id,
    claimed.purpose,
    case when claimed.ends_on < cast('9999-12-31' as date) then claimed.ends_on end as keep_until,
    coalesce(claimed.ends_on >= evaluation.as_of, false) as is_active,
    claimed.missing,
    claimed.bits
from claimed
cross join retention.evaluation
