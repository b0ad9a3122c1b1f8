-- Items of undelivered manifests that no longer stand on the day of evaluation. Grain: an item and what it fell by.
-- Stands: an erasure whose record is `erase` in every category, a redaction whose fields are, a restriction of fields
-- that are not back in use, a lift of fields that are. A notice of a disclosure falls with the erasure it follows from,
-- not by fields of which an order has left and of which the source holds nothing (noticed_fields: what it does hold of
-- records whose notices wait), whatever keeps their category since; that of a direct delivery stands by its own clock.
-- A record that its source delivers no more decides nothing. An order about a column that has left its contract falls
-- by that alone: no disposition speaks of it, so that no hold would; a lift of one, or a restriction, leaves.
-- What was approved after the day by which its system was to answer falls with the items of records that are there: it
-- is sealed anew with a day to come. What nobody has approved waits.
-- A hold and a person's restriction show in the dispositions; the latter is looked at by itself too.
-- Every item that waits is looked at, in one pass; its fields and reasons only where a disposition speaks against it.
-- $lifts: whether a lift waits. No other action falls by `erase`, which most dispositions of what waits are.
with against as (
    select
        dispositions.record_type,
        dispositions.row_id,
        dispositions.data_category,
        dispositions.disposition,
        false as is_restricted
    from retention.dispositions
    where
        dispositions.disposition <> 'erase'
        or cast($lifts as boolean)
    union all
    select
        restricted_records.record_type,
        restricted_records.row_id,
        null as data_category,
        null as disposition,
        true as is_restricted
    from triggers.restricted_records
),

touched as (
    select
        states.manifest_id,
        states.item_id,
        states.system,
        states.record_type,
        states.action,
        states.fields,
        against.data_category,
        against.disposition,
        against.is_restricted
    from manifest.item_states as states
    inner join retention.records
        on
            states.record_type = records.record_type
            and states.record_key = records.record_key
    inner join against
        on
            records.record_type = against.record_type
            and records.row_id = against.row_id
    where
        states.state in ('issued', 'approved')
        and case
            when against.is_restricted then states.action in ('erase', 'redact')
            when states.action = 'restrict' then against.disposition in ('retain', 'not_personal')
            when states.action = 'lift' then against.disposition not in ('retain', 'not_personal')
            else against.disposition <> 'erase'
        end
),

undeclared as (
    select
        numbers.record_type,
        list(numbers.field) as named
    from manifest.field_numbers as numbers
    left join policy.fields
        on
            numbers.record_type = fields.record_type
            and numbers.field = fields.field
    where fields.field is null
    group by numbers.record_type
),

categories as (
    select
        fields.record_type,
        fields.data_category,
        list(fields.field) as named
    from policy.fields
    group by
        fields.record_type,
        fields.data_category
),

fallen as (
    select
        touched.manifest_id,
        touched.item_id,
        touched.system,
        touched.action,
        touched.data_category,
        case when touched.is_restricted then 'person_restricted' else 'now_' || touched.disposition end as reason
    from touched
    left join categories
        on
            touched.record_type = categories.record_type
            and touched.data_category = categories.data_category
    where
        touched.is_restricted
        or touched.action = 'erase'
        or list_has_any(touched.fields, categories.named)
),

notices as (
    select
        fallen.manifest_id,
        fallen.item_id,
        fallen.system,
        fallen.reason,
        items.record_type,
        items.record_key,
        fields.field
    from fallen
    inner join manifest.items
        on
            fallen.manifest_id = items.manifest_id
            and fallen.item_id = items.item_id
    inner join policy.fields
        on
            items.record_type = fields.record_type
            and fallen.data_category = fields.data_category
            and list_contains(items.fields, fields.field)
    where
        fallen.action not in ('erase', 'redact', 'restrict', 'lift')
        and items.action not in ('erase', 'redact', 'restrict', 'lift')
        and contains(cast(items.because as varchar), 'eu-gdpr:A19')
),

noticed as (
    select distinct
        notices.record_type,
        notices.record_key
    from notices
),

waiting as (
    select states.item_id
    from manifest.item_states as states
    inner join noticed
        on
            states.record_type = noticed.record_type
            and states.record_key = noticed.record_key
    where states.state in ('issued', 'approved')
),

ordered as (
    select
        told.record_type,
        told.record_key,
        numbers.field
    from manifest.told
    inner join noticed
        on
            told.record_type = noticed.record_type
            and told.record_key = noticed.record_key
    inner join manifest.field_numbers as numbers
        on
            told.record_type = numbers.record_type
            and (told.named & numbers.bit) <> 0
    left join waiting on told.item_id = waiting.item_id
    left join noticed_fields as held
        on
            told.record_type = held.record_type
            and told.record_key = held.record_key
            and numbers.field = held.field
    where
        told.state = 'erase'
        and waiting.item_id is null
        and held.field is null
)

select distinct
    fallen.manifest_id,
    fallen.item_id,
    fallen.system,
    fallen.reason
from fallen
where fallen.action in ('erase', 'redact', 'restrict', 'lift')
union
select
    notices.manifest_id,
    notices.item_id,
    notices.system,
    notices.reason
from notices
left join ordered
    on
        notices.record_type = ordered.record_type
        and notices.record_key = ordered.record_key
        and notices.field = ordered.field
where ordered.field is null
union
select
    states.manifest_id,
    states.item_id,
    states.system,
    'now_undeclared' as reason
from manifest.item_states as states
inner join undeclared on states.record_type = undeclared.record_type
inner join retention.records
    on
        states.record_type = records.record_type
        and states.record_key = records.record_key
where
    states.state in ('issued', 'approved')
    and states.action in ('erase', 'redact')
    and list_has_any(states.fields, undeclared.named)
union
select
    states.manifest_id,
    states.item_id,
    states.system,
    'respond_by_passed' as reason
from manifest.item_states as states
inner join retention.records
    on
        states.record_type = records.record_type
        and states.record_key = records.record_key
where
    states.state = 'approved'
    and states.respond_by < cast($as_of as date)
