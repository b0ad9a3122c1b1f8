-- Items that one system would get twice: the same action on the same record.
-- Numbers find those that may be the same, and only these are compared word by word.
with alike as (
    select hash(proposed.system, proposed.action, proposed.record_type, proposed.record_key) as number
    from manifest.proposed as proposed
    group by hash(proposed.system, proposed.action, proposed.record_type, proposed.record_key)
    having count(*) > 1
)

select
    proposed.system,
    proposed.action,
    proposed.record_type,
    proposed.record_key
from manifest.proposed as proposed
inner join alike on hash(proposed.system, proposed.action, proposed.record_type, proposed.record_key) = alike.number
group by proposed.system, proposed.action, proposed.record_type, proposed.record_key
having count(*) > 1
