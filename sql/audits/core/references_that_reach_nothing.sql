-- References of which twenty or more rows in their source name a record, and not one names a record that any source
-- knows: the key is written otherwise there. Single rows that name an unknown record have audits of their own.
with named as (
    select
        'core.interactions.customer_id' as reference,
        count(told.customer_id) as named
    from raw.crm_interactions as told
    where told.in_source
    union all
    select
        'core.interactions.contact_id' as reference,
        count(told.contact_id) as named
    from raw.crm_interactions as told
    where told.in_source
    union all
    select
        'core.quotes.customer_id' as reference,
        count(told.customer_id) as named
    from raw.crm_quotes as told
    where told.in_source
    union all
    select
        'core.quotes.contact_id' as reference,
        count(told.contact_id) as named
    from raw.crm_quotes as told
    where told.in_source
    union all
    select
        'core.consents.customer_id' as reference,
        count(told.customer_id) as named
    from raw.crm_consents as told
    where told.in_source
    union all
    select
        'core.consents.contact_id' as reference,
        count(told.contact_id) as named
    from raw.crm_consents as told
    where told.in_source
    union all
    select
        'core.orders.customer_id' as reference,
        count(told.customer_id) as named
    from raw.orders_orders as told
    where told.in_source
    union all
    select
        'core.orders.contact_id' as reference,
        count(told.contact_id) as named
    from raw.orders_orders as told
    where told.in_source
    union all
    select
        'core.invoices.order_id' as reference,
        count(told.order_id) as named
    from raw.orders_invoices as told
    where told.in_source
    union all
    select
        'core.invoices.customer_id' as reference,
        count(told.customer_id) as named
    from raw.orders_invoices as told
    where told.in_source
    union all
    select
        'core.complaints.order_id' as reference,
        count(told.order_id) as named
    from raw.orders_complaints as told
    where told.in_source
    union all
    select
        'core.subscribers.customer_id' as reference,
        count(told.customer_id) as named
    from raw.mailing_subscribers as told
    where told.in_source
    union all
    select
        'core.subscribers.contact_id' as reference,
        count(told.contact_id) as named
    from raw.mailing_subscribers as told
    where told.in_source
    union all
    select
        'core.web_events.customer_id' as reference,
        count(told.customer_id) as named
    from raw.web_events as told
    where told.in_source
),

reached as (
    select
        'core.interactions.customer_id' as reference,
        count(record.customer_id) as reached
    from core.interactions as record
    where record.in_source
    union all
    select
        'core.interactions.contact_id' as reference,
        count(record.contact_id) as reached
    from core.interactions as record
    where record.in_source
    union all
    select
        'core.quotes.customer_id' as reference,
        count(record.customer_id) as reached
    from core.quotes as record
    where record.in_source
    union all
    select
        'core.quotes.contact_id' as reference,
        count(record.contact_id) as reached
    from core.quotes as record
    where record.in_source
    union all
    select
        'core.consents.customer_id' as reference,
        count(record.customer_id) as reached
    from core.consents as record
    where record.in_source
    union all
    select
        'core.consents.contact_id' as reference,
        count(record.contact_id) as reached
    from core.consents as record
    where record.in_source
    union all
    select
        'core.orders.customer_id' as reference,
        count(record.customer_id) as reached
    from core.orders as record
    where record.in_source
    union all
    select
        'core.orders.contact_id' as reference,
        count(record.contact_id) as reached
    from core.orders as record
    where record.in_source
    union all
    select
        'core.invoices.order_id' as reference,
        count(record.order_id) as reached
    from core.invoices as record
    where record.in_source
    union all
    select
        'core.invoices.customer_id' as reference,
        count(record.customer_id) as reached
    from core.invoices as record
    where record.in_source
    union all
    select
        'core.complaints.order_id' as reference,
        count(record.order_id) as reached
    from core.complaints as record
    where record.in_source
    union all
    select
        'core.subscribers.customer_id' as reference,
        count(record.customer_id) as reached
    from core.subscribers as record
    where record.in_source
    union all
    select
        'core.subscribers.contact_id' as reference,
        count(record.contact_id) as reached
    from core.subscribers as record
    where record.in_source
    union all
    select
        'core.web_events.customer_id' as reference,
        count(record.customer_id) as reached
    from core.web_events as record
    where record.in_source
)

select named.reference
from named
inner join reached
    on named.reference = reached.reference
where named.named >= 20 and reached.reached = 0
