-- Fiscal years, fifteen back to the current one: September to August. Grain: a fiscal year.
select
    make_date(y, 9, 1) as starts_on,
    make_date(y + 1, 8, 31) as ends_on
from range(year(sample_day()) - 15, year(sample_day()) + 1) as years (y)
where getvariable('first') = 1
