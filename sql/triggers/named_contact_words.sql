-- Erasure requests of a company's contact reach what names the contact. Grain: a record, a word and a day.
with erasures as (
    select
        contact_word.contact_id,
        contact_word.word,
        contact_word.on_day
    from triggers.contact_words as contact_word
    where contact_word.word = 'erasure_request'
)

select
    'quote' as record_type,
    quote.quote_id as row_id,
    erasure.word,
    erasure.on_day
from core.quotes as quote
inner join core.customers as customer
    on quote.customer_id = customer.customer_id and not customer.is_person
inner join erasures as erasure
    on quote.contact_id = erasure.contact_id
union all
select
    'interaction' as record_type,
    interaction.interaction_id as row_id,
    erasure.word,
    erasure.on_day
from core.interactions as interaction
inner join core.customers as customer
    on interaction.customer_id = customer.customer_id and not customer.is_person
inner join erasures as erasure
    on interaction.contact_id = erasure.contact_id
union all
select
    'order' as record_type,
    purchase.order_id as row_id,
    erasure.word,
    erasure.on_day
from core.orders as purchase
inner join core.customers as customer
    on purchase.customer_id = customer.customer_id and not customer.is_person
inner join erasures as erasure
    on purchase.contact_id = erasure.contact_id
