-- What people have said (or that they died), and on which day. Grain: a person, a word and a day.
-- word: objection, newsletter_withdrawal, statistics_withdrawal, erasure_request, death.
select
    request.person_id,
    case request.kind when 'objection' then 'objection' else 'erasure_request' end as word,
    request.received_on as on_day
from triggers.request_people as request
where request.kind in ('objection', 'erasure')
union
select
    request.person_id,
    'newsletter_withdrawal' as word,
    request.received_on as on_day
from triggers.request_people as request
where request.kind = 'withdrawal' and coalesce(request.scope, 'newsletter') = 'newsletter'
union
select
    request.person_id,
    'statistics_withdrawal' as word,
    request.received_on as on_day
from triggers.request_people as request
where request.kind = 'withdrawal' and coalesce(request.scope, 'web_statistics') = 'web_statistics'
union
select
    owner.person_id,
    case consent.purpose when 'newsletter' then 'newsletter_withdrawal' else 'statistics_withdrawal' end as word,
    consent.withdrawn_on as on_day
from core.consents as consent
inner join triggers.consent_owners as owner
    on consent.consent_id = owner.consent_id
where
    consent.withdrawn_on <= $as_of
    and consent.purpose in ('newsletter', 'web_statistics')
    and owner.person_id is not null
union
select
    person.person_id,
    'newsletter_withdrawal' as word,
    subscriber.unsubscribed_on as on_day
from core.subscribers as subscriber
inner join core.people as person
    on subscriber.subscriber_id * 4 + 2 = person.node_id
where subscriber.unsubscribed_on <= $as_of
union
select
    person.person_id,
    'newsletter_withdrawal' as word,
    withdrawal.on_day
from triggers.address_withdrawals as withdrawal
inner join core.person_nodes as node
    on withdrawal.email_key = node.email_key
inner join core.people as person
    on node.node_id = person.node_id
union
select
    person.person_id,
    'newsletter_withdrawal' as word,
    withdrawal.on_day
from triggers.address_withdrawals as withdrawal
inner join core.former_addresses as former
    on withdrawal.email_key = former.email_key
inner join core.people as person
    on former.node_id = person.node_id
where withdrawal.on_day <= coalesce(former.replaced_on, withdrawal.on_day)
union
select
    owner.person_id,
    'newsletter_withdrawal' as word,
    withdrawal.on_day
from triggers.address_withdrawals as withdrawal
inner join core.consents as consent
    on withdrawal.email_key = consent.email_key
inner join triggers.consent_owners as owner
    on consent.consent_id = owner.consent_id
where owner.person_id is not null
union
select
    person.person_id,
    'death' as word,
    customer.deceased_on as on_day
from core.customers as customer
inner join core.people as person
    on customer.customer_id * 4 = person.node_id
where customer.deceased_on <= $as_of
