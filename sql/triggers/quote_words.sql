-- The words that reach a quote and end its follow-up. Grain: a quote, a word and a day.
select
    quote.quote_id,
    word.word,
    word.on_day
from core.quotes as quote
inner join triggers.customer_words as word
    on quote.customer_id = word.customer_id
where word.word in ('exit', 'objection', 'erasure_request')
union all
select
    word.row_id as quote_id,
    word.word,
    word.on_day
from triggers.named_contact_words as word
where word.record_type = 'quote'
