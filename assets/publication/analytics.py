"""`analytics.duckdb`: the published copy for analysts, plain and without direct identifiers.

Writes the file and swaps it in. What stands in it is SQL: a file of `sql/analytics/` is a table, and its header says
what the table and each column are. Reads only what the warehouse has decided; decides nothing.

A file may be named `schema.table.sql`. It selects from the warehouse, and from `published.*`, the tables of the new
file that were written before it. A table whose sources are not there yet is published empty.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from assets.errors import CheckFailed
from assets.models import SQL, Model
from assets.retention.explaining import require_evaluation
from assets.site import Site
from assets.warehouse import Warehouse, identifier

if TYPE_CHECKING:
    from assets.policy import Policy

FOLDER = SQL / "analytics"
MACROS = SQL / "published_macros.sql"
CATALOG = "published"
#: The file is without direct identifiers, but still personal data: readable by the site's own account alone.
FILE_MODE = 0o600
#: The oldest DuckDB that opens the file. Its way to pack words that repeat costs a third less to write.
READABLE_SINCE = "v1.3.0"
#: A group of fewer customers than this stands for one of them, unless the site says otherwise.
SMALLEST_GROUP = 10

_COLUMN = re.compile(r"^-- - (?P<name>[a-z_0-9]+) (?P<type>[a-z]+(?:\([0-9]+, ?[0-9]+\))?(?:\[\])?): (?P<comment>.+)$")
_MACRO = re.compile(r"^-- - (\w+): (.+)$", re.MULTILINE)
_EARLIER = re.compile(rf"\b{CATALOG}\.([a-z_]+\.[a-z_]+)")


@dataclass(frozen=True)
class Column:
    """A published column as its file's header declares it."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class PublishedTable:
    """One file of `sql/analytics/` and the table that it makes in the published file."""

    model: Model

    @property
    def name(self) -> str:
        """`schema.table`, or the table alone when it stands in `main`."""
        return self.model.name

    @property
    def schema(self) -> str:
        """The schema in the published file."""
        return self.name.rpartition(".")[0] or "main"

    @property
    def sql_name(self) -> str:
        """The quoted name, catalog included."""
        return ".".join(identifier(part) for part in (CATALOG, self.schema, self.name.rpartition(".")[2]))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the header's order."""
        found = (_COLUMN.match(line) for line in self.model.text.splitlines())
        return tuple(Column(**match.groupdict()) for match in found if match)

    @cached_property
    def comment(self) -> str:
        """What a row is: the header up to the first column."""
        return self.model.header.partition(" - ")[0]

    @property
    def earlier(self) -> frozenset[str]:
        """The published tables that it reads."""
        return frozenset(_EARLIER.findall(self.model.statement))

    @property
    def sources(self) -> list[tuple[str, str]]:
        """The warehouse tables that it reads, as (schema, table)."""
        pairs = (reference.split(".") for reference in sorted(self.model.references))
        return [(schema, table) for schema, table in pairs if schema != CATALOG]


@dataclass(frozen=True)
class Publication:
    """What was published: counts alone."""

    path: Path
    as_of: date
    rows: Mapping[str, int]
    size_bytes: int


def published_tables() -> tuple[PublishedTable, ...]:
    """Every published table, each after those it reads."""
    tables = {path.stem: PublishedTable(Model("analytics", path)) for path in sorted(FOLDER.glob("*.sql"))}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, table in tables.items():
        sorter.add(name, *sorted(table.earlier))
    return tuple(tables[name] for name in sorter.static_order())


def publish(
    warehouse: Warehouse, policy: Policy, site: Site, *, mode: int = FILE_MODE, smallest_group: int = SMALLEST_GROUP
) -> Publication:
    """Write `analytics.duckdb` anew and swap it in; whoever has the old file open goes on reading that one.

    What fewer than `smallest_group` customers share is folded in the aggregates. Must not be called inside a
    transaction: one transaction writes to one database.

    Raises:
        CheckFailed: the warehouse was not evaluated under this policy, or a record's field would be left out.
    """
    as_of = require_evaluation(warehouse, policy)
    building = site.temporary / site.analytics.name
    site.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    _discard(building)
    try:
        with attached(warehouse, building, CATALOG, is_new=True):
            rows = {table.name: _build(warehouse, table, smallest_group) for table in published_tables()}
            _require_every_field(warehouse, rows["retention.field_dispositions"])
            warehouse.run(f"checkpoint {CATALOG}")
        _add_macros(building)
        building.chmod(mode)
        size = building.stat().st_size
        _swap(building, site.analytics)
    finally:
        _discard(building)
    return Publication(site.analytics, as_of, rows, size)


@contextmanager
def attached(
    warehouse: Warehouse, path: Path, catalog: str, *, read_only: bool = False, is_new: bool = False
) -> Iterator[None]:
    """The unencrypted database file at `path` as `catalog`, for as long as the block runs."""
    option = " (read_only)" if read_only else f" (storage_version {_literal(READABLE_SINCE)})" if is_new else ""
    warehouse.run(f"attach {_literal(str(path))} as {identifier(catalog)}{option}")
    try:
        yield
    finally:
        warehouse.run(f"detach {identifier(catalog)}")


def _build(warehouse: Warehouse, table: PublishedTable, smallest_group: int) -> int:
    """Make one table, fill it and describe it; how many rows it holds."""
    definitions = ", ".join(f"{identifier(column.name)} {column.type}" for column in table.columns)
    warehouse.run(f"create schema if not exists {CATALOG}.{identifier(table.schema)}")
    warehouse.run(f"create table {table.sql_name} ({definitions})")
    if all(warehouse.exists(schema, name) for schema, name in table.sources):
        given = {"smallest_group": smallest_group}
        params = {name: given[name] for name in table.model.parameters} or None
        warehouse.run(f"insert into {table.sql_name} by name {table.model.statement}", params)
    warehouse.run(f"comment on table {table.sql_name} is {_literal(table.comment)}")
    for column in table.columns:
        where = f"{table.sql_name}.{identifier(column.name)}"
        warehouse.run(f"comment on column {where} is {_literal(column.comment)}")
    return int(warehouse.value(f"select count(*) from {table.sql_name}"))


def _add_macros(building: Path) -> None:
    """Put the common questions into the file, so that whoever opens it can call them."""
    with Warehouse.in_memory() as writer, attached(writer, building, CATALOG):
        writer.run(f"use {CATALOG}")
        writer.script(MACROS)
        for name, comment in _MACRO.findall(MACROS.read_text(encoding="utf-8")):
            writer.run(f"comment on macro table {identifier(name)} is {_literal(comment)}")
        writer.run("use memory")
        writer.run(f"checkpoint {CATALOG}")


def _require_every_field(warehouse: Warehouse, published: int) -> None:
    expected = warehouse.value(
        "select count(*) from retention.records as records inner join policy.fields as fields "
        "on records.source = fields.source and records.record_type = fields.record_type"
    )
    if published != expected:
        raise CheckFailed(
            f"{expected} fields of records need a disposition and {published} have one: nothing was published. "
            "Look for a record type or data category of the contracts that the evaluation leaves out."
        )


def _literal(text: str) -> str:
    """`text` as a SQL string, where the grammar takes no parameter: our own comments, and paths."""
    return "'" + text.replace("'", "''") + "'"


def _swap(building: Path, target: Path) -> None:
    """Put the finished file in the old one's place, so that a power cut leaves the one or the other."""
    _sync(building)
    building.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _discard(building: Path) -> None:
    """Remove what an earlier try left half written."""
    for path in (building, building.with_name(building.name + ".wal")):
        path.unlink(missing_ok=True)
