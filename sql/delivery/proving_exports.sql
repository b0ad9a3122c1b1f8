-- The latest full delivery of each table of records that can prove anything: loaded, not in doubt, and extracted after
-- something was delivered; with how many of its rows were set aside. Grain: a record type with such a table.
-- Of one table each delivery was extracted after those that were loaded before it.
with fulls as (
    select
        files.source,
        files.table_name,
        deliveries.delivery_id,
        deliveries.extracted_at,
        deliveries.sequence,
        cast(sum(files.rows_quarantined) as bigint) as set_aside
    from intake.files
    inner join intake.deliveries
        on
            files.source = deliveries.source
            and files.delivery_id = deliveries.delivery_id
    where
        deliveries.status = 'loaded'
        and deliveries.mode = 'full'
        and files.status = 'loaded'
        and not exists (
            select 1
            from intake.blocks
            where
                blocks.source = files.source
                and coalesce(blocks.table_name, '') in (files.table_name, '')
        )
    group by
        files.source,
        files.table_name,
        deliveries.delivery_id,
        deliveries.extracted_at,
        deliveries.sequence
),

latest as (
    select
        fulls.source,
        fulls.table_name,
        max(fulls.sequence) as sequence
    from fulls
    group by
        fulls.source,
        fulls.table_name
),

first_delivered as (
    select min(coalesce(events.happened_at, events.on_day + interval 1 day)) as delivered_at
    from manifest.events
    where events.state = 'delivered'
)

select
    records.record_type,
    records.source,
    records.table_name,
    records.key_field,
    fulls.delivery_id,
    fulls.extracted_at,
    fulls.sequence,
    fulls.set_aside
from fulls
inner join latest
    on
        fulls.source = latest.source
        and fulls.table_name = latest.table_name
        and fulls.sequence = latest.sequence
inner join policy.records
    on
        fulls.source = records.source
        and fulls.table_name = records.table_name
inner join first_delivered on fulls.extracted_at > first_delivered.delivered_at
