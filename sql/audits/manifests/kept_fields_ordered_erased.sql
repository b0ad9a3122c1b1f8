-- Items that would erase what is kept: a field whose category is not up for erasure, or a record of which any is not.
with redacted as (
    select
        proposed.record_type,
        proposed.row_id,
        unnest(proposed.fields) as field
    from manifest.proposed as proposed
    where proposed.action = 'redact'
),

named as (
    select
        redacted.record_type,
        redacted.row_id,
        fields.data_category
    from redacted
    left join policy.fields as fields
        on
            redacted.record_type = fields.record_type
            and redacted.field = fields.field
    union
    select
        proposed.record_type,
        proposed.row_id,
        fields.data_category
    from manifest.proposed as proposed
    left join policy.fields as fields on proposed.record_type = fields.record_type
    where proposed.action = 'erase'
)

select
    named.record_type,
    named.row_id,
    named.data_category
from named
left join retention.dispositions as dispositions
    on
        named.record_type = dispositions.record_type
        and named.row_id = dispositions.row_id
        and named.data_category = dispositions.data_category
where dispositions.disposition is distinct from 'erase'
