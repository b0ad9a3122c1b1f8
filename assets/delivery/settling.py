"""Proof by the next export: what each item's own source shows, whatever it has answered.

Only a full delivery that was extracted after the manifest was delivered, was loaded, and does not block says anything
about a table; within it, only a record that came, or that a whole file leaves out, says anything about an item. What a
later delta empties or takes away waits for the next full delivery, and so does a record that one of its rows that were
set aside may be. A system's word is an acknowledgement and never proof: nothing here, or anywhere, says that something
is gone on a source's word.

- absent, or every ordered field without a value: `verified`, unless a contract that changed since the item was sealed
  may have left out what is missing (`assets.ingest.readings`), or a row that was set aside without a key may be it.
  Then the item stays as its system answered, and is counted (`manifest.unproven`);
- acknowledged as done, yet still there, wholly or in part: `discrepancy`;
- the same of an order of whose every field the system has been told otherwise since, a hold or a new use: once it has
  acknowledged that, `superseded`, and closed; before, nothing. What was taken back contradicts nobody;
- there again after it was verified: `returned`, once. The order's word stands, so that intake keeps the values out
  however long a new item waits for its seal; the re-check lets the order count as not told where it is to be told anew
  (`manifest.recalled_orders`). The verified item stays verified: it was.

Restrictions, lifts and notices leave no trace in an export; their acknowledgement is the last that is heard of them.

A record that its source merged into another is followed to the one that is left, where a contract has the column
`merged_into`: what the ordered fields hold there is what became of them, so that merging a record away proves nothing.
Nor does it while the record's own row stays, and holds them as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from assets.contracts.contract import SUCCESSOR
from assets.ledger import issued
from assets.ledger.states import among_items, ask_of_items, record_selected
from assets.manifests.fields import held_bits, number_fields
from assets.models import SQL, Model
from assets.policy import Policy
from assets.warehouse import Warehouse, identifier

_EXPORTS = Model("manifest", SQL / "delivery" / "proving_exports.sql")
_SETTLEABLE = Model("manifest", SQL / "delivery" / "settleable_items.sql")
_PROOFS = Model("manifest", SQL / "delivery" / "proofs.sql")

#: What an earlier version's settlements left behind; nothing of it has to be kept. Settling drops them.
WORKING_TABLES = ("manifest.provable", "manifest.export_rows", "manifest.export_fields", "manifest.proofs")

#: States in which what a record still holds is news: said to be done, wholly or in part, or proved.
_CONTRADICTED = "('done', 'already_absent', 'partly_retained', 'verified')"


#: Why what is missing is not proved, by code.
OTHERWISE = {
    "field_read_no_more": "a field that was ordered erased has left the contract",
    "field_read_otherwise": "a field that was ordered erased is read in another way",
    "key_read_otherwise": "the key of the table is read in another way",
    "other_rows_in_scope": "other rows of the table are in scope",
}
#: Why what a full export left out is not proved to be gone: rows of it that were set aside may be the records.
ROWS_WITHOUT_KEY = "rows_without_key"
#: What a person can do about it.
WHAT_TO_DO = (
    "Look in the system itself; its answer is the last word that is known. A contract that reads as it did when they "
    "were sealed proves them by the next full delivery."
)


@dataclass(frozen=True)
class Unproven:
    """Items of a system of which nothing is left to be seen, and no export proves it; `reason` is the first of theirs.

    Their contract has changed since they were sealed; or `set_aside` rows of the `table`'s latest full export were set
    aside without a key that is known, and each may be any record that it left out.
    """

    system: str
    items: int
    reason: str
    table: str | None = None
    set_aside: int | None = None

    @property
    def message(self) -> str:
        """Why, and what to do."""
        if self.reason == ROWS_WITHOUT_KEY:
            return (
                f"rows of {self.table} were set aside in its latest full export ({self.set_aside}) whose key is not "
                "known, and each may be one that is missing. Mend the source or the contract (`gallring quarantine "
                f"{self.system}` tells which rows): the next full delivery without such rows proves them."
            )
        return f"{OTHERWISE[self.reason]} since they were sealed. {WHAT_TO_DO}"


@dataclass(frozen=True)
class Settlement:
    """How many items of a system a day's exports settled, and how: verified, discrepancy, superseded or returned.

    Or did not: unproven, because of a contract that changed.
    """

    system: str
    outcome: str
    items: int


def settle(warehouse: Warehouse, policy: Policy, as_of: date) -> list[Settlement]:
    """Settle what the exports taken in so far prove; the same exports settle nothing twice.

    Writes `manifest.verifications` and events, and what changed contracts leave unproven as `manifest.unproven`. Call
    after the ingest of the day, before anything is proposed.

    Args:
        warehouse: with `raw.*`, `intake.*` and `policy.*` as the ingest left them.
        policy: whose contracts the tables follow.
        as_of: the day.
    """
    issued.prepare(warehouse)
    with warehouse.transaction():
        _drop_leftovers(warehouse)
        warehouse.run("delete from manifest.unproven")
        warehouse.run(f"create or replace temp table proving_exports as {_EXPORTS.statement}")
        _find_replaced(warehouse)
        tables = warehouse.rows(
            "select record_type, source, table_name, key_field, delivery_id, sequence from proving_exports "
            "where record_type in (select record_type from manifest.told_bits where state = 'erase') "
            "or record_type in (select record_type from replaced_orders) order by all"
        )
        settled = list(_settle(warehouse, tables, as_of)) if tables else []
        _tell_rows_without_key(warehouse, tables)
        for name in ("proving_exports", "replaced_orders"):
            warehouse.run(f"drop table {name}")
    return settled


def unproven(warehouse: Warehouse) -> list[Unproven]:
    """What the last settlement saw to be gone and could not prove, by system."""
    if not warehouse.exists("manifest", "unproven"):
        return []
    found = warehouse.rows(
        "select system, cast(sum(items) as bigint), min(reason), table_name, max(set_aside) from manifest.unproven "
        "group by system, table_name order by system, table_name nulls first"
    )
    return [Unproven(*row) for row in found]


def _drop_leftovers(warehouse: Warehouse) -> None:
    names = warehouse.rows(
        "select 'manifest.' || table_name as name from duckdb_tables() where database_name = $catalog "
        "and schema_name = 'manifest' and list_contains(cast($names as varchar[]), 'manifest.' || table_name)",
        {"catalog": warehouse.catalog, "names": list(WORKING_TABLES)},
    )
    for (name,) in names:
        warehouse.run(f"drop table {name}")


def _find_replaced(warehouse: Warehouse) -> None:
    """`replaced_orders`: those that are not at their end, and of whose every field something else was told since.

    A few of all that were told otherwise: most that was, was a restriction, and ended in an order.
    """
    warehouse.run(_REPLACED)
    warehouse.run(_STILL_TOLD)
    if ask_of_items(warehouse, _REPLACING):
        warehouse.run(_ACKNOWLEDGED.format(states=among_items()))


_REPLACED = """
create or replace temp table replaced_orders as
with replaced as (
    select told_by as item_id, record_type, record_key, field from manifest.replaced_fields where state = 'erase'
),
ended as (
    select item_id from manifest.events
    where state in ('verified', 'cancelled') and item_id in (select item_id from replaced)
)
select replaced.record_type, replaced.record_key, replaced.item_id, bit_or(numbers.bit) as named,
    false as is_acknowledged
