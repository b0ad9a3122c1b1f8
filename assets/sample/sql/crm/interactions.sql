-- Notes, mails, meetings and calls: none to two for each customer, and one with all news. Grain: an interaction.
with spread as (
    select
        customer.n * 10 + customer.i as t,
        customer.customer_id,
        customer.kind,
        customer.i > draw(customer.n, 'interactions', 3) as is_tonight,
        customer.since + cast(
            draw(
                customer.n * 10 + customer.i, 'talked', 1 + date_diff('day', customer.since, customer.active_until)
            ) as integer
        ) as occurred_on
    from (select
        *,
        unnest(range(1, 1 + draw(n, 'interactions', 3) + case when news is not null then 1 else 0 end)) as i
    from sample_customers) as customer
)

select
    'T' || cast(t as varchar) as interaction_id,
    customer_id,
    case when kind = 'company' then customer_id || '-1' end as contact_id,
    one_of('channels', t, 'channel') as channel,
    case when is_tonight then tonight(t, 'talked at') else moment(occurred_on, t, 'talked at') end as occurred_at,
    case
        when
            draw(t, 'case', 100) < 60 and not is_tonight
            then moment(occurred_on + cast(draw(t, 'case closed', 30) as integer), t, 'closed at')
    end
        as case_closed_at,
    one_of('subjects', t, 'subject') as subject,
    one_of('bodies', t, 'body') as body
from spread
