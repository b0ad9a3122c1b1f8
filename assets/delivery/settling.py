"""Proof by the next export: what each item's own source shows, whatever it has answered.

Only a full delivery that was extracted after the manifest was delivered, was loaded, and does not block says anything
about a table; within it, only a record that came, or that a whole file leaves out, says anything about an item. A
system's word is an acknowledgement and never proof: nothing here, or anywhere, says that something is gone on a
source's word.

- absent, or every ordered field without a value: `verified`;
- acknowledged as done, yet still there, wholly or in part: `discrepancy`;
- there again after it was verified: the fields count as never told, so that a new item is issued; intake goes on
  keeping their values out until then. The verified item stays verified: it was.

Restrictions, lifts and notices leave no trace in an export; their acknowledgement is the last that is heard of them.

A record that its source merged into another is followed to the one that is left, where a contract has the column
`merged_into`: what the ordered fields hold there is what became of them, so that merging a record away proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from assets.delivery.states import record_selected
from assets.ingest.contracts import SUCCESSOR
from assets.manifests import ledger, told
from assets.manifests.fields import find_held_fields
from assets.models import SQL, Model
from assets.policy import Policy
from assets.warehouse import Warehouse, identifier

_PROVABLE = Model("manifest", SQL / "delivery" / "provable_items.sql")

#: What a settlement makes anew every time and leaves behind: nothing that has to be kept.
WORKING_TABLES = ("manifest.provable", "manifest.export_rows", "manifest.export_fields", "manifest.proofs")

#: What an export can show at all is an erasure that was delivered; nothing else is looked up.
_DELIVERED = (
    "select count(*) from manifest.manifest_states "
    "where action in ('erase', 'redact') and state not in ('issued', 'approved', 'cancelled')"
)

STILL_THERE, PARTLY_THERE, BACK, MERGED = "still_there", "partly_there", "there_again", "merged_into_another"


@dataclass(frozen=True)
class Settlement:
    """How many items of a system a day's exports settled, and how: verified, discrepancy or returned."""

    system: str
    outcome: str
    items: int


def settle(warehouse: Warehouse, policy: Policy, as_of: date) -> list[Settlement]:
    """Settle what the exports taken in so far prove; the same exports settle nothing twice.

    Writes `manifest.verifications` and events. Call after the ingest of the day, before anything is proposed.

    Args:
        warehouse: with `raw.*`, `intake.*` and `policy.*` as the ingest left them.
        policy: whose contracts the tables follow.
        as_of: the day.
    """
    ledger.prepare(warehouse)
    with warehouse.transaction():
        if not warehouse.value(_DELIVERED):
            for table in WORKING_TABLES:
                warehouse.run(f"drop table if exists {table}")
            return []
        warehouse.run(f"create or replace table manifest.provable as {_PROVABLE.statement}")
        warehouse.run(
            "create or replace table manifest.export_rows (record_type varchar, record_key varchar, row_id bigint, "
            "in_source boolean, said_in varchar, is_successor boolean)"
        )
        for record_type, source, table, key in _tables(warehouse):
            _look_up(warehouse, record_type, f"{source}_{table}", key)
        find_held_fields(warehouse, "manifest.export_rows", "manifest.export_fields")
        warehouse.run(f"create or replace table manifest.proofs as {_PROOFS}")
        return list(_record(warehouse, as_of))


def _tables(warehouse: Warehouse) -> list[tuple[str, str, str, str]]:
    return [
        (record_type, source, table, key)
        for record_type, source, table, key in warehouse.rows(
            "select record_type, source, table_name, key_field from policy.records where record_type in "
            "(select record_type from manifest.provable) order by all"
        )
    ]


def _look_up(warehouse: Warehouse, record_type: str, raw_table: str, key: str) -> None:
    """How the provable records of one type stand in their raw table, or the records that they were merged into.

    Records that were merged in a circle are settled by nothing.
    """
    merged = SUCCESSOR in warehouse.columns("raw", raw_table)
    successor = f"cast(source_row.{SUCCESSOR} as varchar)" if merged else "cast(null as varchar)"
    warehouse.run(
        f"""
        insert into manifest.export_rows
        with recursive stored as (
            select cast(source_row.{identifier(key)} as varchar) as record_key, source_row.row_id, source_row.in_source,
                source_row.in_delivery, {successor} as successor
            from raw.{identifier(raw_table)} as source_row
        ),
        followed as (
            select stored.record_key as first_key, stored.*
            from stored
            where stored.record_key in (select record_key from manifest.provable where record_type = $record_type)
            union
            select followed.first_key, stored.*
            from followed
            inner join stored on stored.record_key = followed.successor
        )
        select $record_type, followed.first_key, followed.row_id, followed.in_source, followed.in_delivery,
            followed.first_key <> followed.record_key
        from followed
        where not exists (select 1 from stored where stored.record_key = followed.successor)
        """,
        {"record_type": record_type},
    )


