"""Units: the records that can bear on one another, found from a few of them.

Records that a rule reads together are joined by a link: an order and its customer, two people with one number, an
address and the request that names it. What is linked, however long the way, is one unit, and nothing in one unit bears
on another. So a night may evaluate the units in which something happened and leave all others as they are.

`Stage` is a catalog in memory beside the warehouse that holds a few whole units in tables of the same names, so that
the same SQL runs over them. Knows links; knows neither rules nor what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from assets.warehouse import Params, Warehouse, identifier


@dataclass(frozen=True)
class Kind:
    """A kind of record, or a register: its name, its table and key in `core.*`, and those in `raw.*`.

    Attributes:
        name: the record type; `hold`, `request` and `former_address` for the registers.
        core: the core table.
        row: the column of the core table that holds the surrogate.
        raw: the raw table.
        key: the column of the raw table that holds the source's own key.
        tier: how far it is from people: 0 is or names people, 1 hangs on them, 2 hangs on what does.
    """

    name: str
    core: str
    row: str
    raw: str
    key: str
    tier: int = 0


KINDS = (
    Kind("customer", "customers", "customer_id", "crm_customers", "customer_id"),
    Kind("contact", "contacts", "contact_id", "crm_contacts", "contact_id"),
    Kind("subscriber", "subscribers", "subscriber_id", "mailing_subscribers", "subscriber_id"),
    Kind("consent", "consents", "consent_id", "crm_consents", "consent_id"),
    Kind("request", "requests", "request_id", "office_requests", "request_id"),
    Kind("hold", "holds", "hold_id", "office_holds", "hold_id"),
    Kind("former_address", "former_addresses", "former_address_id", "former_addresses", "row_id"),
    Kind("interaction", "interactions", "interaction_id", "crm_interactions", "interaction_id", tier=1),
    Kind("quote", "quotes", "quote_id", "crm_quotes", "quote_id", tier=1),
    Kind("order", "orders", "order_id", "orders_orders", "order_id", tier=1),
    Kind("invoice", "invoices", "invoice_id", "orders_invoices", "invoice_id", tier=1),
    Kind("delivery", "deliveries", "delivery_id", "orders_deliveries", "delivery_id", tier=2),
    Kind("order_line", "order_lines", "order_line_id", "orders_order_lines", "order_line_id", tier=2),
    Kind("proof_approval", "proof_approvals", "proof_id", "orders_proof_approvals", "proof_id", tier=2),
    Kind("complaint", "complaints", "complaint_id", "orders_complaints", "complaint_id", tier=2),
    Kind("payment", "payments", "payment_id", "orders_payments", "payment_id", tier=2),
    Kind("claim_event", "claim_events", "claim_event_id", "orders_claim_events", "claim_event_id", tier=2),
    Kind("quote_document", "quote_documents", "document_id", "crm_quote_documents", "document_id", tier=2),
    Kind("send", "sends", "send_id", "mailing_sends", "send_id", tier=2),
    Kind("web_event", "web_events", "event_id", "web_events", "event_id", tier=2),
)
KIND = {kind.name: kind for kind in KINDS}
REGISTERS = ("hold", "request", "former_address")

#: Columns of `core.*` by which rows are linked, and what they name: a record's surrogate or a keyed hash.
LINKS = {
    "customer_id": "customer",
    "order_customer_id": "customer",
    "contact_id": "contact",
    "subscriber_id": "subscriber",
    "consent_id": "consent",
    "quote_id": "quote",
    "order_id": "order",
    "delivery_id": "delivery",
    "invoice_id": "invoice",
    "chain_id": "invoice",
    "email_key": "email",
    "national_id_key": "number",
    "trader_id_key": "number",
}
_HASHES = ("email", "number")
#: `core.people` numbers rows of three kinds: the surrogate times four, and one of these.
NODES = {"customer": 0, "contact": 1, "subscriber": 2}
#: Columns that say of what a row of an evaluated table is; the first that a table has counts.
_ROWS = {
    "node_id": "node",
    "person_id": "node",
    **{kind.row: kind.name for kind in KINDS},
    "email_key": "email",
}
#: Tables without a row of any unit: the company's own years, and the day.
GLOBAL = ("core.fiscal_years", "retention.evaluation")


@dataclass(frozen=True)
class Shape:
    """The stored tables of a warehouse with their columns' names and types, read once."""

    by_table: Mapping[tuple[str, str], Mapping[str, str]]

    def tables(self, schemas: Iterable[str]) -> list[tuple[str, str]]:
        """The tables of some schemas, in order."""
        chosen = set(schemas)
        return sorted(key for key in self.by_table if key[0] in chosen)

    def columns(self, schema: str, table: str) -> Mapping[str, str]:
        """The columns of a table with their types, in order; none where it is not there."""
        return self.by_table.get((schema, table), {})


