-- The days on which a customer left: relation_ended_at and every termination. Grain: a customer and a day.
-- The relation ends on the first; each later one is a word of its own about what had come since.
select
    customer.customer_id,
    customer.relation_ended_on as on_day
from core.customers as customer
where customer.relation_ended_on <= $as_of
union
select
    request.customer_id,
    request.received_on as on_day
from triggers.requests_in_force as request
where request.kind = 'termination' and request.customer_id is not null
union
select
    customer.customer_id,
    request.received_on as on_day
from triggers.requests_in_force as request
inner join core.customers as customer
    on request.email_key = customer.email_key
where request.kind = 'termination' and request.customer_id is null and request.contact_id is null
