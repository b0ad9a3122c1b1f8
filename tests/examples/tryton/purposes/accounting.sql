-- Accounting (Art 6(1)(c); BFL 7 kap. 2 §): through 31 December of the seventh year after the calendar year in which
-- the
-- fiscal year of the chain's latest voucher ended. Grain: a claim on a record.
-- The shipped purpose, and one thing more: in Tryton an invoice shows its party and has no buyer of its own, so the
-- party
-- is kept as long as its vouchers.
with vouchers as (
    select
        invoice.chain_id,
        invoice.voucher_on
    from core.invoices as invoice
    union all
    select
        payment.chain_id,
        case when payment.paid_on <= $as_of then payment.paid_on end as voucher_on
    from core.payments as payment
),

chains as (
    select
        voucher.chain_id,
        min(voucher.voucher_on) as starts_on,
        max(voucher.voucher_on) as last_voucher_on
    from vouchers as voucher
    group by voucher.chain_id
),

years as (
    select
        last_voucher.last_voucher_on,
        coalesce(
            max(case when fiscal_year.in_source then fiscal_year.ends_on end), max(fiscal_year.ends_on)
        ) as year_ends_on
    from (
        select distinct chain.last_voucher_on
        from chains as chain
        where chain.last_voucher_on is not null
    ) as last_voucher
    inner join core.fiscal_years as fiscal_year
        on
            last_voucher.last_voucher_on >= fiscal_year.starts_on
            and last_voucher.last_voucher_on <= fiscal_year.ends_on
    group by last_voucher.last_voucher_on
),

clocks as (
    select
        chain.chain_id,
        chain.starts_on,
        make_date(
            cast(
                year(
                    add_months(coalesce(fiscal.year_ends_on, chain.last_voucher_on), archive.months) + archive.days
                ) as integer
            ),
            12,
            31
        ) as ends_on,
        case when chain.last_voucher_on is null then 'no_voucher_dated' end as missing
    from chains as chain
    inner join policy.periods as archive
        on archive.purpose = 'accounting' and archive.clock = 'archive'
    left join years as fiscal
        on chain.last_voucher_on = fiscal.last_voucher_on
),

order_sums as (
    select
        invoice.order_id,
        max(case when not invoice.is_credit_note then 1 else 0 end) as has_invoice,
        min(case when not invoice.is_credit_note then clock.starts_on end) as starts_on,
        max(case when not invoice.is_credit_note then clock.ends_on end) as ends_on,
        max(case when not invoice.is_credit_note then clock.missing end) as missing,
        min(clock.starts_on) as note_starts_on,
        max(clock.ends_on) as note_ends_on,
        max(clock.missing) as note_missing
    from core.invoices as invoice
    inner join clocks as clock
        on invoice.chain_id = clock.chain_id
    where invoice.order_id is not null
    group by invoice.order_id
),

order_clocks as (
    select
        order_sum.order_id,
        case when order_sum.has_invoice = 1 then order_sum.starts_on else order_sum.note_starts_on end as starts_on,
        case when order_sum.has_invoice = 1 then order_sum.ends_on else order_sum.note_ends_on end as ends_on,
        case when order_sum.has_invoice = 1 then order_sum.missing else order_sum.note_missing end as missing
    from order_sums as order_sum
),

claims as (
    select
        'invoice' as record_type,
        invoice.invoice_id as row_id,
        clock.starts_on,
        clock.ends_on,
        clock.missing
    from core.invoices as invoice
    inner join clocks as clock
        on invoice.chain_id = clock.chain_id
    union all
    select
        'payment' as record_type,
        payment.payment_id as row_id,
        clock.starts_on,
        clock.ends_on,
        clock.missing
    from core.payments as payment
    inner join clocks as clock
        on payment.chain_id = clock.chain_id
    union all
    select
        'order_line' as record_type,
        line.order_line_id as row_id,
        clock.starts_on,
        clock.ends_on,
        clock.missing
    from core.order_lines as line
    inner join order_clocks as clock
        on line.order_id = clock.order_id
    union all
    select
        'customer' as record_type,
        customer.customer_id as row_id,
        clock.starts_on,
        clock.ends_on,
        clock.missing
    from core.invoices as invoice
    inner join clocks as clock
        on invoice.chain_id = clock.chain_id
    inner join core.customers as customer
        on invoice.customer_id = customer.customer_id and customer.is_person
)

select
    claim.record_type,
    claim.row_id,
    'archive' as clock,
    claim.starts_on,
    claim.ends_on,
    cast(null as varchar) as ended_by,
    claim.missing
from claims as claim
