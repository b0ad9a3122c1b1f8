-- Beneath the views: the clocks of each purpose, for each kind of record that they cover, numbered.
-- - clock integer: the number
-- - bit integer: its bit among the clocks of that kind of record
-- - type integer: the kind of record
-- - record_type varchar: what the records are
-- - purpose varchar: the purpose's name in the register
-- - name varchar: the clock's name
-- - position integer: the purpose's place in the register
-- - class varchar: use or duty
-- - legal_basis varchar: articles of the GDPR, as DPV writes them
with covering as (
    select distinct
        coverage.record_type,
        coverage.purpose,
        coverage.clock
    from policy.coverage
)

select
    cast(row_number() over (order by covering.record_type, covering.purpose, covering.clock) as integer) as clock,
    cast(
        row_number() over (partition by covering.record_type order by covering.purpose, covering.clock) - 1 as integer
    ) as bit,
    types.type,
    covering.record_type,
    covering.purpose,
    covering.clock as name,
    purposes.position,
    purposes.class,
    purposes.legal_basis
from covering
inner join published.stored.record_types as types on covering.record_type = types.record_type
inner join policy.purposes on covering.purpose = purposes.purpose