from replaced
inner join manifest.field_numbers as numbers
    on numbers.record_type = replaced.record_type and numbers.field = replaced.field
where not exists (select 1 from ended where ended.item_id = replaced.item_id)
group by replaced.record_type, replaced.record_key, replaced.item_id
"""

#: Of these a part is an order's last word still, or all of it again.
_STILL_TOLD = """
delete from replaced_orders where item_id in (
    select told.item_id from manifest.told_bits as told
    where told.item_id in (select replaced.item_id from replaced_orders as replaced)
)
"""

_REPLACING = """
select item_id from manifest.replaced_fields where told_by in (select item_id from replaced_orders)
"""

_ACKNOWLEDGED = """
update replaced_orders set is_acknowledged = true where item_id in (
    select replaced.told_by
    from manifest.replaced_fields as replaced
    inner join ({states}) as newer on newer.item_id = replaced.item_id
    group by replaced.told_by
    having count(distinct replaced.field) = count(distinct replaced.field)
        filter (where newer.state in ('done', 'already_absent', 'verified'))
)
"""

#: The orders about records of a type, those that stand and those that were replaced.
_ORDERS = """
    select item_id, record_key, named, false as is_replaced, false as is_acknowledged
    from manifest.told where record_type = $record_type and state = 'erase'
    union all
    select item_id, record_key, named, true as is_replaced, is_acknowledged
    from replaced_orders where record_type = $record_type
