-- Of the orders that were looked up, those that may settle something, so that of theirs alone it is asked where they
-- stand: all whose record holds nothing of what was ordered and that were not verified before, and of the others those
-- that were once said to be done, wholly or in part, or verified. Grain: an item.
select looked_up.*
from looked_up
where
    looked_up.held = 0
    and not exists (
        select 1
        from manifest.events
        where
            events.item_id = looked_up.item_id
            and events.state = 'verified'
    )
union all
select looked_up.*
from looked_up
where
    looked_up.held <> 0
    and (
        looked_up.item_id in (
            select events.item_id
            from manifest.events
            where
                events.item_id is not null
                and events.state in ('done', 'already_absent', 'partly_retained', 'verified')
        )
        or exists (
            select 1
            from manifest.events
            where
                events.item_id is null
                and events.state in ('done', 'already_absent', 'partly_retained', 'verified')
        )
    )
