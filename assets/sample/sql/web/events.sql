-- Visits of the web shop in the last 500 days: three for one customer in four. News brings one more,
-- or the shop forgets them. Grain: an event.
select
    'W' || cast(n as varchar) || '-' || cast(i as varchar) as event_id,
    case when draw(n, 'logged in', 3) > 0 then customer_id end as customer_id,
    'c' || cast(n as varchar) as cookie_id,
    '192.0.2.' || cast(draw(n + i, 'ip', 250) as varchar) as ip,
    'Mozilla/5.0 (exempel)' as user_agent,
    one_of('visit_kinds', n + i, 'kind') as kind,
    one_of('visit_pages', n + i, 'url') as url,
    draw(n, 'statistics', 10) < 6 as statistics_consent,
    case
        when i > 3 then tonight(n + i, 'visited at')
        else moment(sample_day() - cast(draw(n * 10 + i, 'visited', 500) as integer), n + i, 'visited at')
    end as occurred_at
from (select
    *,
    unnest(range(1, case news when 'visit' then 5 when 'forgotten' then 1 else 4 end)) as i
from sample_customers
where draw(n, 'web', 4) = 0) as visits
