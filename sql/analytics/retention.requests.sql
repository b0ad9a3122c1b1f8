-- A request of a data subject, as the office's register has it: its state, not who asked.
-- - request_id varchar: the register's own number
-- - kind varchar: erasure, access, portability, objection, withdrawal, restriction, rectification or termination
-- - scope varchar: what a withdrawal is about: newsletter or web_statistics; null: everything
-- - named_by varchar: how the request names the person: customer, contact or email; null: no longer kept
-- - received_at date: the local day on which it came
-- - identity_verified_at date: the local day on which the person's identity was verified
-- - identity_asked_at date: the local day on which the person was asked to show who they are; the clock is paused
-- - extended_at date: the local day on which the time to answer was extended; null also where that is before it came
-- - answered_at date: the local day on which it was answered; null: open, also where that is before it came
select
    requests.request_id,
    case
        when
            requests.kind in (
                'erasure', 'access', 'portability', 'objection', 'withdrawal', 'restriction', 'rectification',
                'termination'
            )
            then requests.kind
        else 'unknown'
    end as kind,
    case
        when requests.scope is null or requests.scope in ('newsletter', 'web_statistics') then requests.scope
        else 'unknown'
    end as scope,
    case
        when requests.customer_id is not null then 'customer'
        when requests.contact_id is not null then 'contact'
        when requests.email_key is not null then 'email'
    end as named_by,
    requests.received_at,
    requests.identity_verified_at,
    kept.identity_asked_at,
    case
        when coalesce(requests.extended_at >= requests.received_at, true) then requests.extended_at
    end as extended_at,
    case
        when coalesce(requests.answered_at >= requests.received_at, true) then requests.answered_at
    end as answered_at
from raw.office_requests as requests
left join office.requests as kept on requests.request_id = kept.request_id
