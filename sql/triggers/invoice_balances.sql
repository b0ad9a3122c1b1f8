-- What is left to pay at the end of each day on which something moved. Grain: an invoice and a day.
-- next_on: the next day on which something moves.
-- By parts: invoice_id of core.invoices, triggers.invoice_movements.
select
    movement.invoice_id,
    movement.on_day,
    movement.has_payment,
    invoice.amount - sum(movement.amount) over (
        partition by movement.invoice_id
        order by movement.on_day
        rows between unbounded preceding and current row
    ) as balance,
    lead(movement.on_day) over (
        partition by movement.invoice_id
        order by movement.on_day
    ) as next_on
from triggers.invoice_movements as movement
inner join core.invoices as invoice
    on movement.invoice_id = invoice.invoice_id
where not invoice.is_credit_note
