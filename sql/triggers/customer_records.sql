-- Everything that hangs on the customers that a hold or a restriction is about. Grain: a customer and a record.
-- of_contact: it belongs to a contact of the customer, or to the person, rather than naming the customer.
with anchors as (
    select held.customer_id
    from triggers.held_customers as held
    union
    select person.row_id as customer_id
    from triggers.restricted_people as restricted
    inner join core.people as person
        on restricted.person_id = person.person_id and person.node_type = 'customer'
),

contacts as (
    select
        contact.customer_id,
        contact.contact_id
    from core.contacts as contact
    inner join anchors as anchor
        on contact.customer_id = anchor.customer_id
    union
    select
        unknown.customer_id,
        source_row.row_id as contact_id
    from triggers.held_unknown_customers as unknown
    inner join raw.crm_contacts as source_row
        on unknown.record_key = source_row.customer_id
),

orders as (
    select
        purchase.customer_id,
        purchase.order_id
    from core.orders as purchase
    inner join anchors as anchor
        on purchase.customer_id = anchor.customer_id
    union
    select
        unknown.customer_id,
        source_row.row_id as order_id
    from triggers.held_unknown_customers as unknown
    inner join raw.orders_orders as source_row
        on unknown.record_key = source_row.customer_id
),

quotes as (
    select
        quote.customer_id,
        quote.quote_id
    from core.quotes as quote
    inner join anchors as anchor
        on quote.customer_id = anchor.customer_id
    union
    select
        unknown.customer_id,
        source_row.row_id as quote_id
    from triggers.held_unknown_customers as unknown
    inner join raw.crm_quotes as source_row
        on unknown.record_key = source_row.customer_id
),

own_invoices as (
    select
        invoice.customer_id,
        invoice.invoice_id
    from core.invoices as invoice
    inner join anchors as anchor
        on invoice.customer_id = anchor.customer_id
    union
    select
        invoice.order_customer_id as customer_id,
        invoice.invoice_id
    from core.invoices as invoice
    inner join anchors as anchor
        on invoice.order_customer_id = anchor.customer_id
    union
    select
        unknown.customer_id,
        source_row.row_id as invoice_id
    from triggers.held_unknown_customers as unknown
    inner join raw.orders_invoices as source_row
        on unknown.record_key = source_row.customer_id
    union
    select
        purchase.customer_id,
        invoice.invoice_id
    from orders as purchase
    inner join core.invoices as invoice
        on purchase.order_id = invoice.order_id
),

invoices as (
    select
        own_invoice.customer_id,
        own_invoice.invoice_id
    from own_invoices as own_invoice
    union
    select
        own_invoice.customer_id,
        credit_note.invoice_id
    from own_invoices as own_invoice
    inner join core.invoices as credit_note
        on own_invoice.invoice_id = credit_note.chain_id
    where credit_note.customer_id is null
),

subscribers as (
    select
        anchor.customer_id,
        owner.subscriber_id,
        subscriber.contact_id is not null or subscriber.names_nobody as of_contact
    from anchors as anchor
    inner join triggers.subscriber_owners as owner
        on anchor.customer_id = owner.customer_id
    inner join core.subscribers as subscriber
        on owner.subscriber_id = subscriber.subscriber_id
    union
    select
        subscriber.customer_id,
        subscriber.subscriber_id,
        true as of_contact
    from core.subscribers as subscriber
    inner join anchors as anchor
        on subscriber.customer_id = anchor.customer_id
    where subscriber.contact_id is not null
    union
    select
        unknown.customer_id,
        source_row.row_id as subscriber_id,
        true as of_contact
    from triggers.held_unknown_customers as unknown
    inner join raw.mailing_subscribers as source_row
        on unknown.record_key = source_row.customer_id
),

consents as (
    select
        anchor.customer_id,
        owner.consent_id,
        consent.contact_id is not null as of_contact
    from anchors as anchor
    inner join triggers.consent_owners as owner
        on anchor.customer_id = owner.customer_id
    inner join core.consents as consent
        on owner.consent_id = consent.consent_id
    union
    select
        anchor.customer_id,
        owner.consent_id,
        true as of_contact
    from anchors as anchor
    inner join triggers.person_customers as person
        on anchor.customer_id = person.customer_id
    inner join triggers.consent_owners as owner
        on person.person_id = owner.person_id
    where owner.names_nobody
    union
    select
        consent.customer_id,
        consent.consent_id,
        true as of_contact
    from core.consents as consent
    inner join anchors as anchor
        on consent.customer_id = anchor.customer_id
    where consent.contact_id is not null
    union
    select
        unknown.customer_id,
        source_row.row_id as consent_id,
        true as of_contact
    from triggers.held_unknown_customers as unknown
    inner join raw.crm_consents as source_row
        on unknown.record_key = source_row.customer_id
)

