-- Customers under a hold that lists no field and that no source knows (a quarantined row, say): what names them is
-- held all the same. Grain: a hold; customer_id is negative, a name for the unknown one.
select
    hold.hold_id,
    hold.record_key,
    -1 - hold.hold_id as customer_id
from core.holds as hold
left join core.records as record
    on hold.record_type = record.record_type and hold.record_key = record.record_key
where
    hold.record_type = 'customer'
    and hold.record_key is not null
    and hold.listed is null
    and record.row_id is null