"""


def _settle(
    warehouse: Warehouse, tables: list[tuple[str, str, str, str, str, int]], as_of: date
) -> Iterator[Settlement]:
    """Look up the orders that are not at their end in the tables that can prove something; record what that proves."""
    number_fields(warehouse)
    warehouse.run(
        "create or replace temp table looked_up (record_type varchar, item_id varchar, in_source boolean, "
        "said_in varchar, is_shown boolean, is_successor boolean, is_merged boolean, named hugeint, held hugeint, "
        "is_replaced boolean, is_acknowledged boolean)"
    )
    contradicted = bool(warehouse.value(f"select count(*) from manifest.events where state in {_CONTRADICTED}"))
    for record_type, source, table, key, export, sequence in tables:
        raw = f"{source}_{table}"
        held = held_bits(warehouse, record_type) or "0"
        follows = SUCCESSOR in warehouse.columns("raw", raw)
        look_up = _LOOK_UP.format(
            rows=_followed(raw, key, held) if follows else _stored(raw, key, held), chosen=_ONE if follows else ""
        )
        given = {"record_type": record_type, "source": source, "export": export, "sequence": sequence}
        warehouse.run(look_up, {**given, "contradicted": contradicted})
    warehouse.run(f"create or replace temp table settleable_items as {_SETTLEABLE.statement}")
    if ask_of_items(warehouse, "select item_id from settleable_items"):
        proofs = _PROOFS.over({"manifest.item_states": among_items()})
        warehouse.run(f"create or replace temp table proofs as {proofs}")
        yield from _record(warehouse, as_of)
        warehouse.run("drop table proofs")
    for name in ("looked_up", "settleable_items"):
        warehouse.run(f"drop table {name}")


#: An order, and what its record holds of what was ordered. A record that holds something is left out where no state
#: could be contradicted by it.
_LOOK_UP = f"""
insert into looked_up
with {{rows}},
orders as ({_ORDERS}),
found as (
    select $record_type, told.item_id, standing.in_source, standing.in_delivery, standing.is_shown,
        standing.is_successor, standing.is_merged, told.named, told.named & standing.held as held, told.is_replaced,
        told.is_acknowledged
    from orders as told
    inner join standing on standing.record_key = told.record_key
    {{chosen}}
)
select * from found where held = 0 or $contradicted
"""

#: Of a record and those that it was merged into: its own row, if that holds something that was ordered; else one of the
#: others that does; else the last of them.
_ONE = """
qualify row_number() over (
    partition by told.item_id
    order by told.named & standing.held <> 0 and not standing.is_successor desc, told.named & standing.held <> 0 desc,
        standing.is_last desc, standing.in_delivery
) = 1
"""

#: Whether the export itself shows how a row stands: it brought it, or left it out, and no later delivery took it away.
_IS_SHOWN = """
    case when source_row.in_source then source_row.in_delivery = $export
        else source_row.in_delivery in (
            select delivery_id from intake.deliveries
            where source = $source and status = 'loaded' and sequence <= $sequence
        ) end
