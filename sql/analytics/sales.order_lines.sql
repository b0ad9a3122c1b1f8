-- Lines of the orders in sales.orders: what was bought. A product's name is free text that could name somebody: it is
-- shown when at least $smallest_group different customers have bought it.
-- - order_pseudonym uuid: keyed pseudonym of the order
-- - product varchar: what was bought; null: too few customers bought it
-- - quantity decimal(18,4): how many
-- - unit_price decimal(18,4): price of one
-- - amount decimal(18,4): quantity × unit price
with lines as (
    select
        order_lines.order_id,
        order_lines.product,
        order_lines.quantity,
        order_lines.unit_price
    from raw.orders_order_lines as order_lines
    where order_lines.in_source
),

-- Every line of an order in sales.orders is in ordinary use: no other is looked for, under a pseudonym or at all.
lines_in_use as (
    select
        order_lines.order_id,
        order_lines.product,
        order_lines.quantity,
        order_lines.unit_price
    from raw.orders_order_lines as order_lines
    inner join retention.dispositions
        on
            dispositions.record_type = 'order_line'
            and dispositions.data_category = 'transaction'
            and order_lines.row_id = dispositions.row_id
    where order_lines.in_source and dispositions.disposition = 'retain'
),

-- A pseudonym is two keyed hashes: one an order.
orders_in_use as (
    select
        lines_in_use.order_id,
        pseudonym('order:' || lines_in_use.order_id) as order_pseudonym
    from lines_in_use
    group by lines_in_use.order_id
),

common_products as (
    select lines.product
    from lines
    inner join raw.orders_orders as orders on lines.order_id = orders.order_id
    group by lines.product
    having count(distinct orders.customer_id) >= $smallest_group
)

select
    published_orders.order_pseudonym,
    common_products.product,
    lines_in_use.quantity,
    lines_in_use.unit_price,
    cast(lines_in_use.quantity * lines_in_use.unit_price as decimal(18, 4)) as amount
from lines_in_use
inner join orders_in_use on lines_in_use.order_id = orders_in_use.order_id
inner join published.sales.orders as published_orders
    on orders_in_use.order_pseudonym = published_orders.order_pseudonym
left join common_products on lines_in_use.product = common_products.product
