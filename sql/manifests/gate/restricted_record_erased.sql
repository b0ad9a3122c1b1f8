-- Erase items of a record of which any category is restricted: nothing of a restricted person's goes. Grain: an item.
select
    proposed.system,
    proposed.record_key
from manifest.proposed as proposed
where
    proposed.action = 'erase'
    and exists (
        select 1
        from retention.dispositions as dispositions
        where
            dispositions.record_type = proposed.record_type
            and dispositions.row_id = proposed.row_id
            and dispositions.disposition <> 'erase'
    )
