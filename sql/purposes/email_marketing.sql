-- E-mail marketing without consent (Art 6(1)(f); MFL 19 §): a year after the relation with a private person or sole
-- trader
-- who has ordered something. Any word ends it for good. Grain: a claim on a customer.
-- Closed words: record_type, clock.
with buyers as (
    select distinct purchase.customer_id
    from core.orders as purchase
    where not purchase.is_cancelled and purchase.customer_id is not null
),

words as (
    select
        word.customer_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from triggers.customer_words as word
    where word.word in ('exit', 'objection', 'newsletter_withdrawal', 'erasure_request', 'death')
    group by word.customer_id
),

clocks as (
    select
        relation.customer_id,
        add_months(relation.relation_ends_on, period.months) + period.days as natural_ends_on,
        cast(substr(word.first_word, 1, 10) as date) as word_on,
        substr(word.first_word, 12) as word
    from triggers.relations as relation
    inner join buyers as buyer
        on relation.customer_id = buyer.customer_id
    inner join policy.periods as period
        on period.purpose = 'email_marketing' and period.clock = 'relation'
    left join words as word
        on relation.customer_id = word.customer_id
    where relation.is_person
)

select
    'customer' as record_type,
    clock.customer_id as row_id,
    'relation' as clock,
    cast(null as date) as starts_on,
    least(clock.natural_ends_on, clock.word_on) as ends_on,
    case when clock.natural_ends_on is null or clock.word_on <= clock.natural_ends_on then clock.word end as ended_by,
    case when clock.natural_ends_on is null and clock.word_on is null then 'no_activity_known' end as missing
from clocks as clock
