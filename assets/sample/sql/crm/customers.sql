-- Customers as the CRM exports them. Grain: a customer.
select
    soiled(customer_id, '', n, 'customer id') as customer_id,
    soiled(kind, 'hushåll', n, 'customer kind') as customer_type,
    name,
    cast(null as varchar) as national_id,
    case when kind = 'company' then one_of('org_numbers', n, 'org number') end as org_number,
    case
        when kind = 'company' then 'info.' || cast(n as varchar) || '@foretag.example'
        else sample_email(n, '@hem.example')
    end as email,
    sample_phone(n) as phone,
    sample_street(home) as street,
    sample_postal_code(home) as postal_code,
    sample_city(home) as city,
    'SE' as country,
    case
        when kind <> 'company' and draw(n, 'tells birth', 3) = 0
            then date '1940-01-01' + cast(draw(n, 'birth', 22000) as integer)
    end as birth_date,
    soiled(since, '2019-02-30', n, 'customer since') as customer_since,
    coalesce(moment(ended_on, n, 'exit'), case when news = 'exit' then tonight(n, 'exit') end) as relation_ended_at,
    case when kind <> 'company' and draw(n, 'death', 200) = 0 then come(active_until + 100) end as deceased_on,
    case
        when news in ('exit', 'move') then tonight(n, 'updated') else moment(active_until, n, 'updated')
    end as updated_at
from sample_customers
