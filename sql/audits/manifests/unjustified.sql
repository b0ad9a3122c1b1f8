-- Items that give no reason. A lift takes a restriction back, which needs none. A list that begins with a reason has
-- one, and is not read to its end.
select
    proposed.system,
    proposed.record_type,
    proposed.record_key
from manifest.proposed as proposed
where
    proposed.action <> 'lift'
    and coalesce(not starts_with(cast(proposed.because as varchar), '[{'), true)
    and coalesce(json_array_length(proposed.because), 0) = 0
