-- Legal holds on one customer in two thousand; a third are released. Grain: a hold.
select
    'V' || cast(n as varchar) as hold_id,
    'customer' as record_type,
    customer_id as record_key,
    null as fields,
    moment(since + 30, n, 'held at') as placed_at,
    case when draw(n, 'released', 3) = 0 then moment(since + 400, n, 'released at') end as released_at,
    'tvist' as reason
from sample_customers
where draw(n, 'hold', 2000) = 0 and since + 30 <= sample_day()
