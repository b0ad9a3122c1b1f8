-- Fields whose copy at a partner is to go, and of which that partner was not told yet (Art 19).
-- Grain: a partner, record, field and cause. Authorities get none. A copy given after the notice is a new copy.
with causes as (
    select
        disclosed.partner_id,
        disclosed.record_type,
        disclosed.record_key,
        disclosed.field,
        disclosed.position,
        disclosed.disclosed_on as given_on,
        'disclosure' as cause,
        cast(null as date) as ended_on
    from manifest.disclosed_fields as disclosed
    inner join manifest.lapsed_disclosures as lapsed on disclosed.disclosure_row_id = lapsed.disclosure_row_id
    union all
    select
        delivered.partner_id,
        'delivery' as record_type,
        delivered.record_key,
        delivered.field,
        delivered.position,
        delivered.delivered_on as given_on,
        'direct_delivery' as cause,
        delivered.ended_on
    from manifest.delivered_fields as delivered
)

select
    causes.partner_id,
    causes.record_type,
    causes.record_key,
    causes.field,
    causes.cause,
    min(causes.position) as position,
    max(causes.ended_on) as ended_on
from causes
where
    not exists (
        select 1
        from raw.office_partners as partners
        where
            partners.partner_id = causes.partner_id
            and partners.role = 'authority'
    )
    and not exists (
        select 1
        from manifest.notified_fields as notified
        where
            notified.partner_id = causes.partner_id
            and notified.record_type = causes.record_type
            and notified.record_key = causes.record_key
            and notified.field = causes.field
            and (causes.given_on is null or notified.as_of >= causes.given_on)
    )
group by
    causes.partner_id,
    causes.record_type,
    causes.record_key,
    causes.field,
    causes.cause
