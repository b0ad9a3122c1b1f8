-- Fields that a partner was given for a direct delivery whose time there is over. Grain: a delivery and field.
-- The day of delivery is core's: one before its order was placed counts as none. Named are the fields that hold a
-- value (kept out here too, until it comes again) or were ordered erased; of a delivery that has gone unnamed, all that
-- a direct delivery gives.
with clock as (
    select
        cast($as_of as date) as as_of,
        cast($partner_days as integer) as partner_days
),

due as (
    select
        deliveries.row_id,
        deliveries.delivery_id as record_key,
        deliveries.partner_id,
        deliveries.in_source,
        deliveries.withheld,
        deliveries.contact_name,
        deliveries.phone,
        deliveries.street,
        deliveries.postal_code,
        deliveries.city,
        dated.delivered_on,
        dated.delivered_on + clock.partner_days as ended_on
    from raw.orders_deliveries as deliveries
    inner join core.deliveries as dated on deliveries.row_id = dated.delivery_id
    cross join clock
    where
        deliveries.partner_id is not null
        and dated.delivered_on + clock.partner_days < clock.as_of
),

given as (
    select
        due.row_id,
        fields.field,
        fields.position,
        fields.bit,
        case fields.field
            when 'contact_name' then due.contact_name is not null
            when 'phone' then due.phone is not null
            when 'street' then due.street is not null
            when 'postal_code' then due.postal_code is not null
            else due.city is not null
        end
        or coalesce(list_contains(due.withheld, fields.field), false) as is_held
    from due
    cross join manifest.field_bits as fields
    where
        fields.record_type = 'delivery'
        and fields.field in ('contact_name', 'phone', 'street', 'postal_code', 'city')
),

ordered as (
    select
        told.record_key,
        bit_or(told.named) as erased
    from manifest.told
    where
        told.record_type = 'delivery'
        and told.state = 'erase'
    group by told.record_key
)

select
    due.partner_id,
    due.row_id,
    due.record_key,
    due.delivered_on,
    due.ended_on,
    given.field,
    given.position
from due
inner join given on due.row_id = given.row_id
left join ordered on due.record_key = ordered.record_key
where
    given.is_held
    or (ordered.erased & given.bit) <> 0
    or (not due.in_source and ordered.record_key is null)
