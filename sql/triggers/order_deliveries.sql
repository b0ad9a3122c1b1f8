-- What has been delivered of each order as of the day. Grain: an order with deliveries.
-- A delivery that is still to come, or has no day, is not delivered.
select
    delivery.order_id,
    cast(count(*) as integer) as deliveries,
    cast(count(case when delivery.delivered_on <= $as_of then 1 end) as integer) as delivered,
    max(case when delivery.delivered_on <= $as_of then delivery.delivered_on end) as last_delivered_on
from core.deliveries as delivery
where delivery.order_id is not null
group by delivery.order_id
