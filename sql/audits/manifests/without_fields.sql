-- Items about some fields that name none, or one that no contract classifies.
with named as (
    select
        proposed.system,
        proposed.record_type,
        proposed.record_key,
        unnest(case when len(proposed.fields) > 0 then proposed.fields else [null] end) as field
    from manifest.proposed as proposed
    where proposed.action <> 'erase'
)

select
    named.system,
    named.record_type,
    named.record_key
from named
left join policy.fields as fields
    on
        named.record_type = fields.record_type
        and named.field = fields.field
where fields.field is null
