-- Categories in an erase or redact item that some purpose covers, of which none has ended, or one of which lacks its
-- trigger. Grain: a record's category. A category that no purpose ever covered may go: it has no claim at all.
with erasing as (
    select distinct
        fields.system,
        fields.record_type,
        fields.row_id,
        fields.record_key,
        fields.data_category
    from manifest.gate_fields as fields
    where fields.action in ('erase', 'redact')
),

claimed as (
    select
        claims.record_type,
        claims.row_id,
        claims.data_category,
        max(case when claims.keep_until < $as_of then 1 else 0 end) as has_ended,
        max(case when claims.missing is not null then 1 else 0 end) as is_doubtful
    from retention.claims as claims
    group by
        claims.record_type,
        claims.row_id,
        claims.data_category
)

select
    erasing.system,
    erasing.record_key
from erasing
inner join claimed
    on
        erasing.record_type = claimed.record_type
        and erasing.row_id = claimed.row_id
        and erasing.data_category = claimed.data_category
where
    claimed.has_ended = 0
    or claimed.is_doubtful = 1
