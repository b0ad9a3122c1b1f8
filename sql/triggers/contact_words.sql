-- The words that reach a contact's own record: the exit of its customer and what the person said.
-- Grain: a contact, a word and a day. Nobody's word reaches an orphan.
select
    contact.contact_id,
    'exit' as word,
    exit_day.on_day
from core.contacts as contact
inner join triggers.exits as exit_day
    on contact.customer_id = exit_day.customer_id
union all
select
    contact.contact_id,
    word.word,
    word.on_day
from core.contacts as contact
inner join core.people as person
    on contact.contact_id * 4 + 1 = person.node_id
inner join triggers.person_words as word
    on person.person_id = word.person_id
where contact.customer_id is not null
