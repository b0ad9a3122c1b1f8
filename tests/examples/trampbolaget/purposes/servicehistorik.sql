-- Service history (Art 6(1)(f)): five years after the repair, unless the customer objects or asks to be erased. A word
-- ends what was there on its day. Grain: a claim on a record.
with words as (
    select
        state.order_id,
        min(word.on_day) as on_day,
        min(word.word) as word
    from triggers.order_states as state
    inner join triggers.customer_words as word
        on state.customer_id = word.customer_id and word.on_day >= state.placed_on
    where word.word in ('objection', 'erasure_request')
    group by state.order_id
),

clocks as (
    select
        state.order_id,
        state.customer_id,
        state.placed_on as starts_on,
        least(add_months(state.closed_on, historik.months) + historik.days, word.on_day) as ends_on,
        word.word as ended_by,
        case when word.on_day is null then state.reason end as missing
    from triggers.order_states as state
    inner join policy.periods as historik
        on historik.purpose = 'servicehistorik' and historik.clock = 'historik'
    left join words as word
        on state.order_id = word.order_id
    where state.state in ('closed', 'missing')
)

select
    'order' as record_type, clock.order_id as row_id, 'historik' as clock, clock.starts_on, clock.ends_on,
    clock.ended_by, clock.missing
from clocks as clock
union all
select
    'order_line' as record_type, line.order_line_id as row_id, 'historik' as clock, clock.starts_on, clock.ends_on,
    clock.ended_by, clock.missing
from clocks as clock
inner join core.order_lines as line
    on clock.order_id = line.order_id
union all
select
    'customer' as record_type, clock.customer_id as row_id, 'historik' as clock, clock.starts_on, clock.ends_on,
    clock.ended_by, clock.missing
from clocks as clock
inner join core.customers as customer
    on clock.customer_id = customer.customer_id and customer.is_person
