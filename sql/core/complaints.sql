-- Complaints. Grain: a complaint; order_id is null for an orphan.
select
    complaint.row_id as complaint_id,
    purchase.row_id as order_id,
    complaint.opened_at as opened_on,
    complaint.closed_at as closed_on,
    complaint.in_source
from raw.orders_complaints as complaint
left join raw.orders_orders as purchase
    on complaint.order_id = purchase.order_id
