-- Quotes. Grain: a quote. came_on is the day it came to be, for words that end what was there.
select
    quote.row_id as quote_id,
    customer.row_id as customer_id,
    contact.row_id as contact_id,
    quote.requested_at as requested_on,
    quote.sent_at as sent_on,
    quote.valid_until,
    quote.status,
    coalesce(quote.requested_at, quote.sent_at) as came_on,
    quote.in_source
from raw.crm_quotes as quote
left join raw.crm_customers as customer
    on quote.customer_id = customer.customer_id
left join raw.crm_contacts as contact
    on quote.contact_id = contact.contact_id
