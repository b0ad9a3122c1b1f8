-- Records of which something is to be erased, and of which nothing is ordered erased before a row that was set aside is
-- read: it may say why they are to be kept. As of the last sealing, where the site leaves such records out
-- (unread_rows, under [approval]). Grain: a record type.
-- - system varchar: the system that would be told
-- - record_type varchar: the record type
-- - records bigint: how many
select
    left_out.system,
    left_out.record_type,
    count(*) as records
from manifest.left_out as left_out
group by left_out.system, left_out.record_type
