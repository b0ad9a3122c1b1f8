-- A customer with an order in sales.orders, under a keyed pseudonym: customers in ordinary use only.
-- - customer_pseudonym uuid: keyed pseudonym of the customer
-- - customer_type varchar: private, sole_trader or company
-- - orders bigint: how many of the customer's orders are in sales.orders
-- - first_placed_on date: the first of them
-- - last_placed_on date: the last of them
-- - amount decimal(18,4): their amounts, added up; null: none has one
with orders as (
    select
        published_orders.customer_pseudonym,
        count(*) as orders,
        min(published_orders.placed_on) as first_placed_on,
        max(published_orders.placed_on) as last_placed_on,
        cast(sum(published_orders.amount) as decimal(18, 4)) as amount
    from published.sales.orders as published_orders
    where published_orders.customer_pseudonym is not null
    group by published_orders.customer_pseudonym
),

-- Nobody else has a pseudonym in sales.orders.
customers as (
    select
        customers.customer_type,
        pseudonym('customer:' || customers.customer_id) as customer_pseudonym
    from raw.crm_customers as customers
    inner join retention.dispositions
        on
            dispositions.record_type = 'customer'
            and dispositions.data_category = 'identity'
            and customers.row_id = dispositions.row_id
    where customers.in_source and dispositions.disposition in ('retain', 'not_personal')
)

select
    orders.customer_pseudonym,
    case when customers.customer_type in ('private', 'sole_trader', 'company') then customers.customer_type end
        as customer_type,
    orders.orders,
    orders.first_placed_on,
    orders.last_placed_on,
    orders.amount
from customers
inner join orders on customers.customer_pseudonym = orders.customer_pseudonym
