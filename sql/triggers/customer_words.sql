-- The words that reach a customer's records: its exit and, of a private person or sole trader, what the person said.
-- Grain: a customer, a word and a day.
select
    exit_day.customer_id,
    'exit' as word,
    exit_day.on_day
from triggers.exits as exit_day
union all
select
    person.row_id as customer_id,
    word.word,
    word.on_day
from triggers.person_words as word
inner join core.people as person
    on word.person_id = person.person_id
where person.node_type = 'customer'
