"""One table of one delivery: its files staged, judged, quarantined, counted, and merged into the raw table.

Runs inside the caller's transaction. Opens no file (that is `reading`) and decides nothing about deliveries.

Two rows of one delivery with the same key: of identical ones one is loaded; of different ones that whose values come
first in sorted order. The others are quarantined, whatever their place, so neither row order nor file splits matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assets.ingest.contracts import Contract
from assets.ingest.deliveries import DeliveredFile, DeliveryRefused
from assets.ingest.merging import Staging, merge
from assets.ingest.projecting import OUT_OF_SCOPE, STAGED, Scan, literal, projection
from assets.ingest.tables import SQL_TYPES
from assets.warehouse import Warehouse, identifier

_TABLE = "staged_rows"
_DUPLICATE = ("duplicate_key",)
_MOST_NAMED = 5
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_QUARANTINED = "source, delivery_id, table_name, file_name, line, rule, column_name, row_text"


@dataclass(frozen=True)
class Input:
    """A file as the delivery states it, opened."""

    file: DeliveredFile
    scan: Scan


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file: rows_in = loaded + quarantined + out_of_scope. Status `loaded`, `lookup`, `rejected`."""

    table: str
    file_name: str
    sha256: str
    rows_in: int = 0
    loaded: int = 0
    quarantined: int = 0
    out_of_scope: int = 0
    status: str = "loaded"
    reason: str | None = None


def load_table(
    warehouse: Warehouse, contract: Contract, inputs: Sequence[Input], *, source_delivery: str, full: bool
) -> list[FileOutcome]:
    """Load the files of one table of a delivery.

    Args:
        warehouse: in a transaction.
        contract: the table.
        inputs: its files.
        source_delivery: the delivery's id.
        full: whether the files hold every row of the table.

    Returns:
        The accounting of each file, in the order of `inputs`.

    Raises:
        DeliveryRefused: a file holds another number of rows than its delivery states.
    """
    columns = {column.name: SQL_TYPES[column.type] for column in contract.columns} | STAGED
    shape = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
    warehouse.run(f"create or replace temp table {_TABLE} ({shape})")
    rules: tuple[tuple[str, str], ...] = ()
    for number, each in enumerate(inputs, start=1):
        rules = _stage(warehouse, contract, each, number, deletions=not full, numbered=False)
    rules = (*rules, (*_DUPLICATE, contract.key))
    flawed = _files_with_bad_rows(warehouse)
    for number in flawed:
        _number_lines(warehouse, contract, inputs[number - 1], number, deletions=not full)
    if flawed:
        _mark_duplicates(warehouse, contract, code=len(rules))
    outcomes = [
        _account(warehouse, contract, each, number, source_delivery, rules)
        for number, each in enumerate(inputs, start=1)
    ]
    unidentified = bool(warehouse.value(f"select count(*) from {_TABLE} where _failure > 0 and _key is null"))
    unread = any(_rejected_lines(warehouse, each.scan) for each in inputs)
    merge(warehouse, Staging(contract, _TABLE, source_delivery, full=full, unidentified=unidentified or unread))
    warehouse.run(f"drop table {_TABLE}")
    for each in inputs:
        _forget_rejects(warehouse, each.scan)
    return outcomes


# -- staging -----------------------------------------------------------------------------------------------------------


def _stage(
    warehouse: Warehouse, contract: Contract, each: Input, number: int, *, deletions: bool, numbered: bool
) -> tuple[tuple[str, str], ...]:
    """Bring one file's rows in and return the rules they were judged by."""
    made = projection(contract, each.scan, file_number=number, deletions=deletions, numbered=numbered)
    warehouse.run(f"insert into {_TABLE} {made.select}", each.scan.params)
    return made.rules


def _files_with_bad_rows(warehouse: Warehouse) -> list[int]:
    found = warehouse.rows(
        f"select distinct _file from {_TABLE} where _failure > 0 or (_failure = 0 and _key in ("
        f"select _key from {_TABLE} where _failure = 0 group by _key having count(*) > 1)) order by _file"
    )
    return [number for (number,) in found]


def _number_lines(warehouse: Warehouse, contract: Contract, each: Input, number: int, *, deletions: bool) -> None:
    """Read a file once more in its own order, to tell where its bad rows stand. Files without any are spared that."""
    warehouse.run(f"delete from {_TABLE} where _file = ?", [number])
    _forget_rejects(warehouse, each.scan)
    before = warehouse.value("select current_setting('preserve_insertion_order')")
    warehouse.run("set preserve_insertion_order = true")
    _stage(warehouse, contract, each, number, deletions=deletions, numbered=True)
    warehouse.run(f"set preserve_insertion_order = {str(before).lower()}")


