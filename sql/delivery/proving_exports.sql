-- The latest full delivery of each table of records that can prove anything: loaded, not in doubt, and extracted after
-- something was delivered. Grain: a record type with such a table.
with fulls as (
    select
        files.source,
        files.table_name,
        max(deliveries.extracted_at) as extracted_at,
        max_by(deliveries.delivery_id, deliveries.extracted_at) as delivery_id
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
        files.table_name
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
    fulls.extracted_at
from fulls
inner join policy.records
    on
        fulls.source = records.source
        and fulls.table_name = records.table_name
inner join first_delivered on fulls.extracted_at > first_delivered.delivered_at
