-- Orders. Grain: an order. capacity: the stated one, else what the customer's kind says; null for a sole trader or
-- nobody.
select
    purchase.row_id as order_id,
    customer.row_id as customer_id,
    contact.row_id as contact_id,
    coalesce(
        purchase.purchase_capacity,
        case customer.customer_type when 'private' then 'private' when 'company' then 'business' end
    ) as capacity,
    purchase.placed_at as placed_on,
    purchase.status,
    coalesce(purchase.status = 'cancelled', false) as is_cancelled,
    purchase.closed_at as closed_on,
    purchase.in_source
from raw.orders_orders as purchase
left join raw.crm_customers as customer
    on purchase.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on purchase.contact_id = contact.contact_id
