-- E-mail addresses that were given more than one keyed hash: the same person would be two.
with addresses as (
    select
        lower(trim(customers.email)) as address,
        customers.email_key
    from raw.crm_customers as customers
    union all
    select
        lower(trim(contacts.email)) as address,
        contacts.email_key
    from raw.crm_contacts as contacts
    union all
    select
        lower(trim(subscribers.email)) as address,
        subscribers.email_key
    from raw.mailing_subscribers as subscribers
    union all
    select
        lower(trim(consents.email)) as address,
        consents.email_key
    from raw.crm_consents as consents
)

select min(addresses.email_key) as email_key
from addresses
where addresses.address is not null
group by addresses.address
having min(addresses.email_key) <> max(addresses.email_key)
