-- A contact's erasure request reaches the quotes, interactions and orders that name the contact, unless a private
-- person or sole trader stands as their customer. Grain: a record, a word and a day.
with erasures as (
    select
        person.row_id as contact_id,
        word.word,
        word.on_day
    from triggers.person_words as word
    inner join core.people as person
        on word.person_id = person.person_id and person.node_type = 'contact'
    where word.word = 'erasure_request'
)

select
    'quote' as record_type,
    quote.quote_id as row_id,
    erasure.word,
    erasure.on_day
from core.quotes as quote
inner join erasures as erasure
    on quote.contact_id = erasure.contact_id
left join core.customers as customer
    on quote.customer_id = customer.customer_id
where not coalesce(customer.is_person, false)
union all
select
    'interaction' as record_type,
    interaction.interaction_id as row_id,
    erasure.word,
    erasure.on_day
from core.interactions as interaction
inner join erasures as erasure
    on interaction.contact_id = erasure.contact_id
left join core.customers as customer
    on interaction.customer_id = customer.customer_id
where not coalesce(customer.is_person, false)
union all
select
    'order' as record_type,
    purchase.order_id as row_id,
    erasure.word,
    erasure.on_day
from core.orders as purchase
inner join erasures as erasure
    on purchase.contact_id = erasure.contact_id
left join core.customers as customer
    on purchase.customer_id = customer.customer_id
where not coalesce(customer.is_person, false)
