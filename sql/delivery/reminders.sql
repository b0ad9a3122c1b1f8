-- What waits for a system or a person here, by manifest: its day is near, has passed, or passed long ago.
-- Grain: a manifest, an owner and how late it is. No day of it is a clock's: the day comes in.
with clock as (
    select
        cast($as_of as date) as as_of,
        cast($near as integer) as near,
        cast($long as integer) as long
),

judged as (
    select
        states.system,
        states.manifest_id,
        states.owner,
        states.state,
        states.due_on,
        case
            when states.due_on + clock.long < clock.as_of then 'escalated'
            when states.due_on < clock.as_of then 'late'
            when states.due_on <= clock.as_of + clock.near then 'nearing'
        end as lateness
    from manifest.item_states as states
    cross join clock
    where
        states.is_open
        and states.state not in ('issued', 'approved', 'done', 'already_absent')
)

select
    judged.system,
    judged.manifest_id,
    judged.owner,
    judged.lateness,
    min(judged.due_on) as due_on,
    count(*) as items
from judged
where judged.lateness is not null
group by
    judged.system,
    judged.manifest_id,
    judged.owner,
    judged.lateness
