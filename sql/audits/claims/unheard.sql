-- Clocks that a purpose's SQL starts and the register does not know for that purpose: what they claim is not kept.
with started as (
    select distinct
        claims.purpose,
        claims.clock
    from retention.purpose_claims as claims
)

select
    started.purpose,
    started.clock
from started
where
    not exists (
        select 1 from policy.coverage as coverage
        where
            coverage.purpose = started.purpose
            and coverage.clock = started.clock
    )
