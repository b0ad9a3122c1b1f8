-- Records that count as not personal and are not a company's own customer record, or the other way round.
select
    dispositions.record_type,
    dispositions.row_id
from retention.dispositions as dispositions
left join core.customers as customers
    on
        dispositions.record_type = 'customer'
        and dispositions.row_id = customers.customer_id
where (dispositions.disposition = 'not_personal') is distinct from (coalesce(customers.customer_type, '') = 'company')
