-- Fiscal years that begin before an earlier one has ended.
select later.row_id
from raw.office_fiscal_years as later
inner join raw.office_fiscal_years as earlier
    on
        later.starts_on > earlier.starts_on
        and later.starts_on <= earlier.ends_on
where later.in_source and earlier.in_source
