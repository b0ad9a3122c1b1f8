-- Newsletter subscribers. Grain: a subscriber.
select
    subscriber.row_id as subscriber_id,
    customer.row_id as customer_id,
    contact.row_id as contact_id,
    customer.row_id is null and contact.row_id is null as names_nobody,
    subscriber.name_key,
    subscriber.email_key,
    subscriber.subscribed_at as subscribed_on,
    subscriber.unsubscribed_at as unsubscribed_on,
    subscriber.known_last_opened_at as last_opened_on,
    subscriber.in_source
from raw.mailing_subscribers as subscriber
left join raw.crm_customers as customer
    on subscriber.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on subscriber.contact_id = contact.contact_id
