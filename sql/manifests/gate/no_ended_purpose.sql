-- Items that erase or redact a category that some purpose covers, of which none has ended, or one of which lacks its
-- trigger. Grain: an item. A category that no purpose ever covered may go: it has no claim at all.
select
    items.system,
    items.record_key
from manifest.gate_items as items
inner join manifest.gate_claims as claims
    on
        items.record_type = claims.record_type
        and items.row_id = claims.row_id
where
    items.action in ('erase', 'redact')
    and (
        (items.named & claims.claimed) <> (items.named & claims.claimed & claims.ended)
        or (items.named & claims.doubtful) <> 0
    )
