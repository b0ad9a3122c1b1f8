-- Whose a consent is: the contact it names, else the customer it names, else the one person with that e-mail address,
-- or, where nobody has it now, the one who had it when the consent was given.
-- Grain: a consent. person_id is null when it is a company's or nobody's; customer_id is the customer whose exit
-- reaches it.
with addresses as (
    select
        node.email_key,
        min(person.person_id) as person_id
    from core.person_nodes as node
    inner join core.people as person
        on node.node_id = person.node_id
    where node.email_key is not null
    group by node.email_key
    having min(person.person_id) = max(person.person_id)
),

left_addresses as (
    select
        former.email_key,
        min(person.person_id) as person_id,
        max(coalesce(former.replaced_on, date '9999-12-31')) as replaced_on
    from core.former_addresses as former
    inner join core.people as person
        on former.node_id = person.node_id
    left join core.person_nodes as node
        on former.email_key = node.email_key
    where node.node_id is null
    group by former.email_key
    having min(person.person_id) = max(person.person_id)
),

consents as (
    select
        consent.consent_id,
        consent.contact_id,
        consent.customer_id,
        consent.names_nobody,
        consent.given_on,
        case when consent.names_nobody then consent.email_key end as found_by_key
    from core.consents as consent
)

select
    consent.consent_id,
    consent.names_nobody,
    case
        when consent.contact_id is not null then contact_person.person_id
        when consent.customer_id is not null then customer_person.person_id
        else coalesce(address.person_id, left_address.person_id)
    end as person_id,
    case
        when consent.contact_id is not null then contact.customer_id
        else consent.customer_id
    end as customer_id
from consents as consent
left join core.contacts as contact
    on consent.contact_id = contact.contact_id
left join core.people as contact_person
    on consent.contact_id * 4 + 1 = contact_person.node_id
left join core.people as customer_person
    on consent.customer_id * 4 = customer_person.node_id
left join addresses as address
    on consent.found_by_key = address.email_key
left join left_addresses as left_address
    on
        consent.found_by_key = left_address.email_key
        and coalesce(consent.given_on, left_address.replaced_on) <= left_address.replaced_on
