-- A view: every purpose's hold on every category of every record. Grain: a record, a data category and a purpose.
-- keep_until is null when open-ended; missing names the trigger that a person has to look at.
-- A purpose has one row for a record and a clock, so claims are summed only where several of its clocks cover the
-- same category.
with single as (
    select
        claim.record_type,
        claim.row_id,
        coverage.data_category,
        claim.purpose,
        claim.starts_on,
        claim.ends_on,
        claim.ended_by,
        claim.missing
    from retention.purpose_claims as claim
    inner join policy.coverage
        on
            claim.purpose = coverage.purpose
            and claim.clock = coverage.clock
            and claim.record_type = coverage.record_type
    where not coverage.is_shared
),

shared as (
    select
        claim.record_type,
        claim.row_id,
        coverage.data_category,
        claim.purpose,
        min(claim.starts_on) as starts_on,
        max(claim.ends_on) as ends_on,
        max(
            case when claim.ended_by is not null then cast(claim.ends_on as varchar) || ' ' || claim.ended_by end
        ) as last_word,
        max(claim.missing) as missing
    from retention.purpose_claims as claim
    inner join policy.coverage
        on
            claim.purpose = coverage.purpose
            and claim.clock = coverage.clock
            and claim.record_type = coverage.record_type
    where claim.has_shared_clocks and coverage.is_shared
    group by claim.record_type, claim.row_id, coverage.data_category, claim.purpose
),

summed as (
    select
        single.record_type,
        single.row_id,
        single.data_category,
        single.purpose,
        single.starts_on,
        single.ends_on,
        case when single.ends_on is not null then single.ended_by end as ended_by,
        single.missing
    from single
    union all
    select
        shared.record_type,
        shared.row_id,
        shared.data_category,
        shared.purpose,
        shared.starts_on,
        shared.ends_on,
        case
            when substr(shared.last_word, 1, 10) = cast(shared.ends_on as varchar) then substr(shared.last_word, 12)
        end as ended_by,
        shared.missing
    from shared
)

select
    summed.record_type,
    summed.row_id,
    summed.data_category,
    summed.purpose,
    summed.starts_on,
    case when summed.ends_on < cast('9999-12-31' as date) then summed.ends_on end as keep_until,
    coalesce(summed.ends_on = cast('9999-12-31' as date), false) as open_ended,
    summed.ended_by,
    summed.missing,
    coalesce(summed.ends_on >= evaluation.as_of, false) as is_active
from summed
cross join retention.evaluation
