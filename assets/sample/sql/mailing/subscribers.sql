-- Newsletter subscribers. Grain: a subscription. One in ten is known to the mailing system by address and name alone.
select
    'S' || cast(n as varchar) as subscriber_id,
    case when contact_id is null and draw(n, 'loose', 10) > 0 then customer_id end as customer_id,
    case when draw(n, 'loose', 10) > 0 then contact_id end as contact_id,
    email,
    name,
    'nyhetsbrev' as list,
    moment(subscribed_on, n, 'subscribed at') as subscribed_at,
    left_at as unsubscribed_at,
    moment(opened_on, n, 'opened at') as last_opened_at
from sample_subscriptions
