-- Account in the web shop (Art 6(1)(b)): 24 months after it was last used. Grain: a claim on a customer.
-- The export does not tell when that was, so an account is in doubt, and for a person to look at, until the customer
-- leaves.
-- Read from the export's own column: core knows no accounts.
with periods as (
    select period.purpose
    from policy.periods as period
    where period.purpose = 'web_account' and period.clock = 'while_used'
),

exits as (
    select
        exit_day.customer_id,
        min(exit_day.on_day) as on_day
    from triggers.exits as exit_day
    group by exit_day.customer_id
)

select
    'customer' as record_type,
    customer.row_id,
    'while_used' as clock,
    cast(null as date) as starts_on,
    exit_day.on_day as ends_on,
    case when exit_day.on_day is not null then 'exit' end as ended_by,
    case when exit_day.on_day is null then 'account_without_last_use' end as missing
from raw.crm_customers as customer
cross join periods
left join exits as exit_day
    on customer.row_id = exit_day.customer_id
where customer.web_account_email is not null and customer.customer_type <> 'company'
