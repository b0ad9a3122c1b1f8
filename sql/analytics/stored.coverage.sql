-- Beneath the views: the data categories that each clock covers.
-- - clock integer: the clock
-- - category integer: the category
-- - is_shared boolean: whether another clock of the purpose covers the category too
select
    clocks.clock,
    cast(coverage.category_id as integer) as category,
    coverage.is_shared
from policy.coverage
inner join published.stored.clocks
    on
        coverage.record_type = clocks.record_type
        and coverage.purpose = clocks.purpose
        and coverage.clock = clocks.name
