-- References by surrogate that lead to no row. A parent's surrogates are gone through once, whoever refers to them.
with to_customers as (
    select
        'core.contacts.customer_id' as reference,
        child.customer_id as surrogate
    from core.contacts as child
    union all
    select
        'core.interactions.customer_id' as reference,
        child.customer_id as surrogate
    from core.interactions as child
    union all
    select
        'core.quotes.customer_id' as reference,
        child.customer_id as surrogate
    from core.quotes as child
    union all
    select
        'core.consents.customer_id' as reference,
        child.customer_id as surrogate
    from core.consents as child
    union all
    select
        'core.orders.customer_id' as reference,
        child.customer_id as surrogate
    from core.orders as child
    union all
    select
        'core.invoices.customer_id' as reference,
        child.customer_id as surrogate
    from core.invoices as child
    union all
    select
        'core.subscribers.customer_id' as reference,
        child.customer_id as surrogate
    from core.subscribers as child
    union all
    select
        'core.web_events.customer_id' as reference,
        child.customer_id as surrogate
    from core.web_events as child
    union all
    select
        'core.requests.customer_id' as reference,
        child.customer_id as surrogate
    from core.requests as child
),

to_contacts as (
    select
        'core.interactions.contact_id' as reference,
        child.contact_id as surrogate
    from core.interactions as child
    union all
    select
        'core.quotes.contact_id' as reference,
        child.contact_id as surrogate
    from core.quotes as child
    union all
    select
        'core.consents.contact_id' as reference,
        child.contact_id as surrogate
    from core.consents as child
    union all
    select
        'core.orders.contact_id' as reference,
        child.contact_id as surrogate
    from core.orders as child
    union all
    select
        'core.subscribers.contact_id' as reference,
        child.contact_id as surrogate
    from core.subscribers as child
    union all
    select
        'core.requests.contact_id' as reference,
        child.contact_id as surrogate
    from core.requests as child
),

to_quotes as (
    select
        'core.quote_documents.quote_id' as reference,
        child.quote_id as surrogate
    from core.quote_documents as child
),

to_orders as (
    select
        'core.deliveries.order_id' as reference,
        child.order_id as surrogate
    from core.deliveries as child
    union all
    select
        'core.order_lines.order_id' as reference,
        child.order_id as surrogate
    from core.order_lines as child
    union all
    select
        'core.proof_approvals.order_id' as reference,
        child.order_id as surrogate
    from core.proof_approvals as child
    union all
    select
        'core.invoices.order_id' as reference,
        child.order_id as surrogate
    from core.invoices as child
    union all
    select
        'core.complaints.order_id' as reference,
        child.order_id as surrogate
    from core.complaints as child
),

to_deliveries as (
    select
        'core.order_lines.delivery_id' as reference,
        child.delivery_id as surrogate
    from core.order_lines as child
),

to_invoices as (
    select
        'core.payments.invoice_id' as reference,
        child.invoice_id as surrogate
    from core.payments as child
    union all
    select
        'core.claim_events.invoice_id' as reference,
        child.invoice_id as surrogate
    from core.claim_events as child
),

to_subscribers as (
    select
        'core.sends.subscriber_id' as reference,
        child.subscriber_id as surrogate
    from core.sends as child
)

select
    child.reference,
    child.surrogate
from to_customers as child
where
    child.surrogate is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.surrogate
    )
union all
select
    child.reference,
    child.surrogate
from to_contacts as child
where
    child.surrogate is not null
    and not exists (
        select 1 from core.contacts as parent
        where parent.contact_id = child.surrogate
    )
union all
select
    child.reference,
    child.surrogate
from to_quotes as child
where
    child.surrogate is not null
    and not exists (
        select 1 from core.quotes as parent
        where parent.quote_id = child.surrogate
    )
union all
select
    child.reference,
    child.surrogate
from to_orders as child
where
    child.surrogate is not null
    and not exists (
        select 1 from core.orders as parent
        where parent.order_id = child.surrogate
    )
union all
select
    child.reference,
    child.surrogate
from to_deliveries as child
where
    child.surrogate is not null
    and not exists (
        select 1 from core.deliveries as parent
        where parent.delivery_id = child.surrogate
    )
union all
select
    child.reference,
    child.surrogate
from to_invoices as child
where
    child.surrogate is not null
    and not exists (
        select 1 from core.invoices as parent
        where parent.invoice_id = child.surrogate
    )
union all
select
    child.reference,
    child.surrogate
from to_subscribers as child
where
    child.surrogate is not null
    and not exists (
        select 1 from core.subscribers as parent
        where parent.subscriber_id = child.surrogate
    )
