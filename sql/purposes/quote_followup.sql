-- Quote follow-up (Art 6(1)(f)): a year after the latest of the quote's dates. Grain: a record.
-- An objection ends it for good; an exit or an erasure request ends it on quotes that were there that day.
-- Closed words: record_type, clock.
with clocks as (
    select
        quote.quote_id,
        quote.customer_id,
        quote.contact_id,
        quote.came_on,
        add_months(greatest(quote.valid_until, quote.sent_on, quote.requested_on), followup.months) + followup.days
            as natural_ends_on
    from core.quotes as quote
    inner join policy.periods as followup
        on followup.purpose = 'quote_followup' and followup.clock = 'followup'
),

quote_words as (
    select
        clock.quote_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from clocks as clock
    inner join triggers.quote_words as word
        on clock.quote_id = word.quote_id
    where word.word = 'objection' or clock.came_on is null or word.on_day >= clock.came_on
    group by clock.quote_id
),

contact_words as (
    select
        clock.quote_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from clocks as clock
    inner join triggers.contact_words as word
        on clock.contact_id = word.contact_id
    where
        word.word = 'objection'
        or (word.word in ('exit', 'erasure_request') and (clock.came_on is null or word.on_day >= clock.came_on))
    group by clock.quote_id
),

quotes as (
    select
        clock.quote_id,
        clock.customer_id,
        clock.came_on as starts_on,
        clock.natural_ends_on,
        cast(substr(word.first_word, 1, 10) as date) as word_on,
        substr(word.first_word, 12) as word
    from clocks as clock
    left join quote_words as word
        on clock.quote_id = word.quote_id
),

contacts as (
    select
        clock.contact_id,
        clock.came_on as starts_on,
        clock.natural_ends_on,
        cast(substr(word.first_word, 1, 10) as date) as word_on,
        substr(word.first_word, 12) as word,
        cap.cap_on
    from clocks as clock
    left join contact_words as word
        on clock.quote_id = word.quote_id
    left join triggers.contact_caps as cap
        on clock.contact_id = cap.contact_id
    where clock.contact_id is not null
),

claims as (
    select
        'quote' as record_type,
        quote.quote_id as row_id,
        quote.starts_on,
        quote.natural_ends_on,
        quote.word_on,
        quote.word,
        cast(null as date) as cap_on
    from quotes as quote
    union all
    select
        'quote_document' as record_type,
        document.document_id as row_id,
        quote.starts_on,
        quote.natural_ends_on,
        quote.word_on,
        quote.word,
        cast(null as date) as cap_on
    from quotes as quote
    inner join core.quote_documents as document
        on quote.quote_id = document.quote_id
    union all
    select
        'customer' as record_type,
        quote.customer_id as row_id,
        quote.starts_on,
        quote.natural_ends_on,
        quote.word_on,
        quote.word,
        cast(null as date) as cap_on
    from quotes as quote
    inner join core.customers as customer
        on quote.customer_id = customer.customer_id and customer.is_person
    union all
    select
        'contact' as record_type,
        contact.contact_id as row_id,
        contact.starts_on,
        contact.natural_ends_on,
        contact.word_on,
        contact.word,
        contact.cap_on
    from contacts as contact
),

ends as (
    select
        claim.record_type,
        claim.row_id,
        claim.starts_on,
        case
            when claim.natural_ends_on is not null or claim.word_on is not null
                then least(claim.natural_ends_on, claim.word_on, claim.cap_on)
        end as ends_on,
        case
            when claim.word_on <= least(claim.natural_ends_on, claim.word_on, claim.cap_on) then claim.word
            when claim.cap_on < claim.natural_ends_on then 'role_ended'
        end as ended_by,
        case when claim.natural_ends_on is null and claim.word_on is null then 'quote_without_day' end as missing
    from claims as claim
    where
        claim.natural_ends_on is not null
        or claim.word_on is not null
        or claim.cap_on is null
        or claim.cap_on >= $as_of
),

summed as (
    select
        claim_end.record_type,
        claim_end.row_id,
        min(claim_end.starts_on) as starts_on,
        max(claim_end.ends_on) as ends_on,
        max(
            case
                when claim_end.ended_by is not null
                    then cast(claim_end.ends_on as varchar) || ' ' || claim_end.ended_by
            end
        ) as last_word,
        max(claim_end.missing) as missing
    from ends as claim_end
    group by claim_end.record_type, claim_end.row_id
)

select
    summed.record_type,
    summed.row_id,
    'followup' as clock,
    summed.starts_on,
    summed.ends_on,
    case
        when substr(summed.last_word, 1, 10) = cast(summed.ends_on as varchar) then substr(summed.last_word, 12)
    end as ended_by,
    summed.missing
from summed
