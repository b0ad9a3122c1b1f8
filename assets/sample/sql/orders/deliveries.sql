-- One delivery for each order that was not cancelled; one in twenty goes straight from a partner. Grain: a delivery.
select
    'L' || number as delivery_id,
    'O' || number as order_id,
    case when draw(o, 'direct', 20) = 0 then 'frakt' end as partner_id,
    buyer as contact_name,
    sample_phone(person) as phone,
    sample_street(n) as street,
    sample_postal_code(n) as postal_code,
    sample_city(n) as city,
    case when draw(o, 'delivery day lost', 100) > 0 then moment(delivered_on, o, 'delivered at') end as delivered_at
from sample_orders
where not is_cancelled
