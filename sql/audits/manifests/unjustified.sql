-- Items that give no reason. A lift takes a restriction back, which needs none.
select
    proposed.system,
    proposed.record_type,
    proposed.record_key
from manifest.proposed as proposed
where
    proposed.action <> 'lift'
    and coalesce(json_array_length(proposed.because), 0) = 0
