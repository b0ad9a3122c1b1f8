-- Disclosures of which nobody will be told, or not while they stand as they do: findings for a person. No values.
-- Grain: a finding on a disclosure.
-- An entry that has lost its names (withheld) is over. Authorities are told of nothing, so nothing is amiss there.
with heard as (
    select
        disclosures.row_id,
        disclosures.partner_id,
        lower(disclosures.record_type) as record_type,
        disclosures.record_key,
        disclosures.disclosed_at as disclosed_on
    from raw.office_disclosures as disclosures
    where
        disclosures.in_source
        and disclosures.withheld is null
        and not exists (
            select 1
            from raw.office_partners as partners
            where
                partners.partner_id = disclosures.partner_id
                and partners.role = 'authority'
        )
)

select
    'disclosure_without_partner' as finding,
    'disclosure' as record_type,
    heard.row_id,
    'partner_id' as detail
from heard
where heard.partner_id is null
union all
select
    'disclosure_without_record' as finding,
    'disclosure' as record_type,
    heard.row_id,
    'the record it names is in no source' as detail
from heard
left join core.records as records
    on
        heard.record_type = records.record_type
        and heard.record_key = records.record_key
where records.row_id is null
union all
select
    'date_ahead' as finding,
    'disclosure' as record_type,
    heard.row_id,
    'disclosed_at' as detail
from heard
where heard.disclosed_on > cast($as_of as date) + 1
