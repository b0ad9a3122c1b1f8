-- Items that tell a system about a record that is not its own, or that is not in the sources. Grain: an item.
select
    proposed.system,
    proposed.record_key
from manifest.proposed as proposed
left join retention.records as records
    on
        proposed.record_type = records.record_type
        and proposed.row_id = records.row_id
        and proposed.record_key = records.record_key
where
    proposed.action <> 'notify'
    and coalesce(records.source, 'unknown') <> proposed.system
