-- Rows that are people, as possible matches are looked for: names, birth dates and addresses written one way, the rest
-- by keyed hash. Grain: a row in the sources now. Stands in memory alone, for as long as they are compared.
-- given_name, family_name: all but the last word of a name, and its last word; a single word is a given name.
-- born: six digits, as a personnummer begins; organisation: the company that a contact works for.
with rows_of_people as (
    select
        'customer' as record_type,
        customers.row_id * 4 as node_id,
        customers.customer_id as record_key,
        customers.name,
        coalesce(personnummer(customers.national_id), personnummer(customers.org_number)) as personal_number,
        customers.birth_date,
        customers.street,
        customers.postal_code,
        customers.city,
        customers.email_key,
        customers.phone_key,
        coalesce(customers.national_id_key, customers.org_number_key) as national_id_key,
        null as organisation
    from raw.crm_customers as customers
    where customers.in_source and customers.customer_type <> 'company'
    union all
    select
        'contact' as record_type,
        contacts.row_id * 4 + 1 as node_id,
        contacts.contact_id as record_key,
        contacts.name,
        null as personal_number,
        null as birth_date,
        null as street,
        null as postal_code,
        null as city,
        contacts.email_key,
        contacts.phone_key,
        null as national_id_key,
        contacts.customer_id as organisation
    from raw.crm_contacts as contacts
    where contacts.in_source
    union all
    select
        'subscriber' as record_type,
        subscribers.row_id * 4 + 2 as node_id,
        subscribers.subscriber_id as record_key,
        subscribers.name,
        null as personal_number,
        null as birth_date,
        null as street,
        null as postal_code,
        null as city,
        subscribers.email_key,
        null as phone_key,
        null as national_id_key,
        null as organisation
    from raw.mailing_subscribers as subscribers
    where subscribers.in_source
),

-- What more than fifty rows share (a switchboard, an office's address) points at nobody.
telling_emails as (
    select rows_of_people.email_key
    from rows_of_people
    where rows_of_people.email_key is not null
    group by rows_of_people.email_key
    having count(*) <= 50
),

telling_phones as (
    select rows_of_people.phone_key
    from rows_of_people
    where rows_of_people.phone_key is not null
    group by rows_of_people.phone_key
    having count(*) <= 50
),

named as (
    select
        rows_of_people.*,
        normalised_name(replace(rows_of_people.name, ',', ' ')) as one_way
    from rows_of_people
)

select
    named.node_id,
    named.record_type,
    cast(named.record_key as varchar) as record_key,
    nullif(regexp_replace(named.one_way, ' [^ ]+$', ''), '') as given_name,
    nullif(regexp_extract(named.one_way, ' ([^ ]+)$', 1), '') as family_name,
    coalesce(
        strftime(named.birth_date, '%y%m%d'),
        left(named.personal_number, 4)
        || lpad(cast(cast(substr(named.personal_number, 5, 2) as integer) % 60 as varchar), 2, '0')
    ) as born,
    normalised_name(named.street) as street,
    nullif(regexp_replace(named.postal_code, '[^0-9A-Za-z]', '', 'g'), '') as postal_code,
    normalised_name(named.city) as city,
    telling_emails.email_key,
    telling_phones.phone_key,
    named.national_id_key,
    named.organisation
from named
left join telling_emails on named.email_key = telling_emails.email_key
left join telling_phones on named.phone_key = telling_phones.phone_key
