-- What lowers (or, when paid back, raises) the balance of an invoice, by day. Grain: an invoice and a day.
-- Payments count once they are made; a credit note counts from its own day, also one still to come.
with movements as (
    select
        payment.invoice_id,
        payment.paid_on as on_day,
        payment.amount,
        payment.amount > 0 as is_payment
    from core.payments as payment
    where payment.invoice_id is not null and payment.paid_on <= $as_of
    union all
    select
        credit_note.chain_id as invoice_id,
        credit_note.voucher_on as on_day,
        credit_note.amount,
        false as is_payment
    from core.invoices as credit_note
    where
        credit_note.is_credit_note
        and credit_note.chain_id <> credit_note.invoice_id
        and credit_note.voucher_on is not null
)

select
    movement.invoice_id,
    movement.on_day,
    sum(movement.amount) as amount,
    max(case when movement.is_payment then 1 else 0 end) = 1 as has_payment
from movements as movement
group by movement.invoice_id, movement.on_day
