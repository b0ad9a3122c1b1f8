-- Deliveries. Grain: a delivery; a day before its order was placed counts as no day.
select
    delivery.row_id as delivery_id,
    purchase.row_id as order_id,
    case
        when purchase.placed_at is null or delivery.delivered_at >= purchase.placed_at then delivery.delivered_at
    end as delivered_on,
    delivery.in_source
from raw.orders_deliveries as delivery
left join raw.orders_orders as purchase
    on delivery.order_id = purchase.order_id