"""


def _stored(raw_table: str, key: str, held: str) -> str:
    """How the records of a raw table stand; one that its source delivers no more holds nothing."""
    return f"""
    standing as (
        select cast(source_row.{identifier(key)} as varchar) as record_key, source_row.in_source,
            source_row.in_delivery, {_IS_SHOWN} as is_shown, false as is_successor, false as is_merged,
            true as is_last, case when source_row.in_source then {held} else 0 end as held
        from raw.{identifier(raw_table)} as source_row
    )
    """


def _followed(raw_table: str, key: str, held: str) -> str:
    """How the records of a raw table stand, and those that they were merged into, one into the other.

    Records that were merged in a circle do not stand in it: they are settled by nothing.
    """
    return f"""
    recursive stored as (
        select cast(source_row.{identifier(key)} as varchar) as record_key, source_row.in_source,
            source_row.in_delivery, cast(source_row.{SUCCESSOR} as varchar) as successor, {_IS_SHOWN} as is_shown,
            case when source_row.in_source then {held} else 0 end as held
        from raw.{identifier(raw_table)} as source_row
    ),
    followed as (
        select stored.record_key as first_key, stored.*
        from stored
        where stored.record_key in (
            select record_key from manifest.told_bits where record_type = $record_type and state = 'erase'
            union all
            select record_key from replaced_orders where record_type = $record_type
        )
        union
        select followed.first_key, stored.*
        from followed
        inner join stored on stored.record_key = followed.successor
    ),
    merged as (
        select followed.*,
            not exists (select 1 from stored where stored.record_key = followed.successor) as is_last
        from followed
    ),
    standing as (
        select merged.first_key as record_key, merged.in_source, merged.in_delivery,
            coalesce(bool_and(merged.is_shown) over (partition by merged.first_key), false) as is_shown,
            merged.first_key <> merged.record_key as is_successor,
            bool_or(merged.successor is not null) over (partition by merged.first_key) as is_merged,
            merged.is_last, merged.held
        from merged
        qualify bool_or(merged.is_last) over (partition by merged.first_key)
    )
    """


def _tell_rows_without_key(warehouse: Warehouse, tables: list[tuple[str, str, str, str, str, int]]) -> None:
    """Tell of the orders whose records a full export left out, while rows of it may be any of them."""
    for record_type, source, table, key, export, sequence in tables:
        given = {"source": source, "table_name": table, "export": export}
        rows = warehouse.value(_WITHOUT_KEY, given)
        if rows <= 0:
            continue
        left_out = _LEFT_OUT.format(raw_table=identifier(f"{source}_{table}"), key=identifier(key))
        if ask_of_items(warehouse, left_out, {**given, "record_type": record_type, "sequence": sequence}):
            tell = _TELL_WITHOUT_KEY.format(states=among_items())
            warehouse.run(tell, {**given, "reason": ROWS_WITHOUT_KEY, "rows": rows})


#: How many rows of a full export were set aside without a key that is known, or kept.
_WITHOUT_KEY = """
select coalesce(max(exports.set_aside), 0) - (
    select count(*) from intake.quarantined
    where source = $source and table_name = $table_name and delivery_id = $export and record_key is not null
)
from proving_exports as exports
where exports.source = $source and exports.table_name = $table_name and exports.delivery_id = $export
"""

#: The orders about records that a full export left out, and of which no row was set aside in it.
_LEFT_OUT = f"""
select told.item_id
from ({_ORDERS}) as told
inner join raw.{{raw_table}} as source_row on cast(source_row.{{key}} as varchar) = told.record_key
inner join intake.deliveries as said
    on said.source = $source and said.delivery_id = source_row.in_delivery and said.status = 'loaded'
where (said.sequence < $sequence or (not source_row.in_source and said.sequence = $sequence))
    and not exists (
        select 1 from intake.quarantined
        where quarantined.source = $source and quarantined.table_name = $table_name
            and quarantined.delivery_id = $export and quarantined.record_key = told.record_key
    )
"""

_TELL_WITHOUT_KEY = """
insert into manifest.unproven by name
select $source as system, $reason as reason, count(*) as items, $table_name as table_name, $rows as set_aside
from ({states}) as states
where states.state not in ('issued', 'approved', 'cancelled', 'verified') and states.action in ('erase', 'redact')
    and (
        select min(coalesce(events.happened_at, events.on_day + interval 1 day)) from manifest.events as events
        where events.state = 'delivered' and events.manifest_id = states.manifest_id
            and coalesce(events.item_id, states.item_id) = states.item_id
    ) < (select extracted_at from proving_exports where source = $source and delivery_id = $export
        and table_name = $table_name)
having count(*) > 0
"""

_TELL_UNPROVEN = """
insert into manifest.unproven by name
select system, reason, count(*) as items from proofs where outcome = 'unproven' group by system, reason order by all
"""

_VERIFICATIONS = """
insert into manifest.verifications by name
select manifest_id, item_id, outcome, delivery_id, cast($as_of as date) as as_of, reason
from proofs where outcome not in ('superseded', 'unproven') order by manifest_id, item_id
"""

_EVENTS = """
select manifest_id, item_id, case when outcome = 'superseded' then 'cancelled' else outcome end as state,
    cast($as_of as date) as on_day, case when outcome = 'superseded' then 'recall' else 'verify' end as origin, reason
from proofs where outcome in ('verified', 'discrepancy', 'superseded')
"""


def _record(warehouse: Warehouse, as_of: date) -> Iterator[Settlement]:
    warehouse.run(_VERIFICATIONS, {"as_of": as_of})
    warehouse.run(_TELL_UNPROVEN)
    record_selected(warehouse, _EVENTS, {"as_of": as_of})
    for row in warehouse.rows("select system, outcome, count(*) from proofs group by all order by all"):
        yield Settlement(*row)
