"""The tables that intake writes: `intake.*`, `raw.*`, and the sealed state it reads. Makes them; fills none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from assets.contracts.contract import Contract, Contracts
from assets.contracts.raw_tables import SQL_TYPES, names_rows, raw_columns
from assets.errors import BadInput, CheckFailed
from assets.ingest import emptied, former_addresses, readings, registers
from assets.ledger import told
from assets.warehouse import DISTINCT_TEXTS, Warehouse, identifier

_TABLES = {
    "intake.deliveries": "sequence bigint, source varchar, delivery_id varchar, mode varchar, extracted_at timestamp, "
    "digest varchar, status varchar, reason varchar",
    "intake.files": "source varchar, delivery_id varchar, table_name varchar, file_name varchar, sha256 varchar, "
    "rows_in bigint, rows_loaded bigint, rows_quarantined bigint, rows_out_of_scope bigint, status varchar, "
    "reason varchar",
    "intake.quarantined": "source varchar, delivery_id varchar, table_name varchar, file_name varchar, line bigint, "
    "rule varchar, column_name varchar, row_text varchar, record_key varchar, refers_to map(varchar, varchar)",
    "intake.blocks": "source varchar, table_name varchar, reason varchar, detail varchar",
    "intake.emptied": emptied.COLUMNS,
    "intake.departed": "source varchar, table_name varchar, delivery_id varchar, gone bigint, ordered bigint",
    "intake.barred": "source varchar, detail varchar",
    "intake.readings": readings.COLUMNS,
    "intake.acceptances": "source varchar, table_name varchar, delivery_id varchar, by_whom varchar, reason varchar, "
    "accepted_at timestamp, digest varchar",
    "intake.keyed_with": "fingerprint uuid",
}

#: What the pseudonym key makes of a text that is nobody's: another key makes another.
_FINGERPRINT = "pseudonym('gallring: the pseudonym key of this warehouse')"


class HasContracts(Protocol):
    """A policy, as far as intake looks at it."""

    @property
    def contracts(self) -> Contracts:
        """The contracts of what arrives."""
        ...


def prepare(warehouse: Warehouse, policy: HasContracts | None) -> None:
    """Make the tables of intake that are not there yet, and the columns that a contract has gained.

    Without a policy (it cannot be used just now) the raw tables stay as they are.
    """
    with warehouse.transaction():
        for schema in ("intake", "raw", "manifest"):
            warehouse.run(f"create schema if not exists {schema}")
        for table, columns in _TABLES.items():
            warehouse.run(f"create table if not exists {table} ({columns})")
        warehouse.run(
            f"insert into intake.keyed_with select {_FINGERPRINT} where not exists (select 1 from intake.keyed_with)"
        )
        registers.prepare(warehouse)
        warehouse.run("alter table intake.quarantined add column if not exists record_key varchar")
        warehouse.run("alter table intake.quarantined add column if not exists refers_to map(varchar, varchar)")
        warehouse.run("alter table intake.barred add column if not exists detail varchar")
        warehouse.run("alter table intake.acceptances add column if not exists digest varchar")
        told.prepare(warehouse)
        former_addresses.prepare(warehouse)
        there = _existing_columns(warehouse)
        for contract in policy.contracts.values() if policy is not None else ():
            _prepare_raw(warehouse, contract, there.get(contract.raw_table, {}))


def require_intake(warehouse: Warehouse) -> None:
    """Refuse a warehouse into which nothing was ever taken: its tables are not there yet.

    Raises:
        CheckFailed: so it is.
    """
    if not warehouse.exists("intake", "deliveries"):
        raise CheckFailed("Nothing was taken in yet: run the job ingest_deliveries, or `gallring run`, first.")


def is_keyed_as_before(warehouse: Warehouse) -> bool:
    """Whether the keyed hashes in the warehouse were made with the pseudonym key that it has been opened with."""
    if not warehouse.exists("intake", "keyed_with"):
        return True
    return not warehouse.value(f"select count(*) from intake.keyed_with where fingerprint <> {_FINGERPRINT}")


def _prepare_raw(warehouse: Warehouse, contract: Contract, there: Mapping[str, str]) -> None:
    table = f"raw.{identifier(contract.raw_table)}"
    keys = names_rows(contract)
    wanted = {
        name: f"{identifier(name)} {DISTINCT_TEXTS if name in keys else sql_type}"
        for name, sql_type in raw_columns(contract).items()
    }
    if not there:
        warehouse.run(f"create table {table} ({', '.join(wanted.values())})")
        return
    for name in wanted.keys() - there.keys():
        warehouse.run(f"alter table {table} add column {wanted[name]}")
    for name, sql_type in raw_columns(contract).items():
        if (before := there.get(name, sql_type)) != sql_type:
            _convert(warehouse, contract, name, before, sql_type)


def _convert(warehouse: Warehouse, contract: Contract, name: str, before: str, sql_type: str) -> None:
    """Give a column the type that its contract declares now: where each of its values stays what it is, or not at all.

    Raises:
        BadInput: some would be lost, and with them what was decided by them.
    """
    table, column = f"raw.{identifier(contract.raw_table)}", identifier(name)
    back = before if sql_type != SQL_TYPES["decimal"] else "decimal(38, 12)"  # 12.5 is 12.5000
    lost = warehouse.value(
        f"select count(*) from {table} where {column} is not null "
        f"and try_cast(try_cast({column} as {sql_type}) as {back}) is distinct from try_cast({column} as {back})"
    )
    if lost:
        raise BadInput(
            f"contracts/{contract.raw_table}.yaml: {name} was taken in as another type, and {lost} of its values would "
            f"be lost as {sql_type}: give the new column another name, or declare the type that it had."
        )
    # Rows that are deleted, and still in the file, are converted too: what they held may be anything.
    warehouse.run(f"alter table {table} alter column {column} type {sql_type} using try_cast({column} as {sql_type})")


def _existing_columns(warehouse: Warehouse) -> dict[str, dict[str, str]]:
    """The columns of the raw tables, and their SQL types as `raw_columns` has them."""
    found: dict[str, dict[str, str]] = {}
    for table, column, sql_type in warehouse.rows(
        "select table_name, column_name, lower(data_type) from information_schema.columns "
        "where table_catalog = ? and table_schema = 'raw'",
        [warehouse.catalog],
    ):
        found.setdefault(table, {})[column] = sql_type.replace(",", ", ")
    return found
