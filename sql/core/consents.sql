-- Consents. Grain: a consent. Purpose and dates are what was last read, also after the row was emptied on order.
select
    consent.row_id as consent_id,
    customer.row_id as customer_id,
    contact.row_id as contact_id,
    customer.row_id is null and contact.row_id is null as names_nobody,
    consent.email_key,
    consent.known_purpose as purpose,
    consent.known_given_at as given_on,
    consent.known_withdrawn_at as withdrawn_on,
    consent.in_source
from raw.crm_consents as consent
left join raw.crm_customers as customer
    on consent.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on consent.contact_id = contact.contact_id
