-- Rows that may be the same person and are not certain to be: one address under two names, or one telephone number or
-- birth date under names that are nearly equal. Grain: two people, with the rows that resemble each other most.
-- similarity: Jaro-Winkler of the folded names, 0 to 1. Nothing is decided here: a person looks.
with nodes as (
    select
        'customer' as record_type,
        customers.row_id,
        cast(customers.customer_id as varchar) as record_key,
        normalised_name(customers.name) as name,
        customers.email_key,
        customers.phone_key,
        customers.birth_date
    from raw.crm_customers as customers
    where customers.in_source and customers.customer_type <> 'company'
    union all
    select
        'contact' as record_type,
        contacts.row_id,
        cast(contacts.contact_id as varchar) as record_key,
        normalised_name(contacts.name) as name,
        contacts.email_key,
        contacts.phone_key,
        null as birth_date
    from raw.crm_contacts as contacts
    where contacts.in_source
    union all
    select
        'subscriber' as record_type,
        subscribers.row_id,
        cast(subscribers.subscriber_id as varchar) as record_key,
        normalised_name(subscribers.name) as name,
        subscribers.email_key,
        null as phone_key,
        null as birth_date
    from raw.mailing_subscribers as subscribers
    where subscribers.in_source
),

people as (
    select
        nodes.*,
        people.person_id
    from nodes
    inner join core.people
        on nodes.record_type = people.node_type and nodes.row_id = people.row_id
),

-- What more than fifty rows share (a switchboard, an office's address) points at nobody.
shared as (
    select
        people.*,
        'email ' || cast(people.email_key as varchar) as mark
    from people
    where people.email_key is not null
    union all
    select
        people.*,
        'phone ' || cast(people.phone_key as varchar) as mark
    from people
    where people.phone_key is not null
    union all
    select
        people.*,
        'born ' || cast(people.birth_date as varchar) as mark
    from people
    where people.birth_date is not null
),

telling as (
    select shared.mark
    from shared
    group by shared.mark
    having count(*) <= 50
),

pairs as (
    select
        one.record_type as first_type,
        one.record_key as first_key,
        other.record_type as second_type,
        other.record_key as second_key,
        one.person_id as first_person,
        other.person_id as second_person,
        one.email_key = other.email_key as same_email,
        one.phone_key = other.phone_key as same_phone,
        one.birth_date = other.birth_date as same_birth_date,
        round(jaro_winkler_similarity(one.name, other.name), 2) as similarity
    from shared as one
    inner join telling on one.mark = telling.mark
    inner join shared as other
        on one.mark = other.mark and one.person_id < other.person_id
)

select
    pairs.first_type,
    pairs.first_key,
    pairs.second_type,
    pairs.second_key,
    pairs.same_email,
    pairs.same_phone,
    pairs.same_birth_date,
    pairs.similarity
from pairs
where coalesce(pairs.same_email, false) or pairs.similarity >= 0.9
qualify row_number() over (
    partition by pairs.first_person, pairs.second_person
    order by
        pairs.similarity desc nulls last,
        pairs.first_type asc,
        pairs.first_key asc,
        pairs.second_type asc,
        pairs.second_key asc
) = 1
