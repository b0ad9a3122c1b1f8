-- Customers under a hold that lists no field: it covers every record of theirs. Grain: a hold and a customer.
select
    hold.hold_id,
    record.row_id as customer_id
from core.holds as hold
inner join core.records as record
    on hold.record_type = record.record_type and hold.record_key = record.record_key
where hold.record_type = 'customer' and hold.listed is null
union all
select
    unknown.hold_id,
    unknown.customer_id
from triggers.held_unknown_customers as unknown
