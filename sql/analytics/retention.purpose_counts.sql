-- What each purpose holds on the day of evaluation: the active claims of retention.claims, counted.
-- - purpose varchar: the purpose's name in the register
-- - source varchar: the system that delivers the records
-- - record_type varchar: what the records are
-- - records bigint: how many records it holds something of
-- - categories bigint: how many data categories of them
with clock_sets as (
    select
        records.type,
        records.clocks,
        count(*) as records
    from published.stored.records
    group by records.type, records.clocks
),

held as (
    select distinct
        clock_sets.type,
        clock_sets.clocks,
        clock_sets.records,
        clocks.purpose,
        coverage.category
    from clock_sets
    inner join published.stored.clocks
        on
            clock_sets.type = clocks.type
            and (clock_sets.clocks >> clocks.bit) & 1 = 1
    inner join published.stored.coverage on clocks.clock = coverage.clock
),

by_set as (
    select
        held.type,
        held.clocks,
        held.records,
        held.purpose,
        count(*) as categories
    from held
    group by held.type, held.clocks, held.records, held.purpose
)

select
    by_set.purpose,
    types.source,
    types.record_type,
    cast(sum(by_set.records) as bigint) as records,
    cast(sum(by_set.records * by_set.categories) as bigint) as categories
from by_set
inner join published.stored.record_types as types on by_set.type = types.type
group by by_set.purpose, types.source, types.record_type
