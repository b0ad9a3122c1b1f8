-- The day a customer left: relation_ended_at or a termination, whichever is first. Grain: a customer that left.
with leavings as (
    select
        customer.customer_id,
        customer.relation_ended_on as on_day
    from core.customers as customer
    where customer.relation_ended_on <= $as_of
    union all
    select
        request.customer_id,
        request.received_on as on_day
    from triggers.requests_in_force as request
    where request.kind = 'termination' and request.customer_id is not null
    union all
    select
        customer.customer_id,
        request.received_on as on_day
    from triggers.requests_in_force as request
    inner join core.customers as customer
        on request.email_key = customer.email_key
    where request.kind = 'termination' and request.customer_id is null and request.contact_id is null
)

select
    leaving.customer_id,
    min(leaving.on_day) as on_day
from leavings as leaving
group by leaving.customer_id
