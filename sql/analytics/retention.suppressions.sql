-- The suppression list as counts: addresses of people who have objected, by the month of their last objection.
-- - month date: the first day of that month
-- - addresses bigint: how many addresses
select
    cast(date_trunc('month', suppressions.since) as date) as month,
    count(*) as addresses
from retention.suppressions
group by cast(date_trunc('month', suppressions.since) as date)
