-- The day through which complaint evidence is in doubt, because the order's capacity is not known: after it, even the
-- longer period is over. Grain: a delivery of such an order.
-- No purpose reads it: it stands here so that a night can find by a date what that day turns.
select
    delivery.delivery_id,
    delivery.order_id,
    greatest(
        add_months(delivery.delivered_on, private.months) + private.days,
        add_months(delivery.delivered_on, business.months) + business.days
    ) as doubtful_through
from core.deliveries as delivery
inner join core.orders as purchase
    on delivery.order_id = purchase.order_id
inner join policy.periods as private
    on private.purpose = 'complaint_evidence' and private.clock = 'private'
inner join policy.periods as business
    on business.purpose = 'complaint_evidence' and business.clock = 'business'
where purchase.capacity is null and delivery.delivered_on is not null