def shape_of(warehouse: Warehouse) -> Shape:
    """The shape of a warehouse as it is now. Views are not in it: they follow what they look at."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    rows = warehouse.rows(
        "select column_of.schema_name, column_of.table_name, column_of.column_name, column_of.data_type "
        "from duckdb_columns() as column_of inner join duckdb_tables() as stored on column_of.table_oid = "
        "stored.table_oid and column_of.database_oid = stored.database_oid "
        "where column_of.database_name = ? order by column_of.column_index",
        [warehouse.catalog],
    )
    for schema, table, column, kind in rows:
        found.setdefault((schema, table), {})[column] = kind
    return Shape(found)


class NotSpliceable(Exception):
    """A table does not say of which record its rows are, so a part of it cannot be put in the old one's place."""


class Stage:
    """Some whole units beside the warehouse. `warehouse` holds everything, `part` the units alone.

    `turning` is the name of a table for what a search finds before it is asked for.
    """

    def __init__(self, warehouse: Warehouse, part: Warehouse, shape: Shape) -> None:
        """Both lie on one connection's database; `shape` is the warehouse's. See `stage`."""
        self.catalog = part.catalog
        self.turning = f"{part.catalog}.wanted.turning"
        self.warehouse = warehouse
        self.part = part
        self.shape = shape
        self._absorbed = dict.fromkeys(KIND, 0)
        self._followed: dict[str, int] = {}
        self.sizes = dict.fromkeys((*KIND, *_HASHES, "node"), 0)

    # -- what is wanted -----------------------------------------------------------------------------------------

    def want(self, kind: str, select: str, params: Params | None = None) -> int:
        """Ask for the units of what `select` (one column) names; how many were not asked for before."""
        added = self.warehouse.value(
            f"insert into {self.catalog}.wanted.{identifier(kind)} select distinct named.each from ({select}) as "
            f"named(each) where named.each is not null and not exists (select 1 from {self.wanted(kind)} as had "
            "where had.each = named.each)",
            params,
        )
        self.sizes[kind] += int(added)
        return int(added)

    def wanted(self, kind: str) -> str:
        """The table of what was asked for of a kind; its column is `each`."""
        return f"{self.catalog}.wanted.{identifier(kind)}"

    def records(self) -> int:
        """How many records the units hold so far."""
        return sum(self.sizes[kind.name] for kind in KINDS if kind.name not in REGISTERS)

    # -- what is linked -----------------------------------------------------------------------------------------

    def complete(self, rootless: Iterable[str] = ()) -> None:
        """Follow every link of `core.*` from what is wanted until nothing is added; the rows lie in the part's core.

        `rootless` are the kinds of which a row may have been asked for without what it hangs on.
        """
        seen: dict[str, tuple[int, ...]] = {}
        for name in rootless:
            if self.sizes[name] and KIND[name].tier:
                self._absorb(KIND[name], own_alone=True)
        tier = 0
        while tier <= 2:
            tier = 0 if self._absorb_news([kind for kind in KINDS if kind.tier == tier], seen) and tier else tier + 1

    def _absorb_news(self, kinds: Iterable[Kind], seen: dict[str, tuple[int, ...]]) -> bool:
        """Absorb the kinds of which more is wanted than when they were last absorbed, until there is none.

        Whether anything was added that others hang on.
        """
        before = {
            name: size for name, size in self.sizes.items() if name in _HASHES or (name in KIND and KIND[name].tier < 2)
        }
        stale = True
        while stale:
            stale = False
            for kind in kinds:
                named = list(self._named_by(kind).values())
                if tuple(self.sizes[each] for each in named) == seen.get(kind.name, (0,) * len(named)):
                    continue
                seen[kind.name] = tuple(self.sizes[each] for each in named)
                self._absorb(kind)
                stale = True
                if kind.name not in named[1:]:  # its own rows are there now
                    seen[kind.name] = (self.sizes[kind.name], *seen[kind.name][1:])
                if kind.name == "hold":
                    self._follow_holds()
            self._follow_records()
        return any(self.sizes[name] != size for name, size in before.items())

    def _named_by(self, kind: Kind) -> dict[str, str]:
        """The columns of a core table that link it, and what each names; its own surrogate first."""
        columns = self.shape.columns("core", kind.core)
        return {kind.row: kind.name, **{name: LINKS[name] for name in columns if name in LINKS and name != kind.row}}

    def _absorb(self, kind: Kind, *, own_alone: bool = False) -> None:
        """Take the rows of a core table that are wanted, or name something that is, and ask for all they name."""
        named = self._named_by(kind)
        links = [
            (name, what) for name, what in named.items() if self.sizes[what] and (name == kind.row or not own_alone)
        ]
        if not links:
            return
        reached = " or ".join(f"whole.{name} in (select each from {self.wanted(what)})" for name, what in links)
        there = f"{self.catalog}.core.{kind.core}"
        new = f" and whole.{kind.row} not in (select {kind.row} from {there})" if self._absorbed[kind.name] else ""
        added = self.warehouse.value(
            f"insert into {there} by name select * from {self.warehouse.catalog}.core.{kind.core} as whole "
            f"where ({reached}){new}"
        )
        self._absorbed[kind.name] += int(added)
        if added:
            known = links[0][0] if len(links) == 1 else None  # by which alone the rows were found
            for name, what in named.items():
                if name != known:
                    self.want(what, f"select {name} from {there}")

    # -- holds: they name a record by the source's key ------------------------------------------------------------

    @property
    def _held(self) -> str:
        return f"{self.warehouse.catalog}.nights.held"

    @cached_property
    def _held_kinds(self) -> list[str]:
        rows = self.warehouse.rows(f"select distinct kind from {self._held} order by all")
        return [kind for (kind,) in rows if kind in KIND]

    def _follow_holds(self) -> None:
        """Ask for what the wanted holds are about. One about nobody known has a name of its own for the customer."""
        for kind in self._held_kinds:
            self.want(
                kind,
                f"select row_id from {self._held} where kind = '{kind}' "
                f"and hold_id in (select each from {self.wanted('hold')})",
            )
        self.want("customer", f"select -1 - each from {self.wanted('hold')}")

    def _follow_records(self) -> None:
        """Ask for the holds that are about what is wanted."""
        for kind in self._held_kinds:
            if self.sizes[kind] == self._followed.get(kind, 0):
                continue
            self._followed[kind] = self.sizes[kind]
            self.want(
                "hold",
                f"select hold_id from {self._held} where kind = '{kind}' "
                f"and row_id in (select each from {self.wanted(kind)})",
            )

    # -- the part -------------------------------------------------------------------------------------------------

    def copy_whole(self, table: str) -> None:
        """Copy a table that is nobody's in particular."""
        schema, name = table.split(".")
        self.part.run(f"create or replace table {schema}.{name} as from {self.warehouse.catalog}.{schema}.{name}")

    def copy_raw(self, tables: Iterable[str], words: Iterable[str]) -> None:
        """Copy the units' rows of raw tables: the columns among `words`."""
        by_raw = {kind.raw: kind for kind in KINDS}
        for table in tables:
            if table not in by_raw:
                self.copy_whole(f"raw.{table}")
                continue
            kind = by_raw[table]
            chosen = [identifier(name) for name in self.shape.columns("raw", table) if name in {*words, "row_id"}]
            self.part.run(
                f"create or replace table raw.{identifier(table)} as select {', '.join(chosen)} "
                f"from {self.warehouse.catalog}.raw.{identifier(table)}{self._among('row_id', kind.name)}"
            )

    def copy_core(self, tables: Iterable[str]) -> None:
        """Copy the units' rows of those of `tables` that are stored in `core.*` and not there yet."""
        taken = {kind.core for kind in KINDS}
        stored = {name for _, name in self.shape.tables(["core"])}
        for schema, _, name in sorted(table.partition(".") for table in tables):
            if schema == "core" and name not in taken and name in stored:
                self.copy_rows(schema, name)

    def copy_rows(self, schema: str, table: str) -> None:
        """Copy the units' rows of a table."""
        there = f"{schema}.{identifier(table)}"
        source = f"{self.warehouse.catalog}.{there}"
        self.part.run(f"create or replace table {there} as from {source}{self._rows_of(schema, table)}")

    def show_rows(self, schema: str, table: str) -> None:
        """Show the units' rows of a table where they stand: for what is read once or twice."""
        named = f"{schema}.{identifier(table)}"
        self.part.run(
            f"create or replace view {named} as from {self.warehouse.catalog}.{named}{self._rows_of(schema, table)}"
        )

    def show_raw(self, table: str) -> None:
        """Show the units' rows of a raw table where they stand; all of one that is nobody's in particular."""
        kinds = [kind.name for kind in KINDS if kind.raw == table]
        among = self._among("row_id", kinds[0]) if kinds else ""
        named = f"raw.{identifier(table)}"
        self.part.run(f"create or replace view {named} as from {self.warehouse.catalog}.{named}{among}")

    def name_rows(self) -> None:
        """Say of the units' records by which numbers other tables know them: people's nodes, types and rows."""
        for kind, remainder in NODES.items():
            if self.sizes[kind]:
                self.want("node", f"select each * 4 + {remainder} from {self.wanted(kind)}")
        types = " union all ".join(f"select '{kind.name}', each from {self.wanted(kind.name)}" for kind in KINDS)
        self.warehouse.run(f"create or replace table {self.catalog}.wanted.records(record_type, row_id) as {types}")

    def splice(self, tables: Iterable[tuple[str, str]]) -> None:
        """Make the units' rows in tables of the warehouse those of the part. Runs inside the caller's transaction.

        Only rows that differ are written: a unit is evaluated whole, and most of what comes of it is what was there.

        Raises:
            NotSpliceable: a table does not say of which record its rows are.
        """
        for schema, table in tables:
            if f"{schema}.{table}" != "core.fiscal_years":  # where it changed, everything is built anew
                self._splice_table(schema, table)
        self.warehouse.run("drop table if exists temp.rows_differing")

    def _splice_table(self, schema: str, table: str) -> None:
        run = self.warehouse.run
        target = f"{self.warehouse.catalog}.{schema}.{identifier(table)}"
        source = f"{self.catalog}.{schema}.{identifier(table)}"
        names = [identifier(name) for name in self.shape.columns(schema, table)]
        columns = ", ".join(names)
        differing = self.warehouse.value(
            f"create or replace temp table rows_differing as select {columns}, "
            "list(place) filter (where place is not null) as places, count(*) - count(place) as made from ("
            f"select rowid as place, {columns} from {target}{self._rows_of(schema, table)} "
            f"union all by name select cast(null as bigint) as place, {columns} from {source}"
            f") group by {columns} having count(place) <> count(*) - count(place)"
        )
        if differing:
            run(f"delete from {target} where rowid in (select unnest(places) from rows_differing)")
            run(
                f"insert into {target} by name select {columns} from "
                "(select *, unnest(range(made)) from rows_differing where made > 0)"
            )

    def _among(self, column: str, kind: str) -> str:
        """The condition that a column names one of a kind that is wanted; where none is, nothing has to be read."""
        return f" where {column} in (select each from {self.wanted(kind)})" if self.sizes[kind] else " where false"

    def _rows_of(self, schema: str, table: str) -> str:
        """The condition that finds the units' rows of a table; none finds every row."""
        if f"{schema}.{table}" in GLOBAL:
            return ""
        columns = self.shape.columns(schema, table)
        if {"record_type", "row_id"} <= set(columns):
            kind = columns["record_type"]
            wanted = f"select try_cast(record_type as {kind}), row_id from {self.catalog}.wanted.records"
            return f" where (record_type, row_id) in ({wanted})"
        for column in columns:
            if column in _ROWS:
                return self._among(column, _ROWS[column])
        raise NotSpliceable(f"{schema}.{table}")


