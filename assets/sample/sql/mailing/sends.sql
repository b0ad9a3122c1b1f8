-- Campaign mails: two for each subscription. Grain: a mail sent to a subscriber.
select
    'U' || cast(n as varchar) || '-' || cast(i as varchar) as send_id,
    'S' || cast(n as varchar) as subscriber_id,
    'kampanj-' || cast(year(subscribed_on + cast(30 * i as integer)) as varchar) as campaign,
    moment(subscribed_on + cast(30 * i as integer), n + i, 'mailed at') as sent_at,
    case
        when draw(n + i, 'opens', 2) = 0
            then moment(subscribed_on + cast(30 * i as integer) + 1, n + i, 'mail opened at')
    end as opened_at
from (select
    *,
    unnest(range(1, 3)) as i
from sample_subscriptions) as sends
where subscribed_on + cast(30 * i as integer) <= sample_day()
