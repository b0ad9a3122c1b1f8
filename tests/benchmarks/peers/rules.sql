-- The benchmark's policy in PostgreSQL: from the exports as text (schema `export`) to one wide table a record type
-- (schema `record`), with a column for each purpose's last day and one for a trigger that it lacks.
-- psql fills in :as_of. Nothing here is the product's: it is written as one would write it for PostgreSQL.

create function local_day(instant text) returns date language sql immutable parallel safe as
$$ select (cast(instant as timestamptz) at time zone 'Europe/Stockholm')::date $$;
-- A text that reads as a day; without one, PostgreSQL 15 knows no cast that fails softly.
create function is_day(x text) returns boolean language sql immutable parallel safe as $$
    select case when x ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' then
        substr(x, 9, 2)::int
        <= extract(day from (substr(x, 1, 7) || '-01')::date + interval '1 month' - interval '1 day')::int
    else false end
$$;
create function folded_name(x text) returns text language sql immutable parallel safe as
$$ select trim(regexp_replace(lower(x), '\s+', ' ', 'g')) $$;

create unlogged table customers as
select
    customer_id,
    customer_type <> 'company' as is_person,
    customer_since::date as since,
    local_day(relation_ended_at) as ended_on,
    deceased_on::date as died_on,
    lower(trim(email)) as email,
    folded_name(name) as name,
    case
        when customer_type <> 'company'
            then min(customer_id) over (partition by customer_type <> 'company', lower(trim(email)), folded_name(name))
    end as person
from export.customers
where
    customer_id <> '' and customer_type in ('private', 'sole_trader', 'company')
    and (customer_since is null or is_day(customer_since));
create unlogged table orders as
select orders.order_id, customers.customer_id, local_day(orders.placed_at) as placed_on
from export.orders
left join customers on customers.customer_id = orders.customer_id
where orders.placed_at is null or orders.placed_at ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T';
analyze customers, orders;

create unlogged table read_invoices as
select
    invoices.invoice_id,
    orders.order_id,
    coalesce(customers.customer_id, orders.customer_id) as customer_id,
    orders.customer_id as buyer,
    invoices.refers_to_invoice_id,
    invoices.kind = 'credit_note' as is_credit,
    coalesce(invoices.booked_on, invoices.issued_on)::date as voucher_on,
    invoices.issued_on::date,
    invoices.due_on::date,
    invoices.amount::numeric(18, 4)
from export.invoices
left join orders on orders.order_id = invoices.order_id
left join customers on customers.customer_id = invoices.customer_id
where invoices.amount is null or invoices.amount ~ '^-?[0-9]+(\.[0-9]+)?$';
analyze read_invoices;
create unlogged table invoices as
select one.*, coalesce(referred.invoice_id, one.invoice_id) as chain
from read_invoices as one
left join read_invoices as referred
    on one.is_credit and referred.invoice_id = one.refers_to_invoice_id and not referred.is_credit;
create unlogged table payments as
select
    payments.payment_id,
    invoices.invoice_id,
    case when local_day(payments.paid_at) <= :'as_of' then local_day(payments.paid_at) end as paid_on,
    payments.amount::numeric(18, 4),
    coalesce(invoices.chain, 'payment ' || payments.payment_id) as chain
from export.payments
left join invoices on invoices.invoice_id = payments.invoice_id
where payments.amount is null or payments.amount ~ '^-?[0-9]+(\.[0-9]+)?$';
create unlogged table quotes as
select quote_id, customer_id, local_day(requested_at) as requested_on, local_day(sent_at) as sent_on from export.quotes;
create unlogged table interactions as
select
    interaction_id, customer_id, local_day(occurred_at) as occurred_on,
    case when local_day(case_closed_at) <= :'as_of' then local_day(case_closed_at) end as closed_on
from export.interactions;
analyze invoices, payments, quotes, interactions;

-- Words: requests that have effect, and the customers that are the person who asked.
create unlogged table asked as
select same.customer_id, request.kind, local_day(request.received_at) as received_on,
    local_day(request.answered_at) as answered_on
