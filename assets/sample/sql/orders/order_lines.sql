-- One or two lines for each order. Grain: an order line.
select
    'R' || orders.number || '-' || cast(orders.i as varchar) as order_line_id,
    'O' || orders.number as order_id,
    case when not orders.is_cancelled then 'L' || orders.number end as delivery_id,
    one_of('products', orders.o + orders.i, 'product') as product,
    'Artikel ' || cast(100 + draw(orders.o + orders.i, 'article', 300) as varchar) as description,
    1 + draw(orders.o + orders.i, 'quantity', 12) as quantity,
    money(9900 + draw(orders.o + orders.i, 'price', 90000)) as unit_price
from (select
    *,
    unnest(range(1, 2 + draw(o, 'lines', 2))) as i
from sample_orders) as orders