#: The latest full delivery of each table that is not blocked; then, of each item, what a later one shows.
_PROOFS = f"""
with fulls as (
    select files.source, files.table_name, max(deliveries.extracted_at) as extracted_at,
        max_by(deliveries.delivery_id, deliveries.extracted_at) as delivery_id
    from intake.files as files
    inner join intake.deliveries as deliveries
        on deliveries.source = files.source and deliveries.delivery_id = files.delivery_id
    where deliveries.status = 'loaded' and deliveries.mode = 'full' and files.status = 'loaded'
        and not exists (
            select 1 from intake.blocks as blocks
            where blocks.source = files.source and coalesce(blocks.table_name, '') in (files.table_name, '')
        )
    group by files.source, files.table_name
),
compared as (
    select provable.manifest_id, provable.item_id, provable.system, provable.record_type, provable.record_key,
        provable.state, fulls.delivery_id, export_rows.in_source, export_rows.is_successor,
        not export_rows.in_source or said.extracted_at > provable.delivered_at as is_said,
        count(*) as fields, count(held.field) as held
    from manifest.provable as provable
    inner join policy.records as records on records.record_type = provable.record_type
    inner join fulls on fulls.source = records.source and fulls.table_name = records.table_name
        and fulls.extracted_at > provable.delivered_at
    inner join manifest.export_rows as export_rows
        on export_rows.record_type = provable.record_type and export_rows.record_key = provable.record_key
    left join (
        select source, delivery_id, max(extracted_at) as extracted_at from intake.deliveries
        where status = 'loaded' group by all
    ) as said on said.source = records.source and said.delivery_id = export_rows.said_in
    left join manifest.export_fields as held
        on held.record_type = export_rows.record_type and held.row_id = export_rows.row_id
        and held.field = provable.field
    group by all
)
select *,
    case
        when held = 0 and state <> 'verified' then 'verified'
        when held > 0 and state = 'verified' and not is_successor then 'returned'
        when held > 0 and state in ('done', 'already_absent') then 'discrepancy'
        when held = fields and state = 'partly_retained' then 'discrepancy'
    end as outcome,
    case
        when held > 0 and is_successor then '{MERGED}'
        when held > 0 and state = 'verified' then '{BACK}'
        when held = fields then '{STILL_THERE}'
        when held > 0 then '{PARTLY_THERE}'
    end as reason
from compared
where is_said
"""

_VERIFICATIONS = """
insert into manifest.verifications by name
select manifest_id, item_id, outcome, delivery_id, cast($as_of as date) as as_of, reason
from manifest.proofs where outcome is not null order by manifest_id, item_id
"""

_EVENTS = """
select manifest_id, item_id, outcome as state, cast($as_of as date) as on_day, 'verify' as origin, reason
from manifest.proofs where outcome in ('verified', 'discrepancy')
"""

#: Told no more: the record is there again, and what it holds is news.
_FORGET = """
select proofs.item_id, held.field
from manifest.proofs as proofs
inner join manifest.export_rows as export_rows
    on export_rows.record_type = proofs.record_type and export_rows.record_key = proofs.record_key
inner join manifest.export_fields as held
    on held.record_type = export_rows.record_type and held.row_id = export_rows.row_id
where proofs.outcome = 'returned'
"""


def _record(warehouse: Warehouse, as_of: date) -> Iterator[Settlement]:
    warehouse.run(_VERIFICATIONS, {"as_of": as_of})
    record_selected(warehouse, _EVENTS, {"as_of": as_of})
    told.forget(warehouse, _FORGET)
    for row in warehouse.rows(
        "select system, outcome, count(*) from manifest.proofs where outcome is not null group by all order by all"
    ):
        yield Settlement(*row)
