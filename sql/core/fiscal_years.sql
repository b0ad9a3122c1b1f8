-- The company's fiscal years, as registered now and as once read. Grain: a year.
select
    fiscal_year.starts_on,
    fiscal_year.ends_on,
    fiscal_year.in_source
from raw.office_fiscal_years as fiscal_year
where fiscal_year.starts_on is not null and fiscal_year.ends_on is not null
