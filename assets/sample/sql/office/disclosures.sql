-- What partners were given: the addresses of direct deliveries. Grain: a disclosure.
select
    'Y' || number as disclosure_id,
    'frakt' as partner_id,
    'delivery' as record_type,
    'L' || number as record_key,
    'contact_name;phone;street;postal_code;city' as fields,
    moment(placed_on + 2, o, 'disclosed at') as disclosed_at
from sample_orders
where not is_cancelled and placed_on + 2 <= sample_day() and draw(o, 'direct', 20) = 0
