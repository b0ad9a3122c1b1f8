-- Items that erase or redact a category that some purpose covers, of which none has ended, or one of which lacks its
-- trigger. Grain: an item. A category that no purpose ever covered may go: it has no claim at all.
select
    items.system,
    items.record_key
from gate_items as items
where
    items.action in ('erase', 'redact')
    and (
        (items.named & items.claimed) <> (items.named & items.claimed & items.ended)
        or (items.named & items.doubtful) <> 0
    )
