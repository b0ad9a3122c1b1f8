-- When the relation with a customer ends: the exit, else 24 months after the last activity. Grain: a customer.
with activities as (
    select
        customer.customer_id,
        customer.customer_since as on_day
    from core.customers as customer
    union all
    select
        purchase.customer_id,
        purchase.placed_on as on_day
    from core.orders as purchase
    union all
    select
        quote.customer_id,
        greatest(quote.requested_on, quote.sent_on) as on_day
    from core.quotes as quote
    union all
    select
        interaction.customer_id,
        interaction.occurred_on as on_day
    from core.interactions as interaction
),

last_activities as (
    select
        activity.customer_id,
        max(activity.on_day) as last_active_on
    from activities as activity
    where activity.customer_id is not null
    group by activity.customer_id
),

first_exits as (
    select
        exit_day.customer_id,
        min(exit_day.on_day) as on_day
    from triggers.exits as exit_day
    group by exit_day.customer_id
)

select
    customer.customer_id,
    customer.is_person,
    customer.customer_type,
    activity.last_active_on,
    exit_day.on_day as exit_on,
    coalesce(
        exit_day.on_day,
        add_months(activity.last_active_on, passive.months) + passive.days
    ) as relation_ends_on
from core.customers as customer
inner join policy.periods as passive
    on passive.purpose = '*' and passive.clock = 'passive'
left join last_activities as activity
    on customer.customer_id = activity.customer_id
left join first_exits as exit_day
    on customer.customer_id = exit_day.customer_id
