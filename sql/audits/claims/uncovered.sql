-- Categories that a purpose claims although the register does not let it cover them.
with claimed as (
    select distinct
        claims.purpose,
        claims.record_type,
        claims.data_category
    from retention.claims as claims
)

select
    claimed.purpose,
    claimed.record_type,
    claimed.data_category
from claimed
where
    not exists (
        select 1 from policy.coverage as coverage
        where
            coverage.purpose = claimed.purpose
            and coverage.record_type = claimed.record_type
            and coverage.data_category = claimed.data_category
    )
