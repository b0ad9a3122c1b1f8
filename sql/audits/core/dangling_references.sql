-- References by surrogate that lead to no row.
select
    'core.contacts.customer_id' as reference,
    child.customer_id as surrogate
from core.contacts as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.interactions.customer_id' as reference,
    child.customer_id as surrogate
from core.interactions as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.interactions.contact_id' as reference,
    child.contact_id as surrogate
from core.interactions as child
where
    child.contact_id is not null
    and not exists (
        select 1 from core.contacts as parent
        where parent.contact_id = child.contact_id
    )
union all
select
    'core.quotes.customer_id' as reference,
    child.customer_id as surrogate
from core.quotes as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.quotes.contact_id' as reference,
    child.contact_id as surrogate
from core.quotes as child
where
    child.contact_id is not null
    and not exists (
        select 1 from core.contacts as parent
        where parent.contact_id = child.contact_id
    )
union all
select
    'core.quote_documents.quote_id' as reference,
    child.quote_id as surrogate
from core.quote_documents as child
where
    child.quote_id is not null
    and not exists (
        select 1 from core.quotes as parent
        where parent.quote_id = child.quote_id
    )
union all
select
    'core.consents.customer_id' as reference,
    child.customer_id as surrogate
from core.consents as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.consents.contact_id' as reference,
    child.contact_id as surrogate
from core.consents as child
where
    child.contact_id is not null
    and not exists (
        select 1 from core.contacts as parent
        where parent.contact_id = child.contact_id
    )
union all
select
    'core.orders.customer_id' as reference,
    child.customer_id as surrogate
from core.orders as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.orders.contact_id' as reference,
    child.contact_id as surrogate
from core.orders as child
where
    child.contact_id is not null
    and not exists (
        select 1 from core.contacts as parent
        where parent.contact_id = child.contact_id
    )
union all
select
    'core.deliveries.order_id' as reference,
    child.order_id as surrogate
from core.deliveries as child
where
    child.order_id is not null
    and not exists (
        select 1 from core.orders as parent
        where parent.order_id = child.order_id
    )
union all
select
    'core.order_lines.order_id' as reference,
    child.order_id as surrogate
from core.order_lines as child
where
    child.order_id is not null
    and not exists (
        select 1 from core.orders as parent
        where parent.order_id = child.order_id
    )
union all
select
    'core.order_lines.delivery_id' as reference,
    child.delivery_id as surrogate
from core.order_lines as child
where
    child.delivery_id is not null
    and not exists (
        select 1 from core.deliveries as parent
        where parent.delivery_id = child.delivery_id
    )
union all
select
    'core.proof_approvals.order_id' as reference,
    child.order_id as surrogate
from core.proof_approvals as child
where
    child.order_id is not null
    and not exists (
        select 1 from core.orders as parent
        where parent.order_id = child.order_id
    )
union all
select
    'core.invoices.order_id' as reference,
    child.order_id as surrogate
from core.invoices as child
where
    child.order_id is not null
    and not exists (
        select 1 from core.orders as parent
        where parent.order_id = child.order_id
    )
union all
select
    'core.invoices.customer_id' as reference,
    child.customer_id as surrogate
from core.invoices as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.payments.invoice_id' as reference,
    child.invoice_id as surrogate
from core.payments as child
where
    child.invoice_id is not null
    and not exists (
        select 1 from core.invoices as parent
        where parent.invoice_id = child.invoice_id
    )
union all
select
    'core.claim_events.invoice_id' as reference,
    child.invoice_id as surrogate
from core.claim_events as child
where
    child.invoice_id is not null
    and not exists (
        select 1 from core.invoices as parent
        where parent.invoice_id = child.invoice_id
    )
union all
select
    'core.complaints.order_id' as reference,
    child.order_id as surrogate
from core.complaints as child
where
    child.order_id is not null
    and not exists (
        select 1 from core.orders as parent
        where parent.order_id = child.order_id
    )
union all
select
    'core.subscribers.customer_id' as reference,
    child.customer_id as surrogate
from core.subscribers as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.subscribers.contact_id' as reference,
    child.contact_id as surrogate
from core.subscribers as child
where
    child.contact_id is not null
    and not exists (
        select 1 from core.contacts as parent
        where parent.contact_id = child.contact_id
    )
union all
select
    'core.sends.subscriber_id' as reference,
    child.subscriber_id as surrogate
from core.sends as child
where
    child.subscriber_id is not null
    and not exists (
        select 1 from core.subscribers as parent
        where parent.subscriber_id = child.subscriber_id
    )
union all
select
    'core.web_events.customer_id' as reference,
    child.customer_id as surrogate
from core.web_events as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.requests.customer_id' as reference,
    child.customer_id as surrogate
from core.requests as child
where
    child.customer_id is not null
    and not exists (
        select 1 from core.customers as parent
        where parent.customer_id = child.customer_id
    )
union all
select
    'core.requests.contact_id' as reference,
    child.contact_id as surrogate
from core.requests as child
where
    child.contact_id is not null
    and not exists (
        select 1 from core.contacts as parent
        where parent.contact_id = child.contact_id
    )
