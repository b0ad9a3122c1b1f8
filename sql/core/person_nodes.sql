-- Rows that can be a person: customers that are not companies, contacts, subscribers.
-- Grain: a row. node_id: the row's surrogate times four, plus 0, 1 or 2 for the three kinds.
select
    customer.customer_id * 4 as node_id,
    'customer' as node_type,
    customer.customer_id as row_id,
    customer.email_key,
    customer.name_key
from core.customers as customer
where customer.is_person
union all
select
    contact.contact_id * 4 + 1 as node_id,
    'contact' as node_type,
    contact.contact_id as row_id,
    contact.email_key,
    contact.name_key
from core.contacts as contact
union all
select
    subscriber.subscriber_id * 4 + 2 as node_id,
    'subscriber' as node_type,
    subscriber.subscriber_id as row_id,
    subscriber.email_key,
    subscriber.name_key
from core.subscribers as subscriber
