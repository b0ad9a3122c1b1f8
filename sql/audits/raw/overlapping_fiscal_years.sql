-- Fiscal years that begin before an earlier one has ended.
select later.row_id
from raw.office_fiscal_years as later
inner join raw.office_fiscal_years as earlier
    on
        earlier.starts_on < later.starts_on
        and earlier.ends_on >= later.starts_on
