-- The suppression list: addresses whose owner has objected and has no later opt-in that still stands: one that was
-- withdrawn or is over lets the objection speak again. Keyed hashes and nothing else.
-- Grain: a keyed hash of a normalised e-mail address. since: the day of the last objection.
-- It lives on what was read: it stands after every value of that person has been erased.
with objections as (
    select
        node.email_key,
        request.received_on as on_day
    from triggers.request_people as request
    inner join core.people as person
        on request.person_id = person.person_id
    inner join core.person_nodes as node
        on person.node_id = node.node_id
    where request.kind = 'objection' and node.email_key is not null
    union all
    select
        former.email_key,
        request.received_on as on_day
    from triggers.request_people as request
    inner join core.people as person
        on request.person_id = person.person_id
    inner join core.former_addresses as former
        on person.node_id = former.node_id
    where request.kind = 'objection' and request.received_on <= coalesce(former.replaced_on, request.received_on)
    union all
    select
        request.email_key,
        request.received_on as on_day
    from triggers.requests_in_force as request
    where request.kind = 'objection' and request.email_key is not null
),

last_objections as (
    select
        objections.email_key,
        max(objections.on_day) as since
    from objections
    group by objections.email_key
),

opt_ins as (
    select
        subscriber.email_key,
        subscriber.subscribed_on as on_day
    from core.subscribers as subscriber
    inner join triggers.newsletter_subscriptions as subscription
        on subscriber.subscriber_id = subscription.subscriber_id
    where subscription.ends_on >= $as_of
    union all
    select
        consent.email_key,
        consent.given_on as on_day
    from core.consents as consent
    inner join triggers.consent_ends as consent_end
        on consent.consent_id = consent_end.consent_id
    where consent.purpose = 'newsletter' and consent_end.ends_on >= $as_of
)

select
    last_objections.email_key,
    last_objections.since
from last_objections
where
    not exists (
        select 1
        from opt_ins
        where
            opt_ins.email_key = last_objections.email_key
            and opt_ins.on_day > last_objections.since
            and opt_ins.on_day <= $as_of
    )
