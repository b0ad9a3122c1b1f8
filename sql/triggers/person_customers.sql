-- The customers whose exit is also the person's: rows that are the person, and the companies of rows that are its
-- contacts. Grain: a person and a customer.
select
    person.person_id,
    person.row_id as customer_id
from core.people as person
where person.node_type = 'customer'
union
select
    person.person_id,
    contact.customer_id
from core.people as person
inner join core.contacts as contact
    on person.node_type = 'contact' and person.row_id = contact.contact_id
where contact.customer_id is not null
