-- Disclosed fields that are gone: erased today, ordered erased, or no longer in their source. Only those that are held.
-- Grain: a disclosure and field. A record that no source ever delivered is unknown, and unknown lapses nothing. What
-- was ordered does not lapse where its source holds it and it is decided otherwise by now: it is kept after all.
-- Few records are disclosed: what is known of them is looked up first, so that nothing is joined to all records.
with named as (
    select distinct
        disclosed.record_type,
        disclosed.record_key
    from manifest.disclosed_fields as disclosed
),

known as (
    select
        records.record_type,
        records.row_id,
        records.record_key,
        records.not_personal,
        records.in_source
    from core.records
    inner join named
        on
            records.record_type = named.record_type
            and records.record_key = named.record_key
),

decided as (
    select
        dispositions.record_type,
        dispositions.row_id,
        dispositions.data_category,
        dispositions.disposition
    from retention.dispositions
    inner join known
        on
            dispositions.record_type = known.record_type
            and dispositions.row_id = known.row_id
),

states as (
    select
        disclosed.disclosure_row_id,
        disclosed.field,
        case
            when
                disclosed.is_ordered
                and not (disclosed.has_value and coalesce(cast(decided.disposition as varchar) <> 'erase', false))
                then 1
            when known.row_id is null or known.not_personal then 0
            when not known.in_source then 1
            when decided.disposition = 'erase' then 1
            else 0
        end as is_gone
    from manifest.disclosed_fields as disclosed
    left join known
        on
            disclosed.record_type = known.record_type
            and disclosed.record_key = known.record_key
    left join decided
        on
            known.record_type = decided.record_type
            and known.row_id = decided.row_id
            and disclosed.data_category = decided.data_category
    where disclosed.is_held
)

select
    states.disclosure_row_id,
    states.field
from states
where states.is_gone = 1
