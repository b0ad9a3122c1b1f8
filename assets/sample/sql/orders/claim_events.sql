-- What happened to the claims of unpaid invoices: a demand, and for most of them an end. Grain: an event.
select
    'H' || number || '-1' as claim_event_id,
    invoice_id,
    'demand_received' as event,
    moment(due_on + 20, o, 'demanded at') as occurred_at,
    'inkasso' as partner_id,
    'Krav, brev 1' as note
from sample_invoices
where is_unpaid and due_on + 20 <= sample_day()
union all
select
    'H' || number || '-2' as claim_event_id,
    invoice_id,
    one_of('claim_outcomes', o, 'outcome') as event,
    moment(due_on + 90, o, 'outcome at') as occurred_at,
    'inkasso' as partner_id,
    'Efter påminnelse' as note
from sample_invoices
where is_unpaid and due_on + 90 <= sample_day()