from export.requests as request
join customers as named on named.customer_id = request.customer_id and named.is_person
join customers as same on same.person = named.person
where local_day(request.received_at) <= :'as_of'
    and (
        request.kind in ('objection', 'withdrawal', 'termination', 'restriction')
        or local_day(request.identity_verified_at) <= :'as_of'
    );
create unlogged table exits as
select customer_id, ended_on as on_day from customers where ended_on <= :'as_of'
union
select customer_id, local_day(received_at) from export.requests
where kind = 'termination' and local_day(received_at) <= :'as_of';
create unlogged table restricted as
select distinct customer_id from asked
where kind in ('restriction', 'rectification') and (answered_on is null or answered_on > :'as_of');
create unlogged table final_words as
select customer_id, min(on_day) as word_on
from (
    select customer_id, on_day from exits
    union all
    select customer_id, received_on from asked where kind in ('objection', 'erasure')
    union all
    select same.customer_id, dead.died_on
    from customers as dead join customers as same on same.person = dead.person
    where dead.died_on <= :'as_of'
) as words
group by customer_id;
analyze asked, exits, restricted, final_words;

create unlogged table relations as
with active as (
    select customer_id, max(on_day) as active_on
    from (
        select customer_id, since as on_day from customers
        union all
        select customer_id, placed_on from orders
        union all
        select customer_id, greatest(requested_on, sent_on) from quotes
        union all
        select customer_id, occurred_on from interactions
    ) as activities
    group by customer_id
),

first_exits as (select customer_id, min(on_day) as exit_on from exits group by customer_id)

select
    customers.customer_id, customers.is_person, first_exits.exit_on, final_words.word_on,
    (
        coalesce(first_exits.exit_on, (active.active_on + interval '24 months')::date) + interval '12 months'
    )::date as natural_end
from customers
left join active on active.customer_id = customers.customer_id
left join first_exits on first_exits.customer_id = customers.customer_id
left join final_words on final_words.customer_id = customers.customer_id;

-- The day from which an invoice's balance stays at or below zero.
create unlogged table settled as
with moved as (
    select invoice_id, on_day, sum(amount) as amount
    from (
        select invoice_id, paid_on as on_day, amount from payments where invoice_id is not null and paid_on is not null
        union all
        select chain, voucher_on, amount from invoices
        where is_credit and chain <> invoice_id and voucher_on is not null
    ) as movements
    group by invoice_id, on_day
),

balances as (
    select
        moved.invoice_id, moved.on_day,
        invoices.amount - sum(moved.amount) over (partition by moved.invoice_id order by moved.on_day) as balance
    from moved
    join invoices on invoices.invoice_id = moved.invoice_id and not invoices.is_credit
),

owed as (
    select invoice_id, max(on_day) filter (where balance > 0) as last_owed_on from balances group by invoice_id
)

select balances.invoice_id, min(balances.on_day) as settled_on
from balances
join owed on owed.invoice_id = balances.invoice_id
where owed.last_owed_on is null or balances.on_day > owed.last_owed_on
group by balances.invoice_id;
analyze relations, settled;

create unlogged table invoicing as
select
    invoices.invoice_id, invoices.order_id, invoices.customer_id,
    least(settled.settled_on, coalesce(invoices.due_on, invoices.issued_on + 30) + 30) as until
from invoices
left join settled on settled.invoice_id = invoices.invoice_id
where not invoices.is_credit;
create unlogged table archives as
with last_vouchers as (
    select chain, max(on_day) as on_day
    from (select chain, voucher_on as on_day from invoices union all select chain, paid_on from payments) as vouchers
    group by chain
),

fiscal as (
    select days.on_day, max(years.ends_on::date) as ends_on
    from (select distinct on_day from last_vouchers where on_day is not null) as days
    join export.fiscal_years as years on days.on_day between years.starts_on::date and years.ends_on::date
    group by days.on_day
)

