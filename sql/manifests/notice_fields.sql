-- Fields whose copy at a partner is to go, and of which that partner was not told yet (Art 19).
-- Grain: a partner, record, field and cause. Authorities get none. A copy given after the notice is a new copy. Of one
-- given on the notice's own day, or on no known day, days do not tell whether it came after: it was there before only
-- where an export of the office from before the notice named it.
with causes as (
    select
        disclosed.partner_id,
        disclosed.record_type,
        disclosed.record_key,
        disclosed.field,
        disclosed.position,
        disclosed.disclosed_on as given_on,
        disclosed.entered_at,
        'disclosure' as cause,
        cast(null as date) as ended_on
    from manifest.disclosed_fields as disclosed
    inner join manifest.lapsed_disclosures as lapsed
        on
            disclosed.disclosure_row_id = lapsed.disclosure_row_id
            and disclosed.field = lapsed.field
    union all
    select
        delivered.partner_id,
        'delivery' as record_type,
        delivered.record_key,
        delivered.field,
        delivered.position,
        delivered.delivered_on as given_on,
        cast(null as timestamp) as entered_at,
        'direct_delivery' as cause,
        delivered.ended_on
    from manifest.delivered_fields as delivered
),

issued as (
    select
        items.item_id,
        max(manifests.issued_at) as issued_at
    from manifest.items as items
    inner join manifest.manifests as manifests on items.manifest_id = manifests.manifest_id
    where items.action = 'notify'
    group by items.item_id
),

told as (
    select
        notified.partner_id,
        notified.record_type,
        notified.record_key,
        notified.field,
        notified.as_of,
        issued.issued_at
    from manifest.notified_fields as notified
    left join issued on notified.item_id = issued.item_id
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
        from told
        where
            told.partner_id = causes.partner_id
            and told.record_type = causes.record_type
            and told.record_key = causes.record_key
            and told.field = causes.field
            and (
                told.as_of > causes.given_on
                or (
                    causes.cause = 'disclosure'
                    and told.as_of = coalesce(causes.given_on, told.as_of)
                    and coalesce(causes.entered_at <= told.issued_at, true)
                )
            )
    )
group by
    causes.partner_id,
    causes.record_type,
    causes.record_key,
    causes.field,
    causes.cause
