-- Beneath the views: the kinds of records, numbered. A record's number is its surrogate × types + type.
-- - type integer: the kind's number, from nought
-- - record_type varchar: what the records are: customer, order, invoice …
-- - source varchar: the system that delivers them
-- - types integer: how many kinds there are
select
    cast(row_number() over (order by records.record_type) - 1 as integer) as type,
    records.record_type,
    records.source,
    cast(count(*) over () as integer) as types
from policy.records
