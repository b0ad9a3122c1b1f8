-- Tables of core with another number of rows than the raw table they come from: a join lost rows or multiplied them.
with counts as (
    select
        'core.customers' as table_name,
        (select count(*) from core.customers) as core_rows,
        (select count(*) from raw.crm_customers) as raw_rows
    union all
    select
        'core.contacts' as table_name,
        (select count(*) from core.contacts) as core_rows,
        (select count(*) from raw.crm_contacts) as raw_rows
    union all
    select
        'core.interactions' as table_name,
        (select count(*) from core.interactions) as core_rows,
        (select count(*) from raw.crm_interactions) as raw_rows
    union all
    select
        'core.quotes' as table_name,
        (select count(*) from core.quotes) as core_rows,
        (select count(*) from raw.crm_quotes) as raw_rows
    union all
    select
        'core.quote_documents' as table_name,
        (select count(*) from core.quote_documents) as core_rows,
        (select count(*) from raw.crm_quote_documents) as raw_rows
    union all
    select
        'core.consents' as table_name,
        (select count(*) from core.consents) as core_rows,
        (select count(*) from raw.crm_consents) as raw_rows
    union all
    select
        'core.orders' as table_name,
        (select count(*) from core.orders) as core_rows,
        (select count(*) from raw.orders_orders) as raw_rows
    union all
    select
        'core.deliveries' as table_name,
        (select count(*) from core.deliveries) as core_rows,
        (select count(*) from raw.orders_deliveries) as raw_rows
    union all
    select
        'core.order_lines' as table_name,
        (select count(*) from core.order_lines) as core_rows,
        (select count(*) from raw.orders_order_lines) as raw_rows
    union all
    select
        'core.proof_approvals' as table_name,
        (select count(*) from core.proof_approvals) as core_rows,
        (select count(*) from raw.orders_proof_approvals) as raw_rows
    union all
    select
        'core.invoices' as table_name,
        (select count(*) from core.invoices) as core_rows,
        (select count(*) from raw.orders_invoices) as raw_rows
    union all
    select
        'core.payments' as table_name,
        (select count(*) from core.payments) as core_rows,
        (select count(*) from raw.orders_payments) as raw_rows
    union all
    select
        'core.claim_events' as table_name,
        (select count(*) from core.claim_events) as core_rows,
        (select count(*) from raw.orders_claim_events) as raw_rows
    union all
    select
        'core.complaints' as table_name,
        (select count(*) from core.complaints) as core_rows,
        (select count(*) from raw.orders_complaints) as raw_rows
    union all
    select
        'core.subscribers' as table_name,
        (select count(*) from core.subscribers) as core_rows,
        (select count(*) from raw.mailing_subscribers) as raw_rows
    union all
    select
        'core.sends' as table_name,
        (select count(*) from core.sends) as core_rows,
        (select count(*) from raw.mailing_sends) as raw_rows
    union all
    select
        'core.web_events' as table_name,
        (select count(*) from core.web_events) as core_rows,
        (select count(*) from raw.web_events) as raw_rows
    union all
    select
        'core.requests' as table_name,
        (select count(*) from core.requests) as core_rows,
        (select count(*) from raw.office_requests) as raw_rows
    union all
    select
        'core.holds' as table_name,
        (select count(*) from core.holds) as core_rows,
        (select count(*) from raw.office_holds) as raw_rows
),

-- every record type but the office's registers, which hold no records
together as (
    select
        'core.records' as table_name,
        (select count(*) from core.records) as core_rows,
        sum(counts.raw_rows) as raw_rows
    from counts
    where counts.table_name not in ('core.requests', 'core.holds')
)

select counts.table_name
from counts
where counts.core_rows <> counts.raw_rows
union all
select together.table_name
from together
where together.core_rows <> together.raw_rows
