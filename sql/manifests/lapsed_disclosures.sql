-- Disclosures whose every disclosed field is gone: erased today, ordered erased, or no longer in its source.
-- Grain: a disclosure. A record that no source ever delivered is unknown, and unknown lapses nothing.
with states as (
    select
        disclosed.disclosure_row_id,
        case
            when sealed.state = 'erase' then 1
            when records.row_id is null or records.not_personal then 0
            when not records.in_source then 1
            when dispositions.disposition = 'erase' then 1
            else 0
        end as is_gone
    from manifest.disclosed_fields as disclosed
    left join core.records
        on
            disclosed.record_type = records.record_type
            and disclosed.record_key = records.record_key
    left join retention.dispositions
        on
            records.record_type = dispositions.record_type
            and records.row_id = dispositions.row_id
            and disclosed.data_category = dispositions.data_category
    left join manifest.sealed_fields as sealed
        on
            disclosed.record_type = sealed.record_type
            and disclosed.record_key = sealed.record_key
            and disclosed.field = sealed.field
)

select states.disclosure_row_id
from states
group by states.disclosure_row_id
having min(states.is_gone) = 1
