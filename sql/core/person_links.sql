-- What makes rows one person: a valid personnummer, an e-mail address with a name, or a subscription that names the
-- row.
-- Grain: a row and a link; rows that share a link are the same person, transitively.
-- A customer or a contact has a link of its own only where a subscription names it.
with named_customers as (
    select distinct subscriber.customer_id
    from core.subscribers as subscriber
    where subscriber.customer_id is not null
),

named_contacts as (
    select distinct subscriber.contact_id
    from core.subscribers as subscriber
    where subscriber.contact_id is not null
)

select
    customer.customer_id * 4 as node_id,
    'number ' || cast(customer.national_id_key as varchar) as link
from core.customers as customer
where customer.is_person and customer.national_id_key is not null
union all
select
    customer.customer_id * 4 as node_id,
    'number ' || cast(customer.trader_id_key as varchar) as link
from core.customers as customer
where customer.is_person and customer.trader_id_key is not null
union all
select
    node.node_id,
    'address ' || cast(node.email_key as varchar) || ' ' || cast(node.name_key as varchar) as link
from core.person_nodes as node
where node.email_key is not null and node.name_key is not null
union all
select
    subscriber.subscriber_id * 4 + 2 as node_id,
    'contact ' || cast(subscriber.contact_id as varchar) as link
from core.subscribers as subscriber
where subscriber.contact_id is not null
union all
select
    contact.contact_id * 4 + 1 as node_id,
    'contact ' || cast(contact.contact_id as varchar) as link
from core.contacts as contact
inner join named_contacts as named
    on contact.contact_id = named.contact_id
union all
select
    subscriber.subscriber_id * 4 + 2 as node_id,
    'customer ' || cast(subscriber.customer_id as varchar) as link
from core.subscribers as subscriber
inner join core.customers as customer
    on subscriber.customer_id = customer.customer_id and customer.is_person
union all
select
    customer.customer_id * 4 as node_id,
    'customer ' || cast(customer.customer_id as varchar) as link
from core.customers as customer
inner join named_customers as named
    on customer.customer_id = named.customer_id
where customer.is_person
