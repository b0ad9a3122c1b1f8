-- Marketing by post and telephone (Art 6(1)(f)): a year after the relation; a company's contacts follow the company's.
-- An exit, an objection, an erasure request or a death ends it for good. Grain: a claim on a record.
-- Closed words: record_type, clock.
with customer_words as (
    select
        word.customer_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from triggers.customer_words as word
    where word.word in ('exit', 'objection', 'erasure_request', 'death')
    group by word.customer_id
),

contact_words as (
    select
        word.contact_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from triggers.contact_words as word
    where word.word in ('exit', 'objection', 'erasure_request', 'death')
    group by word.contact_id
),

clocks as (
    select
        'customer' as record_type,
        relation.customer_id as row_id,
        relation.relation_ends_on,
        word.first_word,
        cast(null as date) as cap_on
    from triggers.relations as relation
    left join customer_words as word
        on relation.customer_id = word.customer_id
    where relation.is_person
    union all
    select
        'contact' as record_type,
        contact.contact_id as row_id,
        relation.relation_ends_on,
        word.first_word,
        cap.cap_on
    from core.contacts as contact
    inner join triggers.relations as relation
        on contact.customer_id = relation.customer_id
    left join contact_words as word
        on contact.contact_id = word.contact_id
    left join triggers.contact_caps as cap
        on contact.contact_id = cap.contact_id
    where contact.of_company
),

claims as (
    select
        clock.record_type,
        clock.row_id,
        add_months(clock.relation_ends_on, period.months) + period.days as natural_ends_on,
        cast(substr(clock.first_word, 1, 10) as date) as word_on,
        substr(clock.first_word, 12) as word,
        clock.cap_on
    from clocks as clock
    inner join policy.periods as period
        on period.purpose = 'direct_marketing' and period.clock = 'relation'
)

select
    claim.record_type,
    claim.row_id,
    'relation' as clock,
    cast(null as date) as starts_on,
    case
        when claim.natural_ends_on is not null or claim.word_on is not null
            then least(claim.natural_ends_on, claim.word_on, claim.cap_on)
    end as ends_on,
    case
        when claim.word_on <= least(claim.natural_ends_on, claim.word_on, claim.cap_on) then claim.word
        when claim.cap_on < claim.natural_ends_on then 'role_ended'
    end as ended_by,
    case when claim.natural_ends_on is null and claim.word_on is null then 'no_activity_known' end as missing
from claims as claim
where
    claim.natural_ends_on is not null
    or claim.word_on is not null
    or claim.cap_on is null
    or claim.cap_on >= $as_of
