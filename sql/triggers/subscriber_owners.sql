-- Whose exit reaches a subscription: the customer of the contact it names, else the customer it names, else every
-- customer that is the same person, and the company of every contact that is. Grain: a subscriber and a customer.
select
    subscriber.subscriber_id,
    contact.customer_id
from core.subscribers as subscriber
inner join core.contacts as contact
    on subscriber.contact_id = contact.contact_id
where contact.customer_id is not null
union
select
    subscriber.subscriber_id,
    subscriber.customer_id
from core.subscribers as subscriber
where subscriber.contact_id is null and subscriber.customer_id is not null
union
select
    subscriber.subscriber_id,
    owner.customer_id
from core.subscribers as subscriber
inner join core.people as person
    on subscriber.subscriber_id * 4 + 2 = person.node_id
inner join triggers.person_customers as owner
    on person.person_id = owner.person_id
where subscriber.names_nobody
