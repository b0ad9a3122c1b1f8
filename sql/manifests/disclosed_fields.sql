-- Fields of which a partner was given a copy, by the office's register. Grain: a disclosure and field.
-- A disclosure that lists no field, or one that no contract knows, counts as one of the whole record. A disclosure
-- dated after the day of evaluation has not happened yet; one without a date has. entered_at: the instant of the
-- office's export that brought the entry as it stands; null where no delivery is known to have.
-- A listed field was given, whatever the record holds by now; of a whole record those were that are held. is_held: it
-- holds a value (kept out here too, until it comes again) or was ordered erased (is_ordered); of a record that has left
-- its source, or is not known, each that is listed, and where none is and nothing was ordered, all that its kind can
-- hold. has_value: its source holds one now.
with entered as (
    select
        deliveries.delivery_id,
        max(deliveries.extracted_at) as entered_at
    from intake.deliveries as deliveries
    where deliveries.source = 'office' and deliveries.status = 'loaded'
    group by deliveries.delivery_id
),

listed as (
    select
        disclosures.row_id,
        disclosures.partner_id,
        lower(disclosures.record_type) as record_type,
        disclosures.record_key,
        disclosures.disclosed_at as disclosed_on,
        entered.entered_at,
        ';' || coalesce(replace(disclosures.fields, ' ', ''), '') || ';' as names
    from raw.office_disclosures as disclosures
    left join entered on disclosures.changed_in = entered.delivery_id
    where
        disclosures.in_source
        and disclosures.partner_id is not null
        and disclosures.record_key is not null
        and (disclosures.disclosed_at is null or disclosures.disclosed_at <= $as_of)
),

judged as (
    select
        listed.row_id,
        listed.partner_id,
        listed.record_type,
        listed.record_key,
        listed.disclosed_on,
        listed.entered_at,
        listed.names,
        coalesce(regexp_matches(listed.names, described.fields_pattern), false) as every_name_is_known
    from listed
    left join policy.records as described on listed.record_type = described.record_type
),

named as (
    select distinct
        judged.record_type,
        judged.record_key
    from judged
),

there as (
    select
        named.record_type,
        named.record_key,
        found.held
    from core.records
    inner join named
        on
            records.record_type = named.record_type
            and records.record_key = named.record_key
    left join manifest.disclosed_held as found
        on
            records.record_type = found.record_type
            and records.row_id = found.row_id
    where records.in_source
),

ordered as (
    select
        told.record_type,
        told.record_key,
        bit_or(told.named) as erased
    from manifest.told
    inner join named
        on
            told.record_type = named.record_type
            and told.record_key = named.record_key
    where told.state = 'erase'
    group by
        told.record_type,
        told.record_key
),

weighed as (
    select
        judged.row_id as disclosure_row_id,
        judged.partner_id,
        judged.record_type,
        judged.record_key,
        judged.disclosed_on,
        fields.field,
        fields.position,
        fields.data_category,
        judged.entered_at,
        judged.every_name_is_known as is_listed,
        (coalesce(there.held, 0) & fields.bit) <> 0 as has_value,
        (coalesce(ordered.erased, 0) & fields.bit) <> 0 as is_ordered,
        there.record_key is null and (judged.every_name_is_known or ordered.record_key is null) as has_left
    from judged
    inner join manifest.field_bits as fields
        on
            judged.record_type = fields.record_type
            and (not judged.every_name_is_known or strpos(judged.names, ';' || fields.field || ';') > 0)
    left join there
        on
            judged.record_type = there.record_type
            and judged.record_key = there.record_key
    left join ordered
        on
            judged.record_type = ordered.record_type
            and judged.record_key = ordered.record_key
)

select
    weighed.disclosure_row_id,
    weighed.partner_id,
    weighed.record_type,
    weighed.record_key,
    weighed.disclosed_on,
    weighed.field,
    weighed.position,
    weighed.data_category,
    weighed.entered_at,
    weighed.is_ordered,
    weighed.has_value,
    weighed.has_value or weighed.is_ordered or weighed.has_left as is_held
from weighed
where weighed.is_listed or weighed.has_value or weighed.is_ordered or weighed.has_left
