-- What this file was made from. One row. A run puts a newer file in this one's place; whoever has this one open goes
-- on reading it, and sees the newer one after closing and opening again.
-- - policy varchar: the name of the policy
-- - policy_version varchar: the register's version, as its owner writes it
-- - policy_sha256 varchar: digest over register, purpose SQL, evaluation SQL and contracts
-- - controller varchar: who answers for the data
-- - as_of date: the day of evaluation
-- - deliveries varchar[]: the loaded deliveries that the records come from, as source/delivery, sorted: of each table
--   the latest full one, and all that were loaded after it
with brought as (
    select
        deliveries.source,
        deliveries.delivery_id,
        deliveries.sequence,
        max(deliveries.sequence) filter (
            where deliveries.mode = 'full'
        ) over (partition by deliveries.source, files.table_name) as whole
    from intake.files
    inner join intake.deliveries
        on files.source = deliveries.source and files.delivery_id = deliveries.delivery_id
    where files.status = 'loaded' and deliveries.status = 'loaded'
),

loaded as (
    select list_sort(list(distinct brought.source || '/' || brought.delivery_id)) as deliveries
    from brought
    where brought.whole is null or brought.sequence >= brought.whole
)

select
    about.policy,
    about.version as policy_version,
    about.sha256 as policy_sha256,
    about.controller,
    evaluation.as_of,
    coalesce(loaded.deliveries, []) as deliveries
from policy.about
cross join retention.evaluation
cross join loaded
