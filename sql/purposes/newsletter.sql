-- Newsletter (Art 6(1)(a)): two years from the later of subscribing and last opening, until a word ends it.
-- Grain: a claim on a record.
-- Closed words: record_type, clock.
select
    'subscriber' as record_type,
    subscription.subscriber_id as row_id,
    'subscription' as clock,
    subscription.subscribed_on as starts_on,
    subscription.ends_on,
    subscription.ended_by,
    subscription.missing
from triggers.newsletter_subscriptions as subscription
union all
select
    'send' as record_type,
    send.send_id as row_id,
    'subscription' as clock,
    subscription.subscribed_on as starts_on,
    subscription.ends_on,
    subscription.ended_by,
    subscription.missing
from triggers.newsletter_subscriptions as subscription
inner join core.sends as send
    on subscription.subscriber_id = send.subscriber_id
union all
select
    'consent' as record_type,
    consent_end.consent_id as row_id,
    'subscription' as clock,
    consent_end.given_on as starts_on,
    consent_end.ends_on,
    consent_end.ended_by,
    consent_end.missing
from triggers.consent_ends as consent_end
where consent_end.purpose = 'newsletter'
