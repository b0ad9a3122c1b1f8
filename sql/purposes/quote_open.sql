-- Open quote (Art 6(1)(b), for a company's contacts 6(1)(f)): while requested or sent, through its validity.
-- Grain: a record.
-- Closed words: record_type, clock.
with clocks as (
    select
        quote.quote_id,
        quote.customer_id,
        quote.contact_id,
        quote.came_on as starts_on,
        add_months(
            coalesce(
                quote.valid_until, add_months(quote.requested_on, without_validity.months) + without_validity.days
            ),
            while_open.months
        ) + while_open.days as ends_on,
        case when quote.valid_until is null and quote.requested_on is null then 'quote_without_day' end as missing
    from core.quotes as quote
    inner join policy.periods as while_open
        on while_open.purpose = 'quote_open' and while_open.clock = 'while_open'
    inner join policy.periods as without_validity
        on without_validity.purpose = 'quote_open' and without_validity.clock = 'without_validity'
    where quote.status in ('requested', 'sent')
)

select
    'quote' as record_type,
    clock.quote_id as row_id,
    'while_open' as clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
union all
select
    'quote_document' as record_type,
    document.document_id as row_id,
    'while_open' as clock,
    clock.starts_on,
    clock.ends_on,
    cast(null as varchar) as ended_by,
    clock.missing
from clocks as clock
inner join core.quote_documents as document
    on clock.quote_id = document.quote_id
union all
select
    'customer' as record_type,
    clock.customer_id as row_id,
    'while_open' as clock,
    min(clock.starts_on) as starts_on,
    max(clock.ends_on) as ends_on,
    cast(null as varchar) as ended_by,
    max(clock.missing) as missing
from clocks as clock
inner join core.customers as customer
    on clock.customer_id = customer.customer_id and customer.is_person
group by clock.customer_id
union all
select
    'contact' as record_type,
    clock.contact_id as row_id,
    'while_open' as clock,
    min(clock.starts_on) as starts_on,
    max(case when clock.missing is null then least(clock.ends_on, cap.cap_on) end) as ends_on,
    max(case when cap.cap_on < clock.ends_on then 'role_ended' end) as ended_by,
    max(clock.missing) as missing
from clocks as clock
left join triggers.contact_caps as cap
    on clock.contact_id = cap.contact_id
where clock.contact_id is not null and (clock.missing is null or cap.cap_on is null or cap.cap_on >= $as_of)
group by clock.contact_id