def _mark_duplicates(warehouse: Warehouse, contract: Contract, *, code: int) -> None:
    values = ", ".join(identifier(column.name) for column in contract.columns)
    warehouse.run(
        f"update {_TABLE} set _failure = ? where rowid in (select place from ("
        f"select rowid as place, "
        f"row_number() over (partition by _key order by _deleted, {values}, _file, _line) as nth "
        f"from {_TABLE} where _failure = 0 and _key in ("
        f"select _key from {_TABLE} where _failure = 0 group by _key having count(*) > 1)) where nth > 1)",
        [code],
    )


# -- accounting --------------------------------------------------------------------------------------------------------


def _account(
    warehouse: Warehouse, contract: Contract, each: Input, number: int, delivery_id: str,
    rules: tuple[tuple[str, str], ...],
) -> FileOutcome:  # fmt: skip
    staged, bad, outside = warehouse.rows(
        f"select count(*), count(*) filter (where _failure > 0), count(*) filter (where _failure = {OUT_OF_SCOPE}) "
        f"from {_TABLE} where _file = ?",
        [number],
    )[0]
    unread = _rejected_lines(warehouse, each.scan)
    rows_in = staged + len(unread)
    if rows_in != each.file.rows:
        raise DeliveryRefused(
            f"{each.file.name} holds {rows_in} rows where delivery.json states {each.file.rows}: "
            "it is cut off, or a quote is not closed"
        )
    if bad:
        _quarantine_rows(warehouse, contract, each, number, delivery_id, rules, unread)
    if unread:
        _quarantine_lines(warehouse, contract, each, delivery_id)
    return FileOutcome(
        table=contract.table, file_name=each.file.name, sha256=each.file.sha256, rows_in=rows_in,
        loaded=staged - bad - outside, quarantined=bad + len(unread), out_of_scope=outside, reason=_warning(each.scan),
    )  # fmt: skip


def _quarantine_rows(
    warehouse: Warehouse, contract: Contract, each: Input, number: int, delivery_id: str,
    rules: tuple[tuple[str, str], ...], unread: Sequence[int],
) -> None:  # fmt: skip
    """Keep the bad rows aside. A line is the row's place in the file, the heading and unreadable lines counted.

    The text of a record that a sealed manifest ordered erased, in part or whole, is not kept.
    """
    values = ", ".join(f"{literal(column.name)}: {identifier(column.name)}" for column in contract.columns)
    line = "_line + $heading + len(list_filter($unread, lambda each: each <= _line + $heading))"
    is_ordered = (
        "coalesce(_key in (select record_key from manifest.ordered_fields "
        f"where record_type = {literal(contract.record_type or '')}), false)"
    )
    warehouse.run(
        f"insert into intake.quarantined ({_QUARANTINED}, record_key) "
        f"select $source, $delivery_id, $table_name, $file_name, {line}, "
        f"list_extract($rules, _failure), list_extract($columns, _failure), "
        f"case when not {is_ordered} then coalesce(_row, cast(to_json({{{values}}}) as varchar)) end, _key "
        f"from {_TABLE} where _failure > 0 and _file = $number",
        {
            "source": contract.source, "delivery_id": delivery_id, "table_name": contract.table,
            "file_name": each.file.name, "heading": each.scan.heading, "number": number,
            "unread": [line - place for place, line in enumerate(sorted(unread))] or [1 << 62],
            "rules": [rule for rule, _ in rules], "columns": [column or None for _, column in rules],
        },
    )  # fmt: skip


def _quarantine_lines(warehouse: Warehouse, contract: Contract, each: Input, delivery_id: str) -> None:
    warehouse.run(
        f"insert into intake.quarantined ({_QUARANTINED}) "
        "select $source, $delivery_id, $table_name, $file_name, line, "
        "lower(replace(cast(min(error_type) as varchar), ' ', '_')), null, trim(min(csv_line), chr(10) || chr(13)) "
        f"from {each.scan.rejects} group by line",
        {"source": contract.source, "delivery_id": delivery_id, "table_name": contract.table,
         "file_name": each.file.name},
    )  # fmt: skip


def _rejected_lines(warehouse: Warehouse, scan: Scan) -> list[int]:
    """The lines that the reader could not make rows of."""
    if scan.rejects is None:
        return []
    return [line for (line,) in warehouse.rows(f"select distinct line from {scan.rejects} order by line")]


def _forget_rejects(warehouse: Warehouse, scan: Scan) -> None:
    if scan.rejects is not None:
        warehouse.run(f"drop table if exists {scan.rejects}")
        warehouse.run(f"drop table if exists {scan.rejects}_scan")


def _warning(scan: Scan) -> str | None:
    if not scan.unknown:
        return None
    # A header may hold anything, a row of data too: what does not look like a column's name is counted, not named.
    plain = [name for name in scan.unknown if _PLAIN_NAME.fullmatch(name)][:_MOST_NAMED]
    more = f" {'and ' if plain else ''}{len(scan.unknown) - len(plain)} more" if len(scan.unknown) > len(plain) else ""
    return f"columns that no contract reads, not stored: {', '.join(plain)}{more}"
