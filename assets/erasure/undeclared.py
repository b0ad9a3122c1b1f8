"""What no contract declares any more: columns of a company's own that stand in raw tables when they have left it.

What has no purpose is not kept: such a column leaves its table, with its keyed hash and what was remembered of it. Its
rows are looked at anew when they are delivered again, so that a contract that is put back gets its values by the next
full delivery. A column that a purpose of the policy still reads stays, with all of that: without its values a purpose
could let go of what it keeps, and what is remembered of erased records never comes again (rules.md, *Dates* 6). The
columns of the canonical model always stand in a contract, also in that of a table which a company delivers no more.
Decides nothing about records, and writes no file: `assets.erasure.erasing` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assets.contracts.contract import SUCCESSOR, Contract
from assets.contracts.raw_tables import raw_columns
from assets.ingest.tables import HasContracts
from assets.models import Model
from assets.warehouse import RewriteFailed, Warehouse, identifier


class HasPurposes(HasContracts, Protocol):
    """A policy, as far as it says what is declared and what is read."""

    @property
    def purpose_models(self) -> tuple[Model, ...]:
        """The SQL of each purpose."""
        ...


@dataclass(frozen=True)
class Undeclared:
    """What left the tables: values that stood in columns which no contract declares, and the rows that held them."""

    fields: int = 0
    records: int = 0


def drop_undeclared(warehouse: Warehouse, policy: HasPurposes) -> Undeclared:
    """Take from every raw table the columns that nothing declares or reads, and prove that nothing else went.

    Runs inside the caller's transaction.

    Raises:
        RewriteFailed: a table did not hold what was to stay. The caller's transaction is to be taken back.
    """
    fields = records = 0
    stored = _stored_columns(warehouse)
    for contract in policy.contracts.values():
        if names := _undeclared(stored.get(contract.raw_table, []), contract, policy):
            held, rows = _held(warehouse, contract, names)
            fields, records = fields + held, records + rows
            _drop(warehouse, contract, names)
    return Undeclared(fields, records)


def _stored_columns(warehouse: Warehouse) -> dict[str, list[str]]:
    """The columns of every raw table, in their order: the catalog is asked once."""
    found: dict[str, list[str]] = {}
    for table, column in warehouse.rows(
        "select table_name, column_name from duckdb_columns() where database_name = ? and schema_name = 'raw' "
        "order by table_name, column_index",
        [warehouse.catalog],
    ):
        found.setdefault(table, []).append(column)
    return found


def _undeclared(stored: Sequence[str], contract: Contract, policy: HasPurposes) -> list[str]:
    """Of the columns of a raw table those that its contract does not declare and no purpose reads.

    Not the key of the record that another one was merged into: it says where what was ordered is to be looked for.
    """
    declared = raw_columns(contract)
    names = [name for name in stored if name not in declared and name != SUCCESSOR]
    return [name for name in names if not _is_read(contract, _own_name(name), policy)]


def _own_name(name: str) -> str:
    """The column that a keyed hash or a remembered value belongs to: what is read of one keeps them all."""
    return name.removeprefix("known_").removesuffix("_key")


def _is_read(contract: Contract, name: str, policy: HasPurposes) -> bool:
    """Whether a purpose reads the table and may read the column; to take one for read keeps it."""
    named = re.compile(rf"\b(?:known_)?{re.escape(name)}(?:_key)?\b|\*")
    table = f"raw.{contract.raw_table}"
    return any(table in model.references and named.search(model.statement) for model in policy.purpose_models)


def _held(warehouse: Warehouse, contract: Contract, names: Sequence[str]) -> tuple[int, int]:
    """How many values stand in columns, and in how many rows."""
    is_held = [f"cast({identifier(name)} is not null as bigint)" for name in names]
    values, rows = warehouse.rows(
        f"select coalesce(sum(held), 0), count(*) filter (where held > 0) "
        f"from (select {' + '.join(is_held)} as held from raw.{identifier(contract.raw_table)})"
    )[0]
    return int(values), int(rows)


def _drop(warehouse: Warehouse, contract: Contract, names: Sequence[str]) -> None:
    """Drop columns of a raw table, and forget the digests of its rows, which were made of those values too.

    By a digest that stayed, a row that is delivered unchanged would be taken for one that is known, were the contract
    put back meanwhile, and its values be missed. A column that is dropped and added costs nothing a row.
    """
    table = f"raw.{identifier(contract.raw_table)}"
    stays = [name for name in warehouse.columns("raw", contract.raw_table) if name not in {*names, "row_digest"}]
    told = f"select count(*), coalesce(sum(hash({', '.join(map(identifier, stays))})), 0) from {table}"
    before = warehouse.rows(told)
    for name in (*names, "row_digest"):
        warehouse.run(f"alter table {table} drop column if exists {identifier(name)}")
    warehouse.run(f"alter table {table} add column row_digest ubigint")
    if warehouse.rows(told) != before or {*names} & {*_stored_columns(warehouse)[contract.raw_table]}:
        raise RewriteFailed(
            f"Table {table} would not hold what was to stay: nothing was changed. Look for a failing disk; "
            "`gallring restore` brings back the last backup."
        )
