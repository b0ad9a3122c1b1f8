-- Legal hold (Art 17(3)(e)): from the day it is placed through the day it is released. Grain: a record
-- and a clock.
-- The clock is the data category. A hold covers the categories of the fields it lists, all when it lists none or an
-- unknown
-- one, and, on a customer that lists none, every record of that customer.
-- Closed words: record_type, clock.
with holds as (
    select
        hold.hold_id,
        hold.record_type,
        hold.record_key,
        hold.listed,
        hold.placed_on as starts_on,
        case
            when hold.released_on <= $as_of
                then add_months(hold.released_on, released.months) + released.days
            else cast('9999-12-31' as date)
        end as ends_on
    from core.holds as hold
    inner join policy.periods as released
        on released.purpose = 'legal_hold' and released.clock = 'released'
    where hold.placed_on is null or hold.placed_on <= $as_of
),

direct as (
    select
        hold.hold_id,
        hold.record_type,
        record.row_id,
        field.data_category
    from holds as hold
    inner join core.records as record
        on hold.record_type = record.record_type and hold.record_key = record.record_key
    inner join policy.records as described
        on hold.record_type = described.record_type
    inner join policy.fields as field
        on hold.record_type = field.record_type
    where
        hold.listed is null
        or not regexp_matches(hold.listed, described.fields_pattern)
        or position(';' || field.field || ';' in hold.listed) > 0
),

-- a customer that no source knows names what hangs on it, and is itself no record that could be held
inherited as (
    select
        held.hold_id,
        record.record_type,
        record.row_id,
        field.data_category
    from triggers.held_customers as held
    inner join triggers.customer_records as record
        on held.customer_id = record.customer_id
    inner join policy.fields as field
        on record.record_type = field.record_type
    where record.row_id > 0
),

covered as (
    select
        direct.hold_id,
        direct.record_type,
        direct.row_id,
        direct.data_category
    from direct
    union
    select
        inherited.hold_id,
        inherited.record_type,
        inherited.row_id,
        inherited.data_category
    from inherited
)

select
    covered.record_type,
    covered.row_id,
    covered.data_category as clock,
    min(hold.starts_on) as starts_on,
    max(hold.ends_on) as ends_on,
    cast(case when max(hold.ends_on) <= $as_of then 'hold_released' end as varchar) as ended_by,
    cast(null as varchar) as missing
from covered
inner join holds as hold
    on covered.hold_id = hold.hold_id
group by covered.record_type, covered.row_id, covered.data_category