select
    last_vouchers.chain,
    make_date(
        extract(year from coalesce(fiscal.ends_on, last_vouchers.on_day) + interval '84 months')::int, 12, 31
    ) as until
from last_vouchers
left join fiscal on fiscal.on_day = last_vouchers.on_day;
analyze invoicing, archives;

-- One wide table a record type.
create schema record;
create unlogged table record.customer as
select
    relations.customer_id as record_key, not relations.is_person as not_personal, false as is_orphan,
    restricted.customer_id is not null as restricted,
    case when relations.is_person then least(relations.natural_end, relations.word_on) end as direct_marketing,
    coalesce(relations.natural_end, relations.word_on) is null as direct_marketing_missing,
    due.until as invoicing, due.missing as invoicing_missing
from relations
left join restricted on restricted.customer_id = relations.customer_id
left join (
    select customer_id, max(until) as until, bool_or(until is null) as missing from invoicing group by customer_id
) as due on due.customer_id = relations.customer_id;
create unlogged table record.contact as
select
    contacts.contact_id as record_key, false as not_personal, relations.customer_id is null as is_orphan,
    false as restricted,
    case
        when not relations.is_person and coalesce(relations.natural_end, relations.exit_on) is not null
            then least(relations.natural_end, relations.exit_on, cap.on_day)
    end as direct_marketing,
    not relations.is_person and coalesce(relations.natural_end, relations.exit_on) is null
    and (cap.on_day is null or cap.on_day >= :'as_of') as direct_marketing_missing
from export.contacts
left join relations on relations.customer_id = contacts.customer_id
left join lateral (
    select local_day(contacts.role_ended_at) + 30 as on_day where local_day(contacts.role_ended_at) <= :'as_of'
) as cap on true;
create unlogged table record.interaction as
with words as (
    select interactions.interaction_id, min(word.on_day) as on_day
    from interactions
    join (
        select customer_id, on_day from exits
        union all
        select customer_id, received_on from asked where kind = 'erasure'
    ) as word on word.customer_id = interactions.customer_id
    where interactions.occurred_on is null or word.on_day >= interactions.occurred_on
    group by interactions.interaction_id
)

select
    interactions.interaction_id as record_key, false as not_personal, false as is_orphan,
    restricted.customer_id is not null as restricted,
    least((coalesce(closed_on, occurred_on) + interval '12 months')::date, words.on_day) as customer_care,
    coalesce(closed_on, occurred_on, words.on_day) is null as customer_care_missing
from interactions
left join words on words.interaction_id = interactions.interaction_id
left join restricted on restricted.customer_id = interactions.customer_id;
create unlogged table record.quote as
select quotes.quote_id as record_key, false as not_personal, false as is_orphan,
    restricted.customer_id is not null as restricted
from quotes
left join restricted on restricted.customer_id = quotes.customer_id;
create unlogged table record.quote_document as
select documents.document_id as record_key, false as not_personal, quotes.quote_id is null as is_orphan,
    restricted.customer_id is not null as restricted
from export.quote_documents as documents
left join quotes on quotes.quote_id = documents.quote_id
left join restricted on restricted.customer_id = quotes.customer_id;
create unlogged table record.consent as
select consents.consent_id as record_key, false as not_personal, false as is_orphan,
    restricted.customer_id is not null as restricted
from export.consents
left join restricted on restricted.customer_id = consents.customer_id and consents.contact_id is null;
create unlogged table record."order" as
select
    orders.order_id as record_key, false as not_personal, false as is_orphan,
    restricted.customer_id is not null as restricted,
    due.until as invoicing, due.missing as invoicing_missing
from orders
left join restricted on restricted.customer_id = orders.customer_id
left join (
    select order_id, max(until) as until, bool_or(until is null) as missing from invoicing group by order_id
) as due on due.order_id = orders.order_id;
create unlogged table record.order_line as
select
    lines.order_line_id as record_key, false as not_personal, orders.order_id is null as is_orphan,
    restricted.customer_id is not null as restricted,
    archived.until as accounting, archived.missing as accounting_missing
