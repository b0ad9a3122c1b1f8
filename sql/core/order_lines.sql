-- Order lines. Grain: a line; order_id is null for an orphan.
select
    line.row_id as order_line_id,
    purchase.row_id as order_id,
    delivery.row_id as delivery_id,
    line.in_source
from raw.orders_order_lines as line
left join raw.orders_orders as purchase
    on line.order_id = purchase.order_id
left join raw.orders_deliveries as delivery
    on line.delivery_id = delivery.delivery_id
