-- What the exports settle, and how. Grain: an item. Reads two working tables of the settlement: proving_exports, and
-- settleable_items, with what their records hold of what was ordered.
-- An export proves of an item when it was extracted after the item was delivered; a record that is there, when so was
-- the delivery that last said something about it. An answer is contradicted only by what was extracted after the
-- instant at which it says that it was done, or after the day on which it was read, if that instant was still to come.
-- Nothing is verified but what the full export itself shows (is_shown), and no record that a row may be that was set
-- aside: one of its key; where it is not there, one whose key is not known, or no longer kept; of a merged record, any.
-- What a contract leaves out since is no proof: where the key or an ordered field is read in another way, nothing is
-- verified; where other rows are in scope, only what was seen among them. What is read again as it was when the item
-- was sealed is proved by what came since, but for a record that may be a row that was set aside. What is missing
-- and not proved is told, and no state of an item. That a record is there again after it was verified is told once of
-- its order: until it is told anew, each night's export shows it. An order of whose every field something else was told
-- since (is_replaced) is contradicted by nothing that is there: it is superseded where its system has acknowledged what
-- took it back (is_acknowledged), and waits else. What is there was shown by the delivery that last
-- said so, maybe a delta; what is not, by the full export.
with delivered as (
    select
        events.manifest_id,
        events.item_id,
        min(coalesce(events.happened_at, events.on_day + interval 1 day)) as delivered_at
    from manifest.events
    where events.state = 'delivered'
    group by
        events.manifest_id,
        events.item_id
),

said as (
    select
        deliveries.source,
        deliveries.delivery_id,
        max(deliveries.extracted_at) as extracted_at
    from intake.deliveries
    where deliveries.status = 'loaded'
    group by
        deliveries.source,
        deliveries.delivery_id
),

readings as (
    select
        read_rows.source,
        read_rows.table_name,
        read_rows.what,
        read_rows.digest,
        read_rows.extracted_at,
        read_rows.sealed_before,
        row_number() over (
            partition by read_rows.source, read_rows.table_name, read_rows.what
            order by read_rows.sequence, read_rows.digest is null, read_rows.sealed_before nulls first
        ) as position,
        count(*) over (partition by read_rows.source, read_rows.table_name, read_rows.what) as positions
    from intake.readings as read_rows
),

changes as (
    select
        readings.source,
        readings.table_name,
        readings.what,
        coalesce(earlier.sealed_before, -1) as sealed_after,
        readings.sealed_before,
        latest.extracted_at,
        latest.digest is null as is_no_more,
        coalesce(earlier.digest = latest.digest, false) as is_as_it_was
    from readings
    left join readings as earlier
        on
            readings.source = earlier.source
            and readings.table_name = earlier.table_name
            and readings.what = earlier.what
            and readings.position = earlier.position + 1
    inner join readings as latest
        on
            readings.source = latest.source
            and readings.table_name = latest.table_name
            and readings.what = latest.what
            and latest.position = latest.positions
    where readings.sealed_before is not null
),

read_otherwise as (
    select
        settleable_items.item_id,
        min(
            case
                when changes.what = exports.key_field then 'key_read_otherwise'
                when changes.what = '' then 'other_rows_in_scope'
                when changes.is_no_more then 'field_read_no_more'
                else 'field_read_otherwise'
            end
        ) as reason
    from settleable_items
    inner join manifest.item_states as states on settleable_items.item_id = states.item_id
    inner join manifest.manifests on states.manifest_id = manifests.manifest_id
    inner join proving_exports as exports
        on
            settleable_items.record_type = exports.record_type
            and states.system = exports.source
    inner join changes
        on
            exports.source = changes.source
            and exports.table_name = changes.table_name
            and manifests.sequence > changes.sealed_after
            and manifests.sequence <= changes.sealed_before
    left join said
        on
            exports.source = said.source
            and settleable_items.said_in = said.delivery_id
    left join manifest.field_numbers
        on
            settleable_items.record_type = field_numbers.record_type
            and changes.what = field_numbers.field
    where
        settleable_items.held = 0
        and case
            when changes.is_as_it_was and settleable_items.in_source
                then coalesce(said.extracted_at < changes.extracted_at, true)
            when changes.is_as_it_was
                then exists (
                    select 1
                    from intake.quarantined
                    where
                        quarantined.source = exports.source
                        and quarantined.table_name = exports.table_name
                        and quarantined.delivery_id = exports.delivery_id
                        and (
                            settleable_items.is_successor
                            or coalesce(quarantined.record_key = states.record_key, true)
                        )
                )
            when changes.what = '' then coalesce(said.extracted_at <= changes.extracted_at, true)
            else true
        end
        and (
            changes.what = exports.key_field
            or (settleable_items.in_source and (settleable_items.named & coalesce(field_numbers.bit, 0)) <> 0)
            or (changes.what = '' and not settleable_items.in_source)
        )
    group by settleable_items.item_id
),

