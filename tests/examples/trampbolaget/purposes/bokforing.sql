-- Bookkeeping (Art 6(1)(c)): through the seventh year after the invoice's own. Grain: a claim on an invoice.
select
    'invoice' as record_type,
    invoice.invoice_id as row_id,
    'arkiv' as clock,
    invoice.issued_on as starts_on,
    make_date(cast(year(add_months(invoice.issued_on, arkiv.months) + arkiv.days) as integer), 12, 31) as ends_on,
    cast(null as varchar) as ended_by,
    case when invoice.issued_on is null then 'faktura_utan_dag' end as missing
from core.invoices as invoice
inner join policy.periods as arkiv
    on arkiv.purpose = 'bokforing' and arkiv.clock = 'arkiv'