from export.order_lines as lines
left join orders on orders.order_id = lines.order_id
left join restricted on restricted.customer_id = orders.customer_id
left join (
    select invoices.order_id, max(archives.until) as until, bool_or(archives.until is null) as missing
    from invoices
    join archives on archives.chain = invoices.chain
    where not invoices.is_credit
    or not exists (
        select 1 from invoices as plain where plain.order_id = invoices.order_id and not plain.is_credit
    )
    group by invoices.order_id
) as archived on archived.order_id = lines.order_id;
create unlogged table record.delivery as
select rows.delivery_id as record_key, false as not_personal, orders.order_id is null as is_orphan,
    restricted.customer_id is not null as restricted
from export.deliveries as rows
left join orders on orders.order_id = rows.order_id
left join restricted on restricted.customer_id = orders.customer_id;
create unlogged table record.proof_approval as
select rows.proof_id as record_key, false as not_personal, orders.order_id is null as is_orphan,
    restricted.customer_id is not null as restricted
from export.proof_approvals as rows
left join orders on orders.order_id = rows.order_id
left join restricted on restricted.customer_id = orders.customer_id;
create unlogged table record.complaint as
select rows.complaint_id as record_key, false as not_personal, orders.order_id is null as is_orphan,
    restricted.customer_id is not null as restricted
from export.complaints as rows
left join orders on orders.order_id = rows.order_id
left join restricted on restricted.customer_id = orders.customer_id;
create unlogged table record.invoice as
select
    invoices.invoice_id as record_key, false as not_personal, false as is_orphan,
    exists (select from restricted where restricted.customer_id in (invoices.customer_id, invoices.buyer)) as restricted,
    archives.until as accounting, archives.until is null as accounting_missing,
    invoicing.until as invoicing, invoicing.invoice_id is not null and invoicing.until is null as invoicing_missing
from invoices
left join archives on archives.chain = invoices.chain
left join invoicing on invoicing.invoice_id = invoices.invoice_id;
analyze record.invoice;
create unlogged table record.payment as
select
    payments.payment_id as record_key, false as not_personal, payments.invoice_id is null as is_orphan,
    coalesce(invoice.restricted, false) as restricted,
    archives.until as accounting, archives.until is null as accounting_missing,
    invoice.invoicing, coalesce(invoice.invoicing_missing, false) as invoicing_missing
from payments
left join archives on archives.chain = payments.chain
left join record.invoice as invoice on invoice.record_key = payments.invoice_id;
create unlogged table record.claim_event as
select events.claim_event_id as record_key, false as not_personal, invoice.record_key is null as is_orphan,
    coalesce(invoice.restricted, false) as restricted
from export.claim_events as events
left join record.invoice as invoice on invoice.record_key = events.invoice_id;
create unlogged table record.subscriber as
with marks as (
    select email, name, min(customer_id) as customer_id from customers where is_person group by email, name
)

select subscribers.subscriber_id as record_key, false as not_personal, false as is_orphan,
    restricted.customer_id is not null as restricted
from export.subscribers
left join marks on marks.email = lower(trim(subscribers.email)) and marks.name = folded_name(subscribers.name)
left join restricted
    on restricted.customer_id = coalesce(subscribers.customer_id, marks.customer_id) and subscribers.contact_id is null;
create unlogged table record.send as
select sends.send_id as record_key, false as not_personal, subscriber.record_key is null as is_orphan,
    coalesce(subscriber.restricted, false) as restricted
from export.sends
left join record.subscriber as subscriber on subscriber.record_key = sends.subscriber_id;
create unlogged table record.web_event as
select
    events.event_id as record_key, false as not_personal, false as is_orphan,
    restricted.customer_id is not null as restricted,
    local_day(events.occurred_at) + 90 as web_security, events.occurred_at is null as web_security_missing
from export.events
left join restricted on restricted.customer_id = events.customer_id;
