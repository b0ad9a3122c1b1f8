-- Items that one system would get twice: the same action on the same record.
select
    proposed.system,
    proposed.action,
    proposed.record_type,
    proposed.record_key
from manifest.proposed as proposed
group by proposed.system, proposed.action, proposed.record_type, proposed.record_key
having count(*) > 1