select
    anchor.customer_id,
    'customer' as record_type,
    anchor.customer_id as row_id,
    false as of_contact
from anchors as anchor
union all
select
    contact.customer_id,
    'contact' as record_type,
    contact.contact_id as row_id,
    true as of_contact
from contacts as contact
union all
select
    interaction.customer_id,
    'interaction' as record_type,
    interaction.interaction_id as row_id,
    false as of_contact
from core.interactions as interaction
inner join anchors as anchor
    on interaction.customer_id = anchor.customer_id
union all
select
    unknown.customer_id,
    'interaction' as record_type,
    source_row.row_id,
    false as of_contact
from triggers.held_unknown_customers as unknown
inner join raw.crm_interactions as source_row
    on unknown.record_key = source_row.customer_id
union all
select
    quote.customer_id,
    'quote' as record_type,
    quote.quote_id as row_id,
    false as of_contact
from quotes as quote
union all
select
    quote.customer_id,
    'quote_document' as record_type,
    document.document_id as row_id,
    false as of_contact
from quotes as quote
inner join core.quote_documents as document
    on quote.quote_id = document.quote_id
union all
select
    consent.customer_id,
    'consent' as record_type,
    consent.consent_id as row_id,
    consent.of_contact
from consents as consent
union all
select
    purchase.customer_id,
    'order' as record_type,
    purchase.order_id as row_id,
    false as of_contact
from orders as purchase
union all
select
    purchase.customer_id,
    'delivery' as record_type,
    child.delivery_id as row_id,
    false as of_contact
from orders as purchase
inner join core.deliveries as child
    on purchase.order_id = child.order_id
union all
select
    purchase.customer_id,
    'order_line' as record_type,
    child.order_line_id as row_id,
    false as of_contact
from orders as purchase
inner join core.order_lines as child
    on purchase.order_id = child.order_id
union all
select
    purchase.customer_id,
    'proof_approval' as record_type,
    child.proof_id as row_id,
    false as of_contact
from orders as purchase
inner join core.proof_approvals as child
    on purchase.order_id = child.order_id
union all
select
    purchase.customer_id,
    'complaint' as record_type,
    child.complaint_id as row_id,
    false as of_contact
from orders as purchase
inner join core.complaints as child
    on purchase.order_id = child.order_id
union all
select
    invoice.customer_id,
    'invoice' as record_type,
    invoice.invoice_id as row_id,
    false as of_contact
from invoices as invoice
union all
select
    invoice.customer_id,
    'payment' as record_type,
    payment.payment_id as row_id,
    false as of_contact
from invoices as invoice
inner join core.payments as payment
    on invoice.invoice_id = payment.invoice_id
union all
select
    invoice.customer_id,
    'claim_event' as record_type,
    happening.claim_event_id as row_id,
    false as of_contact
from invoices as invoice
inner join core.claim_events as happening
    on invoice.invoice_id = happening.invoice_id
union all
select
    subscriber.customer_id,
    'subscriber' as record_type,
    subscriber.subscriber_id as row_id,
    subscriber.of_contact
from subscribers as subscriber
union all
select
    subscriber.customer_id,
    'send' as record_type,
    send.send_id as row_id,
    subscriber.of_contact
from subscribers as subscriber
inner join core.sends as send
    on subscriber.subscriber_id = send.subscriber_id
union all
select
    web_event.customer_id,
    'web_event' as record_type,
    web_event.event_id as row_id,
    false as of_contact
from core.web_events as web_event
inner join anchors as anchor
    on web_event.customer_id = anchor.customer_id
union all
select
    unknown.customer_id,
    'web_event' as record_type,
    source_row.row_id,
    false as of_contact
from triggers.held_unknown_customers as unknown
inner join raw.web_events as source_row
    on unknown.record_key = source_row.customer_id
