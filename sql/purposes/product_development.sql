-- Product development (Art 6(1)(f)): a year after the order closed, or after the latest of the quote's dates.
-- An exit or an erasure request ends it on what was there that day. Grain: a claim on a record.
-- Closed words: record_type, clock.
with order_words as (
    select
        purchase.order_id,
        word.word,
        word.on_day
    from core.orders as purchase
    inner join triggers.customer_words as word
        on purchase.customer_id = word.customer_id
    where word.word in ('exit', 'erasure_request')
    union all
    select
        word.row_id as order_id,
        word.word,
        word.on_day
    from triggers.named_contact_words as word
    where word.record_type = 'order'
),

first_order_words as (
    select
        purchase.order_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from core.orders as purchase
    inner join order_words as word
        on purchase.order_id = word.order_id
    where purchase.placed_on is null or word.on_day >= purchase.placed_on
    group by purchase.order_id
),

first_quote_words as (
    select
        quote.quote_id,
        min(cast(word.on_day as varchar) || ' ' || word.word) as first_word
    from core.quotes as quote
    inner join triggers.quote_words as word
        on quote.quote_id = word.quote_id
    where
        word.word in ('exit', 'erasure_request')
        and (quote.came_on is null or word.on_day >= quote.came_on)
    group by quote.quote_id
),

subjects as (
    select
        'order_line' as record_type,
        line.order_line_id as row_id,
        state.placed_on as starts_on,
        state.closed_on as trigger_on,
        word.first_word,
        state.reason as missing
    from triggers.order_states as state
    inner join core.order_lines as line
        on state.order_id = line.order_id
    left join first_order_words as word
        on state.order_id = word.order_id
    where state.state in ('closed', 'missing')
    union all
    select
        'quote' as record_type,
        quote.quote_id as row_id,
        quote.came_on as starts_on,
        greatest(quote.valid_until, quote.sent_on, quote.requested_on) as trigger_on,
        word.first_word,
        case
            when quote.valid_until is null and quote.sent_on is null and quote.requested_on is null
                then 'quote_without_day'
        end as missing
    from core.quotes as quote
    left join first_quote_words as word
        on quote.quote_id = word.quote_id
),

claims as (
    select
        subject.record_type,
        subject.row_id,
        subject.starts_on,
        add_months(subject.trigger_on, period.months) + period.days as natural_ends_on,
        cast(substr(subject.first_word, 1, 10) as date) as word_on,
        substr(subject.first_word, 12) as word,
        subject.missing
    from subjects as subject
    inner join policy.periods as period
        on period.purpose = 'product_development' and period.clock = 'after_closing'
)

select
    claim.record_type,
    claim.row_id,
    'after_closing' as clock,
    claim.starts_on,
    least(claim.natural_ends_on, claim.word_on) as ends_on,
    case when claim.natural_ends_on is null or claim.word_on <= claim.natural_ends_on then claim.word end as ended_by,
    case when claim.word_on is null then claim.missing end as missing
from claims as claim
