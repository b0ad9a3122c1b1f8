-- References by surrogate that lead to no row. Thirty-two surrogates of a parent are the bits of one number, whoever
-- refers to them: a reference leads somewhere where its bit is set.
with parents as (
    select
        'customer' as parent,
        parent.customer_id as surrogate
    from core.customers as parent
    union all
    select
        'contact' as parent,
        parent.contact_id as surrogate
    from core.contacts as parent
    union all
    select
        'quote' as parent,
        parent.quote_id as surrogate
    from core.quotes as parent
    union all
    select
        'order' as parent,
        parent.order_id as surrogate
    from core.orders as parent
    union all
    select
        'delivery' as parent,
        parent.delivery_id as surrogate
    from core.deliveries as parent
    union all
    select
        'invoice' as parent,
        parent.invoice_id as surrogate
    from core.invoices as parent
    union all
    select
        'subscriber' as parent,
        parent.subscriber_id as surrogate
    from core.subscribers as parent
),

numbers as (
    select
        parents.parent,
        parents.surrogate >> 5 as part,
        bit_or(cast(1 as bigint) << (parents.surrogate & 31)) as bits
    from parents
    group by parents.parent, parents.surrogate >> 5
),

children as (
    select
        'customer' as parent,
        'core.contacts.customer_id' as reference,
        child.customer_id as surrogate
    from core.contacts as child
    union all
    select
        'customer' as parent,
        'core.interactions.customer_id' as reference,
        child.customer_id as surrogate
    from core.interactions as child
    union all
    select
        'customer' as parent,
        'core.quotes.customer_id' as reference,
        child.customer_id as surrogate
    from core.quotes as child
    union all
    select
        'customer' as parent,
        'core.consents.customer_id' as reference,
        child.customer_id as surrogate
    from core.consents as child
    union all
    select
        'customer' as parent,
        'core.orders.customer_id' as reference,
        child.customer_id as surrogate
    from core.orders as child
    union all
    select
        'customer' as parent,
        'core.invoices.customer_id' as reference,
        child.customer_id as surrogate
    from core.invoices as child
    union all
    select
        'customer' as parent,
        'core.subscribers.customer_id' as reference,
        child.customer_id as surrogate
    from core.subscribers as child
    union all
    select
        'customer' as parent,
        'core.web_events.customer_id' as reference,
        child.customer_id as surrogate
    from core.web_events as child
    union all
    select
        'customer' as parent,
        'core.requests.customer_id' as reference,
        child.customer_id as surrogate
    from core.requests as child
    union all
    select
        'contact' as parent,
        'core.interactions.contact_id' as reference,
        child.contact_id as surrogate
    from core.interactions as child
    union all
    select
        'contact' as parent,
        'core.quotes.contact_id' as reference,
        child.contact_id as surrogate
    from core.quotes as child
    union all
    select
        'contact' as parent,
        'core.consents.contact_id' as reference,
        child.contact_id as surrogate
    from core.consents as child
    union all
    select
        'contact' as parent,
        'core.orders.contact_id' as reference,
        child.contact_id as surrogate
    from core.orders as child
    union all
    select
        'contact' as parent,
        'core.subscribers.contact_id' as reference,
        child.contact_id as surrogate
    from core.subscribers as child
    union all
    select
        'contact' as parent,
        'core.requests.contact_id' as reference,
        child.contact_id as surrogate
    from core.requests as child
    union all
    select
        'quote' as parent,
        'core.quote_documents.quote_id' as reference,
        child.quote_id as surrogate
    from core.quote_documents as child
    union all
    select
        'order' as parent,
        'core.deliveries.order_id' as reference,
        child.order_id as surrogate
    from core.deliveries as child
    union all
    select
        'order' as parent,
        'core.order_lines.order_id' as reference,
        child.order_id as surrogate
    from core.order_lines as child
    union all
    select
        'order' as parent,
        'core.proof_approvals.order_id' as reference,
        child.order_id as surrogate
    from core.proof_approvals as child
    union all
    select
        'order' as parent,
        'core.invoices.order_id' as reference,
        child.order_id as surrogate
    from core.invoices as child
    union all
    select
        'order' as parent,
        'core.complaints.order_id' as reference,
        child.order_id as surrogate
    from core.complaints as child
    union all
    select
        'delivery' as parent,
        'core.order_lines.delivery_id' as reference,
        child.delivery_id as surrogate
    from core.order_lines as child
    union all
    select
        'invoice' as parent,
        'core.payments.invoice_id' as reference,
        child.invoice_id as surrogate
    from core.payments as child
    union all
    select
        'invoice' as parent,
        'core.claim_events.invoice_id' as reference,
        child.invoice_id as surrogate
    from core.claim_events as child
    union all
    select
        'subscriber' as parent,
        'core.sends.subscriber_id' as reference,
        child.subscriber_id as surrogate
    from core.sends as child
)

select
    children.reference,
    children.surrogate
from children
left join numbers
    on
        children.parent = numbers.parent
        and (children.surrogate >> 5) = numbers.part
where
    children.surrogate is not null
    and coalesce(numbers.bits & (cast(1 as bigint) << (children.surrogate & 31)), 0) = 0
