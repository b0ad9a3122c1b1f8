-- Quotes. Grain: a quote.
select
    quote_id,
    customer_id,
    case when kind = 'company' then customer_id || '-1' end as contact_id,
    moment(requested_on, q, 'requested at') as requested_at,
    moment(requested_on + 2, q, 'sent at') as sent_at,
    case when draw(q, 'lasts', 10) > 0 then requested_on + 32 end as valid_until,
    case
        when requested_on + 2 > sample_day() then 'requested'
        when requested_on + 32 >= sample_day() then 'sent'
        else one_of('quote_ends', q, 'status')
    end as status,
    one_of('quote_requests', q, 'request') as request_text,
    money(100000 + draw(q, 'amount', 4000000)) as amount,
    'SEK' as currency
from sample_quotes
