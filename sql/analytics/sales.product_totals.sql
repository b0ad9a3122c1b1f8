-- Everything that was ever ordered, by product: restricted and erased people included, nobody told apart. The sums
-- survive erasure: of an erased line its numbers stay, and a keyed hash of its product. A product's name is free text
-- that could name somebody: it is shown when at least $smallest_group different customers have bought it, guests not
-- counted; the others are folded into one, and with them the least bought where they would still be too few. Where
-- nothing is left to fold with, lines are counted and no numbers are told.
-- - product varchar: what was bought; null: too few customers bought it, or nobody's order names it any more
-- - lines bigint: how many order lines
-- - quantity decimal(18,4): how many, added up; null: too few customers have one
-- - amount decimal(18,4): quantity × unit price, added up; null: too few customers have one
with lines as (
    select
        order_lines.product_key,
        order_lines.product,
        orders.customer_id as known_customer,
        coalesce(
            orders.customer_id, 'order ' || order_lines.order_id, 'row ' || cast(order_lines.row_id as varchar)
        ) as customer,
        coalesce(order_lines.quantity, order_lines.known_quantity) as quantity,
        coalesce(order_lines.unit_price, order_lines.known_unit_price) as unit_price
    from raw.orders_order_lines as order_lines
    left join raw.orders_orders as orders on order_lines.order_id = orders.order_id
),

common_products as (
    select
        lines.product_key,
        min(lines.product) as product,
        row_number() over (order by count(distinct lines.customer), lines.product_key) as nth
    from lines
    where lines.product_key is not null
    group by lines.product_key
    having count(distinct lines.known_customer) >= $smallest_group and min(lines.product) is not null
),

remainder as (
    select count(distinct lines.customer) as customers
    from lines
    left join common_products on lines.product_key = common_products.product_key
    where common_products.product_key is null
),

published_products as (
    select
        common_products.product_key,
        common_products.product
    from common_products
    cross join remainder
    where common_products.nth > 1 or remainder.customers = 0 or remainder.customers >= $smallest_group
)

select
    published_products.product,
    count(*) as lines,
    case
        when count(distinct case when lines.quantity is not null then lines.customer end) >= $smallest_group
            then cast(sum(lines.quantity) as decimal(18, 4))
    end as quantity,
    case
        when
            count(distinct case when lines.quantity * lines.unit_price is not null then lines.customer end)
            >= $smallest_group
            then cast(sum(cast(lines.quantity * lines.unit_price as decimal(18, 4))) as decimal(18, 4))
    end as amount
from lines
left join published_products on lines.product_key = published_products.product_key
group by published_products.product
