-- Addresses that a source corrected or emptied. Grain: a row and an address it had. A word is about who had it then.
-- replaced_on: the day from which its source had it no longer; null where the delivery had none.
select
    former.row_id as former_address_id,
    customer.row_id as customer_id,
    contact.row_id as contact_id,
    subscriber.row_id as subscriber_id,
    consent.row_id as consent_id,
    coalesce(customer.row_id * 4, contact.row_id * 4 + 1, subscriber.row_id * 4 + 2) as node_id,
    former.email_key,
    former.replaced_on
from raw.former_addresses as former
left join raw.crm_customers as customer
    on former.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on former.contact_id = contact.contact_id
left join raw.mailing_subscribers as subscriber
    on former.subscriber_id = subscriber.subscriber_id
left join raw.crm_consents as consent
    on former.consent_id = consent.consent_id
