-- What the claims on each category of each record in the sources add up to on the day. Grain: a record and a data
-- category.
-- An open restriction (Art 18) comes first, then use, then duty, then doubt; what nobody claims is to be erased.
with categories as (
    select
        field.record_type,
        field.data_category
    from policy.fields as field
    group by field.record_type, field.data_category
),

claimed as (
    select
        claim.record_type,
        claim.row_id,
        claim.data_category,
        max(case when claim.is_active and purpose.class = 'use' then 1 else 0 end) as has_use,
        max(case when claim.is_active and purpose.class = 'duty' then 1 else 0 end) as has_duty,
        max(case when claim.is_active and claim.open_ended then 1 else 0 end) as has_open_end,
        max(case when claim.is_active then claim.keep_until end) as keep_until,
        list_sort(
            list(claim.purpose || ': ' || claim.missing) filter (where claim.missing is not null)
        ) as missing
    from retention.claims as claim
    inner join policy.purposes as purpose
        on claim.purpose = purpose.purpose
    group by claim.record_type, claim.row_id, claim.data_category
),

decided as (
    select
        record.record_type,
        record.row_id,
        category.data_category,
        case
            when record.not_personal then 'not_personal'
            when restricted.row_id is not null then 'restrict'
            when claimed.has_use = 1 then 'retain'
            when claimed.has_duty = 1 then 'restrict'
            when claimed.missing is not null or orphan.row_id is not null then 'review'
            else 'erase'
        end as disposition,
        case
            when record.not_personal or restricted.row_id is not null or claimed.has_open_end = 1 then null
            else claimed.keep_until
        end as keep_until,
        restricted.row_id is not null as is_restricted,
        orphan.row_id is not null as is_orphan,
        claimed.missing
    from retention.records as record
    inner join categories as category
        on record.record_type = category.record_type
    left join claimed
        on
            record.record_type = claimed.record_type
            and record.row_id = claimed.row_id
            and category.data_category = claimed.data_category
    left join triggers.restricted_records as restricted
        on record.record_type = restricted.record_type and record.row_id = restricted.row_id
    left join triggers.orphans as orphan
        on record.record_type = orphan.record_type and record.row_id = orphan.row_id
)

select
    decided.record_type,
    decided.row_id,
    decided.data_category,
    decided.disposition,
    decided.keep_until,
    case
        when decided.disposition = 'restrict' and decided.is_restricted then array['restriction (Art 18)']
        when decided.disposition = 'review' and decided.missing is not null then decided.missing
        when decided.disposition = 'review' then array['orphan']
    end as reasons
from decided
