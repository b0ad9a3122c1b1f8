-- Everything that was ever invoiced, by month: restricted and erased people included, nobody told apart. The sums
-- survive erasure, because the rules remember the amounts they read. What fewer than $smallest_group customers share is
-- folded: a currency into no currency, a month into no month, and with it the smallest month beside it where it would
-- still be too small alone. Where nothing is left to fold with, they are counted and no amount is told; nor is one
-- of several currencies, which add up to nothing.
-- - month date: the first day of the month of issue; null: not dated, or too few customers to stand alone
-- - kind varchar: invoice or credit_note
-- - currency varchar: ISO 4217; null: not stated, or too few customers to stand alone
-- - invoices bigint: how many
-- - amount decimal(18,4): their amounts, added up; null: too few customers have one, or they are of several currencies
with invoices as (
    select
        cast(date_trunc('month', coalesce(invoices.issued_on, invoices.booked_on)) as date) as month,
        case when invoices.kind in ('invoice', 'credit_note') then invoices.kind else '' end as kind,
        case
            when regexp_full_match(coalesce(invoices.currency, invoices.known_currency), '[A-Z]{3}')
                then coalesce(invoices.currency, invoices.known_currency)
            else ''
        end as currency,
        coalesce(
            invoices.customer_id, orders.customer_id, 'order ' || invoices.order_id,
            'row ' || cast(invoices.row_id as varchar)
        ) as customer,
        coalesce(invoices.amount, invoices.known_amount) as amount
    from raw.orders_invoices as invoices
    left join raw.orders_orders as orders on invoices.order_id = orders.order_id
),

common_currencies as (
    select
        invoices.kind,
        invoices.currency
    from invoices
    group by invoices.kind, invoices.currency
    having count(distinct invoices.customer) >= $smallest_group
),

by_currency as (
    select
        invoices.month,
        invoices.kind,
        invoices.currency as stated_currency,
        coalesce(common_currencies.currency, '') as currency,
        invoices.customer,
        invoices.amount
    from invoices
    left join common_currencies
        on
            invoices.kind = common_currencies.kind
            and invoices.currency = common_currencies.currency
),

months as (
    select
        by_currency.month,
        by_currency.kind,
        by_currency.currency,
        count(distinct by_currency.customer) as customers
    from by_currency
    group by by_currency.month, by_currency.kind, by_currency.currency
),

large_months as (
    select
        months.month,
        months.kind,
        months.currency,
        row_number() over (partition by months.kind, months.currency order by months.customers, months.month) as nth
    from months
    where months.customers >= $smallest_group and months.month is not null
),

remainders as (
    select
        by_currency.kind,
        by_currency.currency,
        count(distinct by_currency.customer) as customers
    from by_currency
    left join large_months
        on
            by_currency.month = large_months.month
            and by_currency.kind = large_months.kind
            and by_currency.currency = large_months.currency
    where large_months.month is null
    group by by_currency.kind, by_currency.currency
),

published_months as (
    select
        large_months.month,
        large_months.kind,
        large_months.currency
    from large_months
    left join remainders
        on
            large_months.kind = remainders.kind
            and large_months.currency = remainders.currency
    where large_months.nth > 1 or coalesce(remainders.customers >= $smallest_group, true)
)

select
    published_months.month,
    nullif(by_currency.kind, '') as kind,
    nullif(by_currency.currency, '') as currency,
    count(*) as invoices,
    case
        when
            count(distinct case when by_currency.amount is not null then by_currency.customer end) >= $smallest_group
            and count(distinct case when by_currency.amount is not null then by_currency.stated_currency end) = 1
            then cast(sum(by_currency.amount) as decimal(18, 4))
    end as amount
from by_currency
left join published_months
    on
        by_currency.month = published_months.month
        and by_currency.kind = published_months.kind
        and by_currency.currency = published_months.currency
group by published_months.month, by_currency.kind, by_currency.currency
