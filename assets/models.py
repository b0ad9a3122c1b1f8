"""SQL models: a folder of SELECT files as tables, built in the order of the references they make.

Knows nothing of what the tables mean. A file holds one SELECT in the portable subset; its folder is the schema, its
name the table. Parameters are named (`$as_of`), and each statement is given only those it uses. A file whose header
begins with `A view` is kept as one: nothing is written, and whoever reads it reads what stands beneath. A header that
ends with `Closed words:` and names of columns has these kept as numbers (`assets.vocabulary`); they are read as words.
One with a line `By parts:` can be made from a range of records at a time (`expectations.parts`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from assets.vocabulary import CLOSED_WORDS, enum_of
from assets.warehouse import Warehouse, WarehouseError, identifier
from expectations.parts import Parts

SQL = Path(__file__).resolve().parents[1] / "sql"
_REFERENCE = re.compile(r"\b(?<!distinct )(?:from|join)\s+([a-z_]+)\.([a-z_0-9]+)", re.IGNORECASE)
_READ = re.compile(
    r"\b(?<!distinct )(?P<word>from|join)\s+(?P<table>[a-z_]+\.[a-z_0-9]+)\b(?:\s+as\s+(?P<alias>[a-z_0-9]+)\b)?"
)
_PARAMETER = re.compile(r"\$([a-z_]+)")
_CLOSED = re.compile(r"Closed words: ([a-z_, ]+)\.")
_COMMENT = re.compile(r"--[^\n]*")


def make_view(warehouse: Warehouse, name: str, statement: str) -> None:
    """(Re)make the view `schema.name`; a table that an earlier version kept under the name makes way."""
    _make_in_place(warehouse, name, f"create or replace view {name} as {statement}", of_the_other_kind="table")


def _make_in_place(
    warehouse: Warehouse, name: str, statement: str, params: Mapping[str, Any] | None = None, *,
    of_the_other_kind: Literal["table", "view"],
) -> None:  # fmt: skip
    """Run what makes `schema.name` anew; what an earlier version kept under the name as the other kind makes way.

    To ask first costs more than to make it, and there is none but once.
    """
    try:
        warehouse.run(statement, params)
    except WarehouseError as error:
        if f"is of type {of_the_other_kind.capitalize()}, trying to replace" not in str(error):
            raise  # a transaction that it ended would take no question
        with warehouse.transaction():
            warehouse.run(f"drop {of_the_other_kind} {name}")
            warehouse.run(statement, params)


def drop_others(warehouse: Warehouse, schema: str, made: Collection[str]) -> None:
    """Drop what stands in a schema beside the tables and views that are made there: nobody keeps it up any more.

    Args:
        warehouse: where an earlier policy or version of the program may have left what it made.
        schema: one in which everything is made anew.
        made: their names as `schema.name`.
    """
    there = warehouse.rows(
        "select table_name, table_type from information_schema.tables where table_catalog = ? and table_schema = ?",
        [warehouse.catalog, schema],
    )
    for name, kind in sorted(there):
        if f"{schema}.{name}" not in made:
            warehouse.run(f"drop {'view' if kind == 'VIEW' else 'table'} {schema}.{identifier(name)}")


@dataclass(frozen=True)
class Model:
    """One SELECT file and the table it makes."""

    schema: str
    path: Path

    @property
    def name(self) -> str:
        """The table's name: the file's name without its ending."""
        return self.path.stem

    @property
    def table(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def text(self) -> str:
        """The file as it stands."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def statement(self) -> str:
        """The SELECT without comments and the closing semicolon."""
        return _COMMENT.sub("", self.text).strip().rstrip(";")

    @cached_property
    def header(self) -> str:
        """The comment lines that open the file: what the table is, its grain, and why."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return " ".join(lines)

    @cached_property
    def references(self) -> frozenset[str]:
        """The tables that the SELECT reads, as `schema.table`."""
        return frozenset(f"{schema}.{table}".lower() for schema, table in _REFERENCE.findall(self.statement))

    def over(self, selects: Mapping[str, str]) -> str:
        """The SELECT, reading what other SELECTs give where it reads tables (`schema.table`).

        For one question about few rows of much: nobody's filter gets through grouping to what is grouped.

        Raises:
            ValueError: it reads one of the tables nowhere, or in words that were not found. A defect of the program:
                it would go on reading the whole table.
        """
        read: list[str] = []

        def instead(found: re.Match[str]) -> str:
            if (table := found["table"]) not in selects:
                return found[0]
            read.append(table)
            return f"{found['word']} ({selects[table]}) as {found['alias'] or table.rpartition('.')[2]}"

        statement = _READ.sub(instead, self.statement)
        for table in selects:
            if not 0 < read.count(table) == len(re.findall(rf"\b{re.escape(table)}\b", self.statement)):
                raise ValueError(f"{self.path.name} does not read {table} as `from {table}` or `join {table} as …`.")
        return statement

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of the parameters that the SELECT takes."""
        return frozenset(_PARAMETER.findall(self.statement))

    @property
    def is_view(self) -> bool:
        """Whether the file asks to be a view. One that takes parameters cannot be."""
        return self.header.startswith("A view")

    def build(self, warehouse: Warehouse, params: Mapping[str, Any]) -> None:
        """(Re)make the table, or the view, from its SELECT; by parts when it says that it can be and there is much."""
        if self.is_view:
            make_view(warehouse, self.table, self.statement)
        else:
            warehouse.sparing(lambda: self._make(warehouse, params))

    def _make(self, warehouse: Warehouse, params: Mapping[str, Any]) -> None:
        used = {name: params[name] for name in sorted(self.parameters)} or None
        into = f"create or replace table {self.table} as"
        with warehouse.transaction():
            for select in self.parts.selects(self._stored, warehouse.value) if self.parts else [self._stored]:
                _make_in_place(warehouse, self.table, f"{into} {select}", used, of_the_other_kind="view")
                into = f"insert into {self.table}"

    @cached_property
    def parts(self) -> Parts | None:
        """What its header says that it can be made by."""
        return Parts.of(self.text)

    @property
    def closed_words(self) -> tuple[str, ...]:
        """The columns that hold one of a few known words each."""
        named = _CLOSED.search(self.header)
        return tuple(named.group(1).split(", ")) if named else ()

    @property
    def _stored(self) -> str:
        """The SELECT with its closed words as ENUM."""
        casts = [f"cast({column} as {enum_of(CLOSED_WORDS[column])}) as {column}" for column in self.closed_words]
        return f"select * replace ({', '.join(casts)}) from ({self.statement}) as made" if casts else self.statement


class Models:
    """A set of models in an order in which each comes after those it reads."""

    def __init__(self, models: Sequence[Model]) -> None:
        """Order `models` by their references; ties by table name, so that the order is always the same."""
        by_table = {model.table: model for model in models}
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for table in sorted(by_table):
            sorter.add(table, *sorted(by_table[table].references & by_table.keys()))
        self.ordered: tuple[Model, ...] = tuple(by_table[table] for table in sorter.static_order())

    @classmethod
    def of(cls, *folders: str | Path) -> Models:
        """The models of folders: names below `sql/`, or paths (a policy's own purposes)."""
        paths = [SQL / folder if isinstance(folder, str) else folder for folder in folders]
        return cls([Model(schema=folder.name, path=path) for folder in paths for path in sorted(folder.glob("*.sql"))])

    def build(self, warehouse: Warehouse, params: Mapping[str, Any] | None = None) -> None:
        """(Re)make every table in order."""
        for schema in sorted({model.schema for model in self.ordered}):
            warehouse.run(f"create schema if not exists {schema}")
        for model in self.ordered:
            model.build(warehouse, params or {})
