-- Web statistics (Art 6(1)(a); LEK 9 kap. 28 §): thirteen months of behaviour, where the visitor consented.
-- A withdrawal or an erasure request ends it on events that were there that day. Grain: a claim on a record.
-- Closed words: record_type, clock.
with words as (
    select
        web_event.event_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from core.web_events as web_event
    inner join triggers.customer_words as word
        on web_event.customer_id = word.customer_id
    where
        web_event.statistics_consent
        and word.word in ('statistics_withdrawal', 'erasure_request')
        and (web_event.occurred_on is null or word.on_day >= web_event.occurred_on)
    group by web_event.event_id
),

clocks as (
    select
        web_event.event_id,
        web_event.occurred_on,
        add_months(web_event.occurred_on, statistics.months) + statistics.days as natural_ends_on,
        cast(substr(word.first_word, 1, 10) as date) as word_on,
        substr(word.first_word, 12) as word
    from core.web_events as web_event
    inner join policy.periods as statistics
        on statistics.purpose = 'web_statistics' and statistics.clock = 'statistics'
    left join words as word
        on web_event.event_id = word.event_id
    where web_event.statistics_consent
)

select
    'web_event' as record_type,
    clock.event_id as row_id,
    'statistics' as clock,
    clock.occurred_on as starts_on,
    least(clock.natural_ends_on, clock.word_on) as ends_on,
    case when clock.natural_ends_on is null or clock.word_on <= clock.natural_ends_on then clock.word end as ended_by,
    case when clock.natural_ends_on is null and clock.word_on is null then 'event_without_day' end as missing
from clocks as clock
union all
select
    'consent' as record_type,
    consent_end.consent_id as row_id,
    'statistics' as clock,
    consent_end.given_on as starts_on,
    consent_end.ends_on,
    consent_end.ended_by,
    consent_end.missing
from triggers.consent_ends as consent_end
where consent_end.purpose = 'web_statistics'
