-- Consents: to the newsletter with every subscription, to web statistics from one customer in ten. Grain: a consent.
select
    'SN' || cast(n as varchar) as consent_id,
    customer_id,
    contact_id,
    email,
    'newsletter' as purpose,
    moment(subscribed_on, n, 'subscribed at') as given_at,
    left_at as withdrawn_at,
    'formulär v' || cast(1 + draw(n, 'form', 4) as varchar) as evidence
from sample_subscriptions
union all
select
    'SW' || cast(n as varchar) as consent_id,
    customer_id,
    null as contact_id,
    sample_email(n, '@hem.example') as email,
    'web_statistics' as purpose,
    moment(active_until - cast(draw(n, 'cookies', 100) as integer), n, 'cookies at') as given_at,
    null as withdrawn_at,
    'kakruta v2' as evidence
from sample_customers
where kind <> 'company' and draw(n, 'web consent', 10) = 0
