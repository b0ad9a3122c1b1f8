-- Fields in an erase or redact item whose category is not `erase`, or has an active claim. Grain: a field.
select
    erasing.system,
    erasing.record_key
from manifest.gate_fields as erasing
left join retention.dispositions as dispositions
    on
        erasing.record_type = dispositions.record_type
        and erasing.row_id = dispositions.row_id
        and erasing.data_category = dispositions.data_category
where
    erasing.action in ('erase', 'redact')
    and (
        coalesce(dispositions.disposition, 'unknown') <> 'erase'
        or exists (
            select 1
            from retention.claims as claims
            where
                claims.record_type = erasing.record_type
                and claims.row_id = erasing.row_id
                and claims.data_category = erasing.data_category
                and claims.is_active
        )
    )
