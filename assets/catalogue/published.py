"""The tables of `analytics.duckdb` as their files declare them: a file of `sql/analytics/` is a table.

Its header says what the table and each column are. A file may be named `schema.table.sql`. It selects from the
warehouse, and from `published.*`, the tables of the new file that were written before it. A file that begins with `A
view` selects from `published.*` alone. `assets.publication.analytics` writes the tables; whoever reads those of a site
says with `of_this_version` what it means that one lacks a column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

from assets.errors import CheckFailed
from assets.models import SQL, Model
from assets.site import Site
from assets.vocabulary import CLOSED_WORDS, enum_of
from assets.warehouse import UNPACKED_TEXTS, Warehouse, WarehouseError, identifier

FOLDER = SQL / "analytics"
CATALOG = "published"
#: A group of fewer customers than this stands for one of them, unless the site says otherwise.
SMALLEST_GROUP = 10
#: Columns of `stored.*` that are nearly all that there is to write.
KEYS = frozenset({"item_id", "record_key"})

_COLUMN = re.compile(r"-- - (?P<name>[a-z_0-9]+) (?P<type>[a-z]+(?:\([0-9]+, ?[0-9]+\))?(?:\[\])?): (?P<comment>.+)")
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
        return f"{CATALOG}.{self.local_name}"

    @property
    def local_name(self) -> str:
        """The quoted name within the file."""
        return ".".join(identifier(part) for part in (self.schema, self.name.rpartition(".")[2]))

    def definition(self, column: Column) -> str:
        """A column as the file keeps it."""
        is_key = self.schema == "stored" and column.name in KEYS
        return f"{identifier(column.name)} {UNPACKED_TEXTS if is_key else _stored_type(column)}"

    @property
    def is_view(self) -> bool:
        """Whether nothing is written for it."""
        return self.model.is_view

    @property
    def view_statement(self) -> str:
        """A view's SELECT as the file keeps it: whoever opens the file calls it as they like."""
        return re.sub(rf"\b{CATALOG}\.", "", self.model.statement)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the header's order."""
        found = (_COLUMN.fullmatch(line) for line in self.model.text.splitlines())
        return tuple(Column(**match.groupdict()) for match in found if match)

    @cached_property
    def comment(self) -> str:
        """What a row is: the header up to the first column."""
        return self.model.header.partition(" - ")[0]

    @property
    def earlier(self) -> frozenset[str]:
        """The published tables that it reads."""
        return frozenset(name.removeprefix("main.") for name in _EARLIER.findall(self.model.statement))

    @property
    def sources(self) -> list[tuple[str, str]]:
        """The warehouse tables that it reads, as (schema, table)."""
        pairs = (reference.split(".") for reference in sorted(self.model.references))
        return [(schema, table) for schema, table in pairs if schema != CATALOG]


def published_tables() -> tuple[PublishedTable, ...]:
    """Every published table, each after those it reads."""
    tables = {path.stem: PublishedTable(Model("analytics", path)) for path in sorted(FOLDER.glob("*.sql"))}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, table in tables.items():
        sorter.add(name, *sorted(table.earlier))
    return tuple(tables[name] for name in sorter.static_order())


@contextmanager
def of_this_version(reader: Warehouse, site: Site) -> Iterator[None]:
    """Ask the site's published file, attached as `site`, what this version publishes.

    Raises:
        CheckFailed: it lacks a column that was asked for, since an earlier version published it.
    """
    try:
        yield
    except WarehouseError:
        there = set(reader.rows(
            "select schema_name, table_name, column_name from duckdb_columns() where database_name = 'site'"
        ))  # fmt: skip
        if all((table.schema, table.name.rpartition(".")[2], column.name) in there
               for table in published_tables() for column in table.columns):  # fmt: skip
            raise
        raise CheckFailed(
            f"An earlier version of Gallring published what is known of {site.path}, without all that "
            f"is asked for here: `gallring run --site {site.argument}` publishes it anew."
        ) from None


def _stored_type(column: Column) -> str:
    """A column's type in the file: `enum` stands for the closed words that the evaluation knows under its name."""
    return enum_of(CLOSED_WORDS[column.name]) if column.type == "enum" else column.type
