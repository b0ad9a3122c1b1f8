-- What people asked for. Grain: a request, with whom it names among the known.
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
    request.extended_at as extended_on,
    request.answered_at as answered_on
from raw.office_requests as request
left join raw.crm_customers as customer
    on request.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on request.contact_id = contact.contact_id
