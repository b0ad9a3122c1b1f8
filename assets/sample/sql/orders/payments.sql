-- Payments: one for each invoice that was neither left unpaid nor credited; news pays what is open. Grain: a payment.
select
    'B' || number as payment_id,
    invoice_id,
    case
        when is_unpaid or paid_on > sample_day() then tonight(o, 'paid at') else moment(paid_on, o, 'paid at')
    end as paid_at,
    soiled(amount, '12,50,00', o, 'payment amount') as amount,
    buyer as payer_name
from sample_invoices
where not is_credited and (is_paid_tonight or (not is_unpaid and paid_on <= sample_day()))
