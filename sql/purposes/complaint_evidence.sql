-- Complaint evidence (Art 17(3)(e); KKL 5 kap., KöpL 32 §): three years from delivery for a private purchase, two for a
-- business one. A line goes by its own delivery, proofs and the order's buyer by the last one. Grain: a record.
-- Closed words: record_type, clock.
with periods as (
    select
        private.months as private_months,
        private.days as private_days,
        business.months as business_months,
        business.days as business_days
    from policy.periods as private
    inner join policy.periods as business
        on business.purpose = 'complaint_evidence' and business.clock = 'business'
    where private.purpose = 'complaint_evidence' and private.clock = 'private'
),

states as (
    select
        state.order_id,
        state.capacity,
        state.last_delivered_on,
        state.is_no_longer_open,
        state.delivered < state.deliveries as lacks_day
    from triggers.order_states as state
    where state.deliveries > 0 and not state.is_cancelled
),

subjects as (
    select
        'order' as record_type,
        state.order_id as row_id,
        state.capacity,
        state.last_delivered_on as delivered_on,
        state.lacks_day and state.is_no_longer_open as day_is_missing
    from states as state
    union all
    select
        'proof_approval' as record_type,
        proof.proof_id as row_id,
        state.capacity,
        state.last_delivered_on as delivered_on,
        state.lacks_day and state.is_no_longer_open as day_is_missing
    from states as state
    inner join core.proof_approvals as proof
        on state.order_id = proof.order_id
    union all
    select
        'order_line' as record_type,
        line.order_line_id as row_id,
        state.capacity,
        case
            when line.delivery_id is null then state.last_delivered_on
            when delivery.delivered_on <= $as_of then delivery.delivered_on
        end as delivered_on,
        state.is_no_longer_open
        and case
            when line.delivery_id is null then state.lacks_day
            else delivery.delivered_on is null or delivery.delivered_on > $as_of
        end as day_is_missing
    from states as state
    inner join core.order_lines as line
        on state.order_id = line.order_id
    left join core.deliveries as delivery
        on line.delivery_id = delivery.delivery_id
),

clocks as (
    select
        subject.record_type,
        subject.row_id,
        subject.delivered_on,
        subject.capacity,
        subject.day_is_missing,
        case
            when subject.capacity = 'private'
                then add_months(subject.delivered_on, period.private_months) + period.private_days
            when subject.capacity = 'business'
                then add_months(subject.delivered_on, period.business_months) + period.business_days
            else greatest(
                add_months(subject.delivered_on, period.private_months) + period.private_days,
                add_months(subject.delivered_on, period.business_months) + period.business_days
            )
        end as ends_on
    from subjects as subject
    cross join periods as period
)

select
    clock.record_type,
    clock.row_id,
    'evidence' as clock,
    clock.delivered_on as starts_on,
    case when clock.capacity is not null then clock.ends_on end as ends_on,
    cast(null as varchar) as ended_by,
    case
        when clock.capacity is null and clock.ends_on >= $as_of then 'purchase_capacity_missing'
        when clock.day_is_missing then 'delivery_without_day'
    end as missing
from clocks as clock
where
    (clock.capacity is not null and clock.delivered_on is not null)
    or (clock.capacity is null and clock.ends_on >= $as_of)
    or clock.day_is_missing
