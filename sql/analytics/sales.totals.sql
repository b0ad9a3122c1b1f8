-- Everything that was ever invoiced, by month: restricted and erased people included, nobody told apart. The sums
-- survive erasure, because the rules remember the amounts they read.
-- - month date: the first day of the month of issue; null: not dated
-- - kind varchar: invoice or credit_note
-- - currency varchar: ISO 4217; null: not known any more
-- - invoices bigint: how many
-- - amount decimal(18,4): their amounts, added up
select
    cast(date_trunc('month', coalesce(invoices.issued_on, invoices.booked_on)) as date) as month,
    case when invoices.kind in ('invoice', 'credit_note') then invoices.kind end as kind,
    case when regexp_full_match(invoices.currency, '[A-Z]{3}') then invoices.currency end as currency,
    count(*) as invoices,
    cast(sum(coalesce(invoices.amount, invoices.known_amount)) as decimal(18, 4)) as amount
from raw.orders_invoices as invoices
group by
    cast(date_trunc('month', coalesce(invoices.issued_on, invoices.booked_on)) as date),
    case when invoices.kind in ('invoice', 'credit_note') then invoices.kind end,
    case when regexp_full_match(invoices.currency, '[A-Z]{3}') then invoices.currency end
