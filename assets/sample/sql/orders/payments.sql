-- Payments: one for each invoice that was neither left unpaid nor credited. Grain: a payment.
select
    'B' || number as payment_id,
    invoice_id,
    moment(paid_on, o, 'paid at') as paid_at,
    soiled(amount, '12,50,00', o, 'payment amount') as amount,
    buyer as payer_name
from sample_invoices
where not is_unpaid and not is_credited and paid_on <= sample_day()
