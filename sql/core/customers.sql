-- Customers as the rules read them: kinds, dates and identity keys, no names.
-- Grain: a customer that is, or once was, in the CRM. A company is not a data subject.
select
    customer.row_id as customer_id,
    customer.customer_type,
    customer.customer_type <> 'company' as is_person,
    customer.customer_since,
    customer.relation_ended_at as relation_ended_on,
    customer.deceased_on,
    customer.name_key,
    customer.email_key,
    customer.phone_key,
    customer.national_id_key,
    case when customer.customer_type = 'sole_trader' then customer.org_number_key end as trader_id_key,
    customer.in_source
from raw.crm_customers as customer