@contextmanager
def stage(
    warehouse: Warehouse, catalog: str = "night", *, linked: bool = True, shape: Shape | None = None
) -> Iterator[Stage]:
    """An empty stage beside the warehouse, gone again after the block. Not inside a transaction.

    Without `linked` it is for records that are asked for one by one: no link is followed there. `shape` is the
    warehouse's, where it is known already.
    """
    warehouse.run(f"attach ':memory:' as {identifier(catalog)}")
    try:
        cursor = warehouse.cursor()
        try:
            part = Warehouse(cursor, catalog)
            part.run(f"set search_path = '{catalog}.main,memory.main'")
            made = Stage(warehouse, part, shape or shape_of(warehouse))
            _lay_out(made, linked)
            yield made
        finally:
            cursor.close()
    finally:
        warehouse.run(f"detach {identifier(catalog)}")


def _lay_out(made: Stage, linked: bool) -> None:
    part = made.part
    for schema in ("wanted", "policy", "office", "raw", "core", "triggers", "purposes", "retention"):
        part.run(f"create schema {schema}")
    for name in (*KIND, "node", *_HASHES):
        part.run(f"create table wanted.{identifier(name)} (each {'uuid' if name in _HASHES else 'bigint'})")
    for kind in KINDS if linked else ():
        part.run(f"create table core.{kind.core} as from {made.warehouse.catalog}.core.{kind.core} limit 0")


