-- Records that count as not personal and are not a company's own customer record, or the other way round.
with companies as (
    select customers.customer_id
    from core.customers as customers
    where customers.customer_type = 'company'
)

select
    dispositions.record_type,
    dispositions.row_id
from retention.dispositions as dispositions
left join companies on dispositions.row_id = companies.customer_id
where
    (dispositions.disposition = 'not_personal' or dispositions.record_type = 'customer')
    and (dispositions.disposition = 'not_personal')
    is distinct from (dispositions.record_type = 'customer' and companies.customer_id is not null)
