-- Orders. Grain: an order. A sole trader now and then does not say whether the purchase was for the business.
select
    'O' || number as order_id,
    customer_id,
    case when kind = 'company' then customer_id || '-1' end as contact_id,
    case
        when kind = 'company' then 'business'
        when kind = 'private' then 'private'
        else one_of('capacities', o, 'capacity')
    end as purchase_capacity,
    soiled(
        case when placed_on = sample_day() then tonight(o, 'placed at') else moment(placed_on, o, 'placed at') end,
        'i tisdags', o, 'placed at'
    ) as placed_at,
    case
        when is_cancelled then 'cancelled'
        when delivered_on + 14 <= sample_day() then 'closed'
        when delivered_on <= sample_day() then 'delivered'
        else 'open'
    end as status,
    case
        when is_cancelled then moment(placed_on + 1, o, 'closed at')
        when draw(o, 'closing day lost', 100) > 0 then moment(delivered_on + 14, o, 'closed at')
    end as closed_at,
    buyer as buyer_name,
    case when kind = 'company' then sample_email(person, '@foretag.example') else sample_email(n, '@hem.example') end
        as buyer_email,
    sample_phone(person) as buyer_phone,
    sample_street(n) as invoice_street,
    sample_postal_code(n) as invoice_postal_code,
    sample_city(n) as invoice_city
from sample_orders
