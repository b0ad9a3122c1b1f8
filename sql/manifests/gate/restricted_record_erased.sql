-- Items that erase or redact anything of a restricted person's record (Art 18), or that erase a whole record of which
-- any category is kept. Grain: an item.
select
    items.system,
    items.record_key
from gate_items as items
where
    items.action in ('erase', 'redact')
    and (
        exists (
            select 1
            from triggers.restricted_records as restricted
            where
                restricted.record_type = items.record_type
                and restricted.row_id = items.row_id
        )
        or (items.action = 'erase' and not items.is_whole)
    )
