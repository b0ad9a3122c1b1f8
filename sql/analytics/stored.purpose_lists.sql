-- Beneath the views: what the clocks that run come to for each data category. A few hundred different ones stand for
-- millions of rows.
-- - type integer: the kind of record
-- - clocks ubigint: the clocks that run, a bit each
-- - category integer: the category
-- - purposes varchar[]: the purposes of those that cover the category, sorted
with clock_sets as (
    select distinct
        records.type,
        records.clocks
    from published.stored.records
)

select
    clock_sets.type,
    clock_sets.clocks,
    coverage.category,
    list_sort(list(distinct clocks.purpose)) as purposes
from clock_sets
inner join published.stored.clocks
    on
        clock_sets.type = clocks.type
        and (clock_sets.clocks >> clocks.bit) & 1 = 1
inner join published.stored.coverage on clocks.clock = coverage.clock
group by clock_sets.type, clock_sets.clocks, coverage.category
