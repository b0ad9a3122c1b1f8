-- Contact persons. Grain: a contact that is, or once was, in the CRM.
-- customer_id is null when the customer is unknown: the contact is then an orphan.
select
    contact.row_id as contact_id,
    customer.row_id as customer_id,
    coalesce(customer.customer_type = 'company', false) as of_company,
    contact.role_ended_at as role_ended_on,
    contact.name_key,
    contact.email_key,
    contact.phone_key,
    contact.in_source
from raw.crm_contacts as contact
left join raw.crm_customers as customer
    on contact.customer_id = customer.customer_id
