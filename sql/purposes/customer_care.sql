-- Customer care (Art 6(1)(f)): a year after the case closed, else after the contact. Grain: a claim on an interaction.
-- An exit or an erasure request ends it on what was there that day.
-- Closed words: record_type, clock.
with words as (
    select
        interaction.interaction_id,
        word.word,
        word.on_day
    from core.interactions as interaction
    inner join triggers.customer_words as word
        on interaction.customer_id = word.customer_id
    where word.word in ('exit', 'erasure_request')
    union all
    select
        word.row_id as interaction_id,
        word.word,
        word.on_day
    from triggers.named_contact_words as word
    where word.record_type = 'interaction'
),

first_words as (
    select
        interaction.interaction_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from core.interactions as interaction
    inner join words as word
        on interaction.interaction_id = word.interaction_id
    where interaction.occurred_on is null or word.on_day >= interaction.occurred_on
    group by interaction.interaction_id
),

clocks as (
    select
        interaction.interaction_id,
        interaction.occurred_on,
        add_months(
            coalesce(
                case when interaction.case_closed_on <= $as_of then interaction.case_closed_on end,
                interaction.occurred_on
            ),
            care.months
        ) + care.days as natural_ends_on,
        cast(substr(word.first_word, 1, 10) as date) as word_on,
        substr(word.first_word, 12) as word
    from core.interactions as interaction
    inner join policy.periods as care
        on care.purpose = 'customer_care' and care.clock = 'care'
    left join first_words as word
        on interaction.interaction_id = word.interaction_id
)

select
    'interaction' as record_type,
    clock.interaction_id as row_id,
    'care' as clock,
    clock.occurred_on as starts_on,
    least(clock.natural_ends_on, clock.word_on) as ends_on,
    case when clock.natural_ends_on is null or clock.word_on <= clock.natural_ends_on then clock.word end as ended_by,
    case when clock.natural_ends_on is null and clock.word_on is null then 'interaction_without_day' end as missing
from clocks as clock
