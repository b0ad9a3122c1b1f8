-- Whether an order is open or closed as of the day, or whether that cannot be known. Grain: an order.
-- state: open, closed (closed_on is its day) or missing (reason says why the closing day is a missing trigger).
-- still_open_on: the last day on which nobody wonders why it is not closed.
-- By parts: order_id of core.orders, triggers.order_deliveries, triggers.invoicing_ends.
with invoicing as (
    select
        invoicing_end.order_id,
        max(case when invoicing_end.ends_on is null or invoicing_end.ends_on > $as_of then 1 else 0 end) = 0
            as all_at_end,
        max(invoicing_end.ends_on) as last_end_on,
        max(invoicing_end.issued_on) as last_issued_on
    from triggers.invoicing_ends as invoicing_end
    where invoicing_end.order_id is not null
    group by invoicing_end.order_id
),

facts as (
    select
        purchase.order_id,
        purchase.customer_id,
        purchase.contact_id,
        purchase.capacity,
        purchase.is_cancelled,
        purchase.placed_on,
        purchase.status,
        purchase.closed_on,
        coalesce(delivery.deliveries, 0) as deliveries,
        coalesce(delivery.delivered, 0) as delivered,
        delivery.last_delivered_on,
        case
            when
                purchase.closed_on is null
                and not purchase.is_cancelled
                and delivery.deliveries = delivery.delivered
                and invoicing.all_at_end
                then greatest(delivery.last_delivered_on, invoicing.last_end_on)
        end as derived_closed_on,
        add_months(
            greatest(purchase.placed_on, delivery.last_delivered_on, invoicing.last_issued_on), still_open.months
        ) + still_open.days as still_open_on
    from core.orders as purchase
    inner join policy.periods as still_open
        on still_open.purpose = '*' and still_open.clock = 'still_open'
    left join triggers.order_deliveries as delivery
        on purchase.order_id = delivery.order_id
    left join invoicing
        on purchase.order_id = invoicing.order_id
),

reasons as (
    select
        facts.*,
        case
            when facts.closed_on <= $as_of and facts.closed_on < facts.placed_on then 'order_closed_before_placed'
            when facts.closed_on <= $as_of or facts.derived_closed_on is not null then null
            when facts.closed_on is null and facts.status in ('closed', 'cancelled') then 'order_closed_without_day'
            when facts.still_open_on < $as_of then 'order_open_too_long'
        end as reason
    from facts
)

select
    reasons.order_id,
    reasons.customer_id,
    reasons.contact_id,
    reasons.capacity,
    reasons.is_cancelled,
    reasons.placed_on,
    reasons.deliveries,
    reasons.delivered,
    reasons.last_delivered_on,
    case
        when reasons.reason is not null then 'missing'
        when reasons.closed_on <= $as_of or reasons.derived_closed_on is not null then 'closed'
        else 'open'
    end as state,
    case
        when reasons.reason is not null then null
        when reasons.closed_on <= $as_of then reasons.closed_on
        else reasons.derived_closed_on
    end as closed_on,
    reasons.reason,
    case
        when reasons.reason is not null then reasons.reason <> 'order_open_too_long'
        else coalesce(reasons.closed_on <= $as_of, false) or reasons.derived_closed_on is not null
    end as is_no_longer_open,
    reasons.still_open_on
from reasons
