-- Membership (Art 6(1)(b)): until the member leaves, or is passive too long. Grain: a claim on a customer.
select
    'customer' as record_type,
    relation.customer_id as row_id,
    'medlem' as clock,
    customer.customer_since as starts_on,
    add_months(relation.relation_ends_on, medlem.months) + medlem.days as ends_on,
    case when relation.exit_on is not null then 'exit' end as ended_by,
    case when relation.relation_ends_on is null then 'ingen_aktivitet' end as missing
from triggers.relations as relation
inner join core.customers as customer
    on relation.customer_id = customer.customer_id and customer.is_person
inner join policy.periods as medlem
    on medlem.purpose = 'medlemskap' and medlem.clock = 'medlem'
