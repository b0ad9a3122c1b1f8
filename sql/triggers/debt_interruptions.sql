-- The days on which something may restart the limitation of a claim. Grain: an invoice and a day.
select distinct
    interruption.invoice_id,
    interruption.on_day
from (
    select
        happening.invoice_id,
        happening.occurred_on as on_day
    from core.claim_events as happening
    where
        happening.event in ('demand_received', 'acknowledged', 'part_paid', 'filed', 'judgment')
        and happening.occurred_on <= $as_of
    union all
    select
        balance.invoice_id,
        balance.on_day
    from triggers.invoice_balances as balance
    where balance.has_payment and balance.balance > 0 and balance.on_day <= $as_of
) as interruption
where interruption.invoice_id is not null
