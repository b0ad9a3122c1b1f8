-- The people that a request is about: the customer it names (not a company), else the contact, else every row with the
-- e-mail address; what ends uses, or lasts until it is answered, also who had it then. An erasure cannot be taken back:
-- it is about who has the address. Grain: a request and a person. Terminations end a relation instead: see exits.
with named as (
    select
        request.request_id,
        request.customer_id * 4 as node_id
    from triggers.requests_in_force as request
    where request.names_a_person
    union all
    select
        request.request_id,
        request.contact_id * 4 + 1 as node_id
    from triggers.requests_in_force as request
    where not request.names_a_person and request.contact_id is not null
    union all
    select
        request.request_id,
        node.node_id
    from triggers.requests_in_force as request
    inner join core.person_nodes as node
        on request.email_key = node.email_key
    where not request.names_a_person and request.contact_id is null
    union all
    select
        request.request_id,
        former.node_id
    from triggers.requests_in_force as request
    inner join core.former_addresses as former
        on request.email_key = former.email_key
    where
        not request.names_a_person
        and request.contact_id is null
        and request.kind in ('objection', 'withdrawal', 'restriction', 'rectification')
        and request.received_on <= coalesce(former.replaced_on, request.received_on)
)

select distinct
    request.request_id,
    request.kind,
    request.scope,
    request.received_on,
    request.answered_on,
    person.person_id
from named
inner join triggers.requests_in_force as request
    on named.request_id = request.request_id
inner join core.people as person
    on named.node_id = person.node_id
where request.kind <> 'termination'
