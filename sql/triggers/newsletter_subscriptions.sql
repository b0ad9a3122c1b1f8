-- The last day of the newsletter on each subscription. Grain: a subscriber.
-- natural_ends_on: by the later of subscribing and last opening; null when the day of subscribing is missing.
-- word_on: the first word on or after the subscription's day; ended_by says which.
with reached as (
    select
        person.row_id as subscriber_id,
        word.word,
        word.on_day
    from triggers.person_words as word
    inner join core.people as person
        on word.person_id = person.person_id
    where
        person.node_type = 'subscriber'
        and word.word in ('objection', 'newsletter_withdrawal', 'erasure_request', 'death')
    union all
    select
        owner.subscriber_id,
        'exit' as word,
        exit_day.on_day
    from triggers.subscriber_owners as owner
    inner join triggers.exits as exit_day
        on owner.customer_id = exit_day.customer_id
),

words as (
    select
        subscriber.subscriber_id,
        min(cast(reached.on_day as varchar) || ' ' || reached.word) as first_word
    from core.subscribers as subscriber
    inner join reached
        on subscriber.subscriber_id = reached.subscriber_id
    where subscriber.subscribed_on is null or reached.on_day >= subscriber.subscribed_on
    group by subscriber.subscriber_id
),

clocks as (
    select
        subscriber.subscriber_id,
        subscriber.subscribed_on,
        case
            when subscriber.subscribed_on is not null
                then
                    add_months(
                        greatest(
                            subscriber.subscribed_on,
                            case when subscriber.last_opened_on <= $as_of then subscriber.last_opened_on end
                        ),
                        subscription.months
                    ) + subscription.days
        end as natural_ends_on,
        cast(substr(word.first_word, 1, 10) as date) as word_on,
        substr(word.first_word, 12) as word
    from core.subscribers as subscriber
    inner join policy.periods as subscription
        on subscription.purpose = 'newsletter' and subscription.clock = 'subscription'
    left join words as word
        on subscriber.subscriber_id = word.subscriber_id
)

select
    clock.subscriber_id,
    clock.subscribed_on,
    case
        when clock.word_on is null then clock.natural_ends_on
        when clock.natural_ends_on is null then clock.word_on
        else least(clock.natural_ends_on, clock.word_on)
    end as ends_on,
    case
        when clock.natural_ends_on is null or clock.word_on <= clock.natural_ends_on then clock.word
    end as ended_by,
    case when clock.natural_ends_on is null and clock.word_on is null then 'subscription_without_day' end as missing
from clocks as clock
