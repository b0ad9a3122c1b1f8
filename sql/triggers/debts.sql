-- The claim on each invoice: when it lapses and when it was extinguished. Grain: an invoice (credit notes are no
-- claim).
-- Without a known capacity the clock runs by the longer period, and lapses_on only says when even that is over. From
-- the day on which the claim is extinguished nothing is missing: that is its last day, whatever the capacity.
-- What is paid in advance is extinguished before it arose (settled_on before arose_on).
-- A restart counts while the clock, restarted by all before it, still runs; the first gap ends the chain.
with periods as (
    select
        private.months as private_months,
        private.days as private_days,
        business.months as business_months,
        business.days as business_days,
        grace.months as grace_months,
        grace.days as grace_days
    from policy.periods as private
    inner join policy.periods as business
        on business.purpose = 'debt_collection' and business.clock = 'business'
    inner join policy.periods as grace
        on grace.purpose = 'debt_collection' and grace.clock = 'grace'
    where private.purpose = 'debt_collection' and private.clock = 'private'
),

claims as (
    select
        invoice.invoice_id,
        invoice.customer_id,
        invoice.capacity,
        coalesce(purchase.last_delivered_on, purchase.placed_on, invoice.issued_on) as arose_on
    from core.invoices as invoice
    left join triggers.order_states as purchase
        on invoice.order_id = purchase.order_id
    where not invoice.is_credit_note
),

clocks as (
    select
        claim.invoice_id,
        claim.customer_id,
        claim.capacity,
        claim.arose_on,
        case claim.capacity when 'private' then period.private_months else period.business_months end as months,
        case claim.capacity when 'private' then period.private_days else period.business_days end as days,
        case when claim.capacity is null then period.private_months end as other_months,
        case when claim.capacity is null then period.private_days end as other_days
    from claims as claim
    cross join periods as period
),

restarts as (
    select distinct interruption.invoice_id
    from triggers.debt_interruptions as interruption
),

starts as (
    select
        clock.invoice_id,
        clock.arose_on as on_day
    from clocks as clock
    inner join restarts as restart
        on clock.invoice_id = restart.invoice_id
    where clock.arose_on is not null
    union
    select
        interruption.invoice_id,
        interruption.on_day
    from triggers.debt_interruptions as interruption
    inner join clocks as clock
        on interruption.invoice_id = clock.invoice_id
    where interruption.on_day >= clock.arose_on
),

runs as (
    select
        start_day.invoice_id,
        start_day.on_day,
        greatest(
            add_months(start_day.on_day, clock.months) + clock.days,
            add_months(start_day.on_day, clock.other_months) + clock.other_days
        ) as runs_to
    from starts as start_day
    inner join clocks as clock
        on start_day.invoice_id = clock.invoice_id
),

gaps as (
    select
        run.invoice_id,
        run.on_day,
        run.runs_to,
        case
            when
                run.on_day > lag(run.runs_to) over (
                    partition by run.invoice_id
                    order by run.on_day
                )
                then 1
            else 0
        end as gap
    from runs as run
),

chains as (
    select
        gaps.invoice_id,
        gaps.runs_to,
        sum(gaps.gap) over (
            partition by gaps.invoice_id
            order by gaps.on_day
            rows between unbounded preceding and current row
        ) as gaps_before
    from gaps
),

restarted as (
    select
        chain.invoice_id,
        max(chain.runs_to) as lapses_on
    from chains as chain
    where chain.gaps_before = 0
    group by chain.invoice_id
),

closings as (
    select
        happening.invoice_id,
        min(happening.occurred_on) as closed_on
    from core.claim_events as happening
    where happening.event in ('assigned', 'written_off') and happening.occurred_on <= $as_of
    group by happening.invoice_id
),

extinctions as (
    select
        claim.invoice_id,
        claim.customer_id,
        claim.capacity,
        claim.arose_on,
        coalesce(
            restarted.lapses_on,
            greatest(
                add_months(claim.arose_on, claim.months) + claim.days,
                add_months(claim.arose_on, claim.other_months) + claim.other_days
            )
        ) as lapses_on,
        settlement.settled_on,
        case
            when settlement.settled_on is null then closing.closed_on
            when closing.closed_on is null then settlement.settled_on
            else least(settlement.settled_on, closing.closed_on)
        end as extinguished_on
    from clocks as claim
    left join restarted
        on claim.invoice_id = restarted.invoice_id
    left join triggers.settlements as settlement
        on claim.invoice_id = settlement.invoice_id
    left join closings as closing
        on claim.invoice_id = closing.invoice_id
)

select
    extinction.invoice_id,
    extinction.customer_id,
    extinction.arose_on,
    extinction.lapses_on,
    extinction.settled_on,
    extinction.extinguished_on,
    case
        when extinction.extinguished_on <= $as_of then null
        when extinction.capacity is null then 'purchase_capacity_missing'
        when extinction.arose_on is null then 'claim_without_day'
    end as missing,
    case
        when extinction.lapses_on is null then extinction.extinguished_on
        when extinction.extinguished_on is null then extinction.lapses_on
        else least(extinction.extinguished_on, extinction.lapses_on)
    end as ends_on,
    case
        when extinction.lapses_on is null or extinction.extinguished_on < extinction.lapses_on
            then add_months(extinction.extinguished_on, period.grace_months) + period.grace_days
    end as grace_ends_on
from extinctions as extinction
cross join periods as period
