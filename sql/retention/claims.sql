-- Every purpose's hold on every category of every record. Grain: a record, a data category and a purpose.
-- keep_until is null when open-ended; missing names the trigger that a person has to look at.
with covered as (
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
),

summed as (
    select
        covered.record_type,
        covered.row_id,
        covered.data_category,
        covered.purpose,
        min(covered.starts_on) as starts_on,
        max(covered.ends_on) as ends_on,
        max(
            case
                when covered.ended_by is not null then cast(covered.ends_on as varchar) || ' ' || covered.ended_by
            end
        ) as last_word,
        max(covered.missing) as missing
    from covered
    group by covered.record_type, covered.row_id, covered.data_category, covered.purpose
)

select
    summed.record_type,
    summed.row_id,
    summed.data_category,
    summed.purpose,
    summed.starts_on,
    case when summed.ends_on < cast('9999-12-31' as date) then summed.ends_on end as keep_until,
    coalesce(summed.ends_on = cast('9999-12-31' as date), false) as open_ended,
    case
        when substr(summed.last_word, 1, 10) = cast(summed.ends_on as varchar) then substr(summed.last_word, 12)
    end as ended_by,
    summed.missing,
    coalesce(summed.ends_on >= $as_of, false) as is_active
from summed
