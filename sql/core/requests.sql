-- What people asked for. Grain: a request, with whom it names among the known.
-- An extension or an answer before the receipt counts as none.
select
    request.row_id as request_id,
    customer.row_id as customer_id,
    coalesce(customer.customer_type <> 'company', false) as names_a_person,
    contact.row_id as contact_id,
    request.email_key,
    request.kind,
    request.scope,
    request.received_at as received_on,
    request.identity_verified_at as verified_on,
    case
        when request.received_at is null or request.extended_at >= request.received_at then request.extended_at
    end as extended_on,
    case
        when request.received_at is null or request.answered_at >= request.received_at then request.answered_at
    end as answered_on
from raw.office_requests as request
left join raw.crm_customers as customer
    on request.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on request.contact_id = contact.contact_id
