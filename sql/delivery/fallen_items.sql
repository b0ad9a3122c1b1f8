-- Items of undelivered manifests that no longer stand on the day of evaluation. Grain: an item and what it fell by.
-- Stands: an erasure whose record is `erase` in every category, a redaction whose fields are, a restriction of fields
-- that are not back in use, a lift of fields that are. A notice of a disclosure falls with the erasure it follows from;
-- that of a direct delivery stands by its own clock. A record that its source delivers no more decides nothing.
-- A hold and a person's restriction show in the dispositions; the latter is looked at by itself too.
with waiting as (
    select
        states.manifest_id,
        states.item_id,
        states.system,
        states.record_type,
        states.action,
        items.fields,
        items.because,
        records.row_id
    from manifest.item_states as states
    inner join manifest.items
        on
            states.manifest_id = items.manifest_id
            and states.item_id = items.item_id
    inner join retention.records
        on
            states.record_type = records.record_type
            and states.record_key = records.record_key
    where states.state in ('issued', 'approved')
),

touched as (
    select
        waiting.*,
        dispositions.disposition
    from waiting
    inner join retention.dispositions
        on
            waiting.record_type = dispositions.record_type
            and waiting.row_id = dispositions.row_id
    where
        waiting.action = 'erase'
        or exists (
            select 1
            from policy.fields
            where
                fields.record_type = waiting.record_type
                and fields.data_category = dispositions.data_category
                and list_contains(waiting.fields, fields.field)
        )
),

restricted as (
    select
        waiting.manifest_id,
        waiting.item_id,
        waiting.system
    from waiting
    inner join triggers.restricted_records
        on
            waiting.record_type = restricted_records.record_type
            and waiting.row_id = restricted_records.row_id
    where waiting.action in ('erase', 'redact')
)

select distinct
    touched.manifest_id,
    touched.item_id,
    touched.system,
    'now_' || touched.disposition as reason
from touched
where
    case touched.action
        when 'erase' then touched.disposition <> 'erase'
        when 'redact' then touched.disposition <> 'erase'
        when 'restrict' then touched.disposition in ('retain', 'not_personal')
        when 'lift' then touched.disposition <> 'retain'
        else
            touched.disposition <> 'erase'
            and contains(cast(touched.because as varchar), 'eu-gdpr:A19')
    end
union
select
    restricted.manifest_id,
    restricted.item_id,
    restricted.system,
    'person_restricted' as reason
from restricted
