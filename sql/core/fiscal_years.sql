-- The company's fiscal years. Grain: a year.
select
    fiscal_year.starts_on,
    fiscal_year.ends_on
from raw.office_fiscal_years as fiscal_year
where fiscal_year.starts_on is not null and fiscal_year.ends_on is not null