def link_holds(warehouse: Warehouse, shape: Shape) -> None:
    """Write `nights.held(hold_id, kind, row_id)`: what each hold is about, and what names a customer nobody knows."""
    warehouse.run("delete from nights.held")
    kinds = [kind for (kind,) in warehouse.rows("select distinct record_type from core.holds order by all")]
    for kind in [KIND[name] for name in kinds if name in KIND]:
        warehouse.run(
            f"insert into nights.held select hold.hold_id, hold.record_type, source_row.row_id from core.holds as hold "
            f"inner join raw.{kind.raw} as source_row on hold.record_key = source_row.{kind.key} "
            f"where hold.record_type = '{kind.name}'"
        )
    unknown = (
        "core.holds as hold where hold.record_type = 'customer' "
        "and not exists (select 1 from nights.held as known "
        "where known.hold_id = hold.hold_id and known.kind = 'customer')"
    )
    if not warehouse.value(f"select count(*) from {unknown}"):
        return
    for kind in naming_a_customer(shape):
        warehouse.run(
            f"insert into nights.held select hold.hold_id, '{kind.name}', source_row.row_id from core.holds as hold "
            f"inner join raw.{kind.raw} as source_row on hold.record_key = source_row.customer_id "
            f"where hold.hold_id in (select hold_id from {unknown})"
        )


def naming_a_customer(shape: Shape) -> list[Kind]:
    """The kinds whose raw rows name a customer by its key."""
    return [
        kind for kind in KINDS
        if kind.name not in ("customer", *REGISTERS) and "customer_id" in shape.columns("raw", kind.raw)
    ]  # fmt: skip
