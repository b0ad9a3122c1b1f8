-- Items that erase or redact anything of a restricted person's record (Art 18), or that erase a whole record of which
-- any category is kept. Grain: an item.
select
    proposed.system,
    proposed.record_key
from manifest.proposed as proposed
where
    proposed.action in ('erase', 'redact')
    and (
        exists (
            select 1
            from triggers.restricted_records as restricted
            where
                restricted.record_type = proposed.record_type
                and restricted.row_id = proposed.row_id
        )
        or (
            proposed.action = 'erase'
            and exists (
                select 1
                from retention.dispositions as dispositions
                where
                    dispositions.record_type = proposed.record_type
                    and dispositions.row_id = proposed.row_id
                    and dispositions.disposition <> 'erase'
            )
        )
    )
