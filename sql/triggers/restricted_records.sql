-- Records that are restricted today because their person's are (Art 18): every row that is the person, what hangs on
-- the
-- person's customers (their contacts excepted), the subscriptions' sends and the consents; of a company's records
-- also the
-- interactions, quotes and orders that name the contact, with what hangs on them. Grain: a record.
with members as (
    select
        person.node_type,
        person.row_id
    from triggers.restricted_people as restricted
    inner join core.people as person
        on restricted.person_id = person.person_id
),

contacts as (
    select
        contact.contact_id,
        contact.customer_id is null as is_orphan
    from members as member
    inner join core.contacts as contact
        on member.node_type = 'contact' and member.row_id = contact.contact_id
),

orders as (
    select purchase.order_id
    from contacts as contact
    inner join core.orders as purchase
        on contact.contact_id = purchase.contact_id
    left join core.customers as customer
        on purchase.customer_id = customer.customer_id
    where not coalesce(customer.is_person, false)
),

quotes as (
    select quote.quote_id
    from contacts as contact
    inner join core.quotes as quote
        on contact.contact_id = quote.contact_id
    left join core.customers as customer
        on quote.customer_id = customer.customer_id
    where not coalesce(customer.is_person, false)
),

invoices as (
    select invoice.invoice_id
    from orders as purchase
    inner join core.invoices as invoice
        on purchase.order_id = invoice.order_id
    union
    select credit_note.invoice_id
    from orders as purchase
    inner join core.invoices as invoice
        on purchase.order_id = invoice.order_id
    inner join core.invoices as credit_note
        on invoice.invoice_id = credit_note.chain_id
    where credit_note.order_id is null and credit_note.customer_id is null
)

select
    record.record_type,
    record.row_id
from triggers.customer_records as record
inner join members as member
    on record.customer_id = member.row_id and member.node_type = 'customer'
where not record.of_contact
union
select
    'contact' as record_type,
    contact.contact_id as row_id
from contacts as contact
where not contact.is_orphan
union
select
    'subscriber' as record_type,
    member.row_id
from members as member
where member.node_type = 'subscriber'
union
select
    'send' as record_type,
    send.send_id as row_id
from members as member
inner join core.sends as send
    on member.node_type = 'subscriber' and member.row_id = send.subscriber_id
union
select
    'consent' as record_type,
    owner.consent_id as row_id
from triggers.restricted_people as restricted
inner join triggers.consent_owners as owner
    on restricted.person_id = owner.person_id
union
select
    'interaction' as record_type,
    interaction.interaction_id as row_id
from contacts as contact
inner join core.interactions as interaction
    on contact.contact_id = interaction.contact_id
left join core.customers as customer
    on interaction.customer_id = customer.customer_id
where not coalesce(customer.is_person, false)
union
select
    'quote' as record_type,
    quote.quote_id as row_id
from quotes as quote
union
select
    'quote_document' as record_type,
    document.document_id as row_id
from quotes as quote
inner join core.quote_documents as document
    on quote.quote_id = document.quote_id
union
select
    'order' as record_type,
    purchase.order_id as row_id
from orders as purchase
union
select
    'delivery' as record_type,
    child.delivery_id as row_id
from orders as purchase
inner join core.deliveries as child
    on purchase.order_id = child.order_id
union
select
    'order_line' as record_type,
    child.order_line_id as row_id
from orders as purchase
inner join core.order_lines as child
    on purchase.order_id = child.order_id
union
select
    'proof_approval' as record_type,
    child.proof_id as row_id
from orders as purchase
inner join core.proof_approvals as child
    on purchase.order_id = child.order_id
union
select
    'complaint' as record_type,
    child.complaint_id as row_id
from orders as purchase
inner join core.complaints as child
    on purchase.order_id = child.order_id
union
select
    'invoice' as record_type,
    invoice.invoice_id as row_id
from invoices as invoice
union
select
    'payment' as record_type,
    payment.payment_id as row_id
from invoices as invoice
inner join core.payments as payment
    on invoice.invoice_id = payment.invoice_id
union
select
    'claim_event' as record_type,
    happening.claim_event_id as row_id
from invoices as invoice
inner join core.claim_events as happening
    on invoice.invoice_id = happening.invoice_id
