-- Days on which the newsletter was withdrawn for an e-mail address, by unsubscribing or by withdrawing a consent.
-- Grain: an address and a day.
select
    subscriber.email_key,
    subscriber.unsubscribed_on as on_day
from core.subscribers as subscriber
where subscriber.email_key is not null and subscriber.unsubscribed_on <= $as_of
union
select
    consent.email_key,
    consent.withdrawn_on as on_day
from core.consents as consent
where consent.email_key is not null and consent.purpose = 'newsletter' and consent.withdrawn_on <= $as_of
union
select
    former.email_key,
    subscriber.unsubscribed_on as on_day
from core.subscribers as subscriber
inner join core.former_addresses as former
    on subscriber.subscriber_id = former.subscriber_id
where
    subscriber.unsubscribed_on <= $as_of
    and subscriber.unsubscribed_on <= coalesce(former.replaced_on, subscriber.unsubscribed_on)
union
select
    former.email_key,
    consent.withdrawn_on as on_day
from core.consents as consent
inner join core.former_addresses as former
    on consent.consent_id = former.consent_id
where
    consent.purpose = 'newsletter'
    and consent.withdrawn_on <= $as_of
    and consent.withdrawn_on <= coalesce(former.replaced_on, consent.withdrawn_on)
