-- The last day of the purpose that each consent was given for. Grain: a consent for the newsletter or for web
-- statistics. A newsletter consent lasts as long as the newsletter on the person's subscriptions, when that is
-- longer; a subscription without a day leaves that in doubt. How long a consent lasted that no purpose of the register
-- rests on is not known, unless a word has ended it.
with subscriptions as (
    select
        person.person_id,
        max(subscription.ends_on) as last_ends_on,
        max(subscription.missing) as missing
    from triggers.newsletter_subscriptions as subscription
    inner join core.people as person
        on subscription.subscriber_id * 4 + 2 = person.node_id
    group by person.person_id
),

reached as (
    select
        owner.consent_id,
        word.word,
        word.on_day
    from triggers.consent_owners as owner
    inner join triggers.person_words as word
        on owner.person_id = word.person_id
    union all
    select
        owner.consent_id,
        'exit' as word,
        exit_day.on_day
    from triggers.consent_owners as owner
    inner join triggers.exits as exit_day
        on owner.customer_id = exit_day.customer_id
    union all
    select
        owner.consent_id,
        'exit' as word,
        exit_day.on_day
    from triggers.consent_owners as owner
    inner join triggers.person_customers as customer
        on owner.person_id = customer.person_id
    inner join triggers.exits as exit_day
        on customer.customer_id = exit_day.customer_id
    where owner.names_nobody
    union all
    select
        consent.consent_id,
        'newsletter_withdrawal' as word,
        withdrawal.on_day
    from core.consents as consent
    inner join triggers.address_withdrawals as withdrawal
        on consent.email_key = withdrawal.email_key
    union all
    select
        consent.consent_id,
        case consent.purpose when 'newsletter' then 'newsletter_withdrawal' else 'statistics_withdrawal' end as word,
        consent.withdrawn_on as on_day
    from core.consents as consent
    where consent.withdrawn_on <= $as_of
),

words as (
    select
        consent.consent_id,
        min(cast(reached.on_day as varchar) || ' ' || reached.word) as first_word
    from core.consents as consent
    inner join reached
        on consent.consent_id = reached.consent_id
    where
        (consent.given_on is null or reached.on_day >= consent.given_on)
        and (
            (
                consent.purpose = 'newsletter'
                and reached.word in ('exit', 'objection', 'newsletter_withdrawal', 'erasure_request', 'death')
            )
            or (consent.purpose = 'web_statistics' and reached.word in ('statistics_withdrawal', 'erasure_request'))
        )
    group by consent.consent_id
),

clocks as (
    select
        consent.consent_id,
        consent.purpose,
        consent.given_on,
        case
            when consent.given_on is null then null
            when consent.purpose = 'newsletter'
                then greatest(
                    add_months(consent.given_on, newsletter.months) + newsletter.days, subscription.last_ends_on
                )
            when consent.purpose = 'web_statistics'
                then add_months(consent.given_on, statistics.months) + statistics.days
        end as natural_ends_on,
        cast(substr(word.first_word, 1, 10) as date) as word_on,
        substr(word.first_word, 12) as word,
        case when consent.purpose = 'newsletter' then subscription.missing end as subscription_missing
    from core.consents as consent
    left join policy.periods as newsletter
        on newsletter.purpose = 'newsletter' and newsletter.clock = 'subscription'
    left join policy.periods as statistics
        on statistics.purpose = 'web_statistics' and statistics.clock = 'statistics'
    left join triggers.consent_owners as owner
        on consent.consent_id = owner.consent_id
    left join subscriptions as subscription
        on owner.person_id = subscription.person_id
    left join words as word
        on consent.consent_id = word.consent_id
)

select
    clock.consent_id,
    clock.purpose,
    clock.given_on,
    case
        when clock.word_on is null then clock.natural_ends_on
        when clock.natural_ends_on is null then clock.word_on
        else least(clock.natural_ends_on, clock.word_on)
    end as ends_on,
    case
        when clock.natural_ends_on is null or clock.word_on <= clock.natural_ends_on then clock.word
    end as ended_by,
    case
        when clock.word_on is not null then null
        when clock.given_on is null then 'consent_without_day'
        when clock.natural_ends_on is null then 'consent_to_no_purpose'
        else clock.subscription_missing
    end as missing
from clocks as clock