set_aside as (
    select distinct
        exports.record_type,
        quarantined.record_key
    from proving_exports as exports
    inner join intake.quarantined
        on
            exports.source = quarantined.source
            and exports.table_name = quarantined.table_name
            and exports.delivery_id = quarantined.delivery_id
    where quarantined.record_key is not null
),

known_by_key as (
    select
        exports.record_type,
        cast(count(*) as bigint) as known
    from proving_exports as exports
    inner join intake.quarantined
        on
            exports.source = quarantined.source
            and exports.table_name = quarantined.table_name
            and exports.delivery_id = quarantined.delivery_id
    where quarantined.record_key is not null
    group by exports.record_type
),

compared as (
    select
        states.manifest_id,
        states.item_id,
        states.system,
        states.state,
        case when settleable_items.held = 0 then exports.delivery_id else settleable_items.said_in end as delivery_id,
        settleable_items.record_type,
        settleable_items.is_successor,
        settleable_items.is_replaced,
        settleable_items.is_acknowledged,
        settleable_items.named,
        settleable_items.held,
        coalesce(
            said.extracted_at > least(states.happened_at, states.since + interval 1 day), true
        ) as is_said_since,
        read_otherwise.reason as read_otherwise,
        settleable_items.is_shown
        and (
            exports.set_aside = 0
            or (
                not settleable_items.is_merged
                and set_aside.record_key is null
                and (settleable_items.in_source or exports.set_aside <= coalesce(known_by_key.known, 0))
            )
        ) as is_shown
    from settleable_items
    inner join manifest.item_states as states on settleable_items.item_id = states.item_id
    inner join proving_exports as exports
        on
            settleable_items.record_type = exports.record_type
            and states.system = exports.source
    left join read_otherwise on settleable_items.item_id = read_otherwise.item_id
    left join set_aside
        on
            settleable_items.record_type = set_aside.record_type
            and states.record_key = set_aside.record_key
    left join known_by_key on settleable_items.record_type = known_by_key.record_type
    left join delivered as own
        on
            states.manifest_id = own.manifest_id
            and states.item_id = own.item_id
    left join delivered as common
        on
            states.manifest_id = common.manifest_id
            and common.item_id is null
    left join said
        on
            exports.source = said.source
            and settleable_items.said_in = said.delivery_id
    where
        states.action in ('erase', 'redact')
        and states.state not in ('issued', 'approved', 'cancelled')
        and exports.extracted_at > least(own.delivered_at, common.delivered_at)
        and (not settleable_items.in_source or said.extracted_at > least(own.delivered_at, common.delivered_at))
),

returned as (
    select distinct verifications.item_id
    from manifest.verifications
    where verifications.outcome = 'returned'
),

judged as (
    select
        compared.*,
        case
            when compared.held = 0 and compared.state <> 'verified' and compared.read_otherwise is not null
                then 'unproven'
            when compared.held = 0 and compared.state <> 'verified' and compared.is_shown then 'verified'
            when
                compared.held <> 0 and compared.state = 'verified' and not compared.is_successor
                and returned.item_id is null
                then 'returned'
            when not compared.is_said_since then null
            when
                compared.held <> 0 and compared.is_acknowledged
                and compared.state in ('done', 'already_absent', 'discrepancy')
                then 'superseded'
            when compared.is_replaced then null
            when compared.held <> 0 and compared.state in ('done', 'already_absent') then 'discrepancy'
            when compared.held = compared.named and compared.state = 'partly_retained' then 'discrepancy'
        end as outcome,
        case
            when compared.held <> 0 and compared.is_replaced then 'superseded'
            when compared.held <> 0 and compared.is_successor then 'merged_into_another'
            when compared.held <> 0 and compared.state = 'verified' then 'there_again'
            when compared.held = compared.named then 'still_there'
            when compared.held <> 0 then 'partly_there'
            when compared.state <> 'verified' then compared.read_otherwise
        end as reason
    from compared
    left join returned on compared.item_id = returned.item_id
)

select judged.*
from judged
where judged.outcome is not null
