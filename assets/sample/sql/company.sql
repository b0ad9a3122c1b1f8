-- The sample company that the exports are cut from: one view a kind of thing, on the draws of draws.sql.
-- Every trait is a function of a customer's number (and an order's place among theirs), so the exports agree with each
-- other without a join. Customers and orders, which many exports read, are worked out once for a range of customers.
-- Variables: that range, `first` to `last`; `seed`, `day`; `news_share`, how many customers in ten thousand have news
-- on the day; `news_told`, whether the exports tell it; `news_alone`, whether they tell of nobody else.

-- Customers: 60 % private persons, 15 % sole traders, 25 % companies; twelve years; a few giants and a long tail.
create or replace view customer_numbers as
select
    n,
    'K' || cast(1000 + n as varchar) as customer_id,
    case
        when draw(n, 'kind', 100) < 60 then 'private' when draw(n, 'kind', 100) < 75 then 'sole_trader' else 'company'
    end as kind,
    sample_day() - cast(1 + draw(n, 'since', 4380) as integer) as since,
    cast(draw(n, 'lasting', 5) * draw(n, 'lasting more', 900) as integer) as lasting,
    case
        when draw(n, 'giant', 10000) = 0 then 600
        when draw(n, 'giant', 10000) < 100 then 25
        else one_of('order_counts', n, 'orders')
    end as orders,
    case
        when getvariable('news_told') and draw(n, 'news', 10000) < getvariable('news_share')
            then one_of('kinds_of_news', n, 'which news')
    end as news
from range(cast(getvariable('first') as bigint), cast(getvariable('last') as bigint) + 1) as numbers (n)
where not getvariable('news_alone') or draw(n, 'news', 10000) < getvariable('news_share');

create or replace temp table sample_customers as
select
    *,
    least(since + lasting, sample_day() - 1) as active_until,
    case when draw(n, 'exit', 100) < 20 and since + lasting < sample_day() then since + lasting end as ended_on,
    case
        when kind = 'company'
            then
                one_of('firms', n, 'firm')
                || ' ' || cast(n as varchar) || ' AB'
        else sample_name(n)
    end as name,
    case when news = 'move' then -n else n end as home
from customer_numbers;

-- Contact persons: one to three for each company.
create or replace view sample_contacts as
select
    customer.n,
    customer.n * 10 + customer.i as c,
    customer.customer_id || '-' || cast(customer.i as varchar) as contact_id,
    customer.customer_id,
    customer.since,
    customer.active_until,
    sample_name(customer.n * 10 + customer.i) as name,
    sample_email(customer.n * 10 + customer.i, '@foretag.example') as email,
    case
        when draw(customer.n * 10 + customer.i, 'left', 100) < 20
            then customer.since + cast(draw(customer.n * 10 + customer.i, 'left on', 2000) as integer)
    end as role_ended_on
from (
    select
        *,
        unnest(range(1, 2 + draw(n, 'contacts', 3))) as i
    from sample_customers
    where kind = 'company'
) as customer;

-- Orders, spread over the time in which their customer was active; news brings one on the day. `o` is an order's number
-- for drawing.
create or replace view order_numbers as
select
    customer.n * 1000 + customer.i as o,
    customer.customer_id || '-' || cast(customer.i as varchar) as number,
    customer.customer_id,
    customer.kind,
    customer.name,
    customer.n,
    customer.news,
    case when customer.kind = 'company' then customer.n * 10 + 1 else customer.n end as person,
    case
        when customer.i > customer.orders then sample_day()
        else customer.since + cast(
            draw(
                customer.n * 1000 + customer.i, 'placed', 1 + date_diff('day', customer.since, customer.active_until)
            ) as integer
        )
    end as placed_on
from (select
    *,
    unnest(range(1, 1 + orders + case when news = 'order' then 1 else 0 end)) as i
from sample_customers) as customer;

create or replace temp table sample_orders as
select
    *,
    case
        when kind = 'company' then sample_name(person)
        else name
    end as buyer,
    draw(o, 'cancelled', 100) < 3 as is_cancelled,
    placed_on + cast(5 + draw(o, 'delivered', 30) as integer) as delivered_on,
    placed_on + cast(5 + draw(o, 'delivered', 30) + draw(o, 'invoiced', 4) as integer) as issued_on,
    money(25000 + draw(o, 'amount', 975000)) as amount,
    draw(o, 'unpaid', 100) < 3 as is_unpaid,
    draw(o, 'credited', 100) < 2 as is_credited
from order_numbers;

create or replace view sample_invoices as
select
    *,
    'F' || number as invoice_id,
    issued_on + 30 as due_on,
    issued_on + cast(3 + draw(o, 'paid', 45) as integer) as paid_on,
    coalesce(news = 'payment', false) as is_paid_tonight
from sample_orders
where not is_cancelled and issued_on <= sample_day();

-- Quotes: none to two for each customer.
create or replace view sample_quotes as
select
    customer.n * 10 + customer.i as q,
    'Q' || customer.customer_id || '-' || cast(customer.i as varchar) as quote_id,
    customer.customer_id,
    customer.kind,
    customer.since + cast(
        draw(
            customer.n * 10 + customer.i, 'requested', 1 + date_diff('day', customer.since, customer.active_until)
        ) as integer
    ) as requested_on
from (select
    *,
    unnest(range(1, 1 + draw(n, 'quotes', 3))) as i
from sample_customers) as customer;

-- Subscriptions of private persons, sole traders and companies' first contacts; each came with a consent.
create or replace view sample_subscriptions as
select
    n,
    customer_id,
    case when kind = 'company' then customer_id || '-1' end as contact_id,
    case when kind = 'company' then sample_name(n * 10 + 1) else name end as name,
    case
        when kind = 'company' then sample_email(n * 10 + 1, '@foretag.example')
        else sample_email(n, '@hem.example')
    end as email,
    since + cast(draw(n, 'subscribed', 60) as integer) as subscribed_on,
    case
        when draw(n, 'reads', 100) < 60
            then
                greatest(
                    active_until - cast(draw(n, 'opened', 300) as integer),
                    since + cast(draw(n, 'subscribed', 60) as integer)
                )
    end as opened_on,
    coalesce(
        case
            when draw(n, 'unsubscribed', 100) < 15
                then moment(since + cast(60 + draw(n, 'unsubscribed on', 900) as integer), n, 'left at')
        end,
        case when news = 'withdrawal' then tonight(n, 'left at') end
    ) as left_at
from sample_customers
where draw(n, 'newsletter', 100) < 35;
