-- Purposes that make claims although the register lets them cover nothing: what they claim is not kept.
-- A category that the register does not let a purpose cover cannot be claimed at all: claims are joined with it.
with claiming as (
    select distinct claims.purpose
    from retention.purpose_claims as claims
)

select claiming.purpose
from claiming
where
    not exists (
        select 1 from policy.coverage as coverage
        where coverage.purpose = claiming.purpose
    )
