"""One table of one delivery: its files staged, judged, quarantined, counted, and merged into the raw table.

Runs inside the caller's transaction. Opens no file (that is `reading`) and decides nothing about deliveries.

What a transaction wrote, and rows that are numbered, are read by one thread: a second one finds nothing to do but ask
for work, which costs as much as the work. So threads share out the files alone, where all rows of them are staged.

Two rows of one delivery with the same key: the last one is loaded, where the contract says by what that is told, and
the earlier ones are out of scope. Else of identical ones one is loaded; of different ones, in a full delivery, that
whose values come first in sorted order, and in a delta none, since nobody knows which change came last. The others are
quarantined, whatever their place, so neither row order nor file splits matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assets.contracts.contract import SUCCESSOR, Contract
from assets.contracts.raw_tables import RAW_LINKS, SQL_TYPES, names_rows
from assets.ingest import emptied
from assets.ingest.deliveries import DeliveredFile, DeliveryRefused
from assets.ingest.merging import IS_AGAIN, Known, Staging, known_state, merge, rank
from assets.ingest.projecting import LAST, OUT_OF_SCOPE, Scan, expressions, projection, staged_beside
from assets.ingest.recognising import is_contradicted, recognise
from assets.warehouse import DISTINCT_TEXTS, ValueRefused, Warehouse, WarehouseError, identifier, literal

_TABLE = "staged_rows"
#: Rows from which on a table is staged in the warehouse's file, packed, where a later step writes over it. A temporary
#: table is not packed, and until the delivery's transaction ends gives nothing back of what it took of the disk.
_LARGE = 8_000_000
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
    known = known_state(warehouse, contract)
    if not known.rows and all(each.scan.rowless for each in inputs):
        return [_account(warehouse, contract, each, _Counts(), source_delivery, (), ()) for each in inputs]
    ranked = full and not known.rows
    read = _bring_in(warehouse, contract, inputs, known, full=full)
    if any(each.scan.is_shared_out for each in inputs) and not read.holds_what_is_stated(inputs):
        for each in inputs:
            _forget_rejects(warehouse, each.scan)
        inputs = [replace(each, scan=each.scan.in_one_piece()) for each in inputs]
        read = _bring_in(warehouse, contract, inputs, known, full=full)
    outcomes = [
        _account(warehouse, contract, each, read.counts.get(number, _Counts()), source_delivery, read.rules, lines)
        for number, (each, lines) in enumerate(zip(inputs, read.unread, strict=True), start=1)
    ]
    staging = Staging(
        contract, _TABLE, source_delivery, known, full=full,
        unidentified=any(read.unread) or any(each.unidentified for each in read.counts.values()),
        recognised=read.is_recognised, empty=not any(each.fit for each in read.counts.values()), ranked=ranked,
    )  # fmt: skip
    with warehouse.one_thread():
        emptied.note(warehouse, staging, [each.scan.layout for each in inputs])
        merge(warehouse, staging)
    for each in inputs:
        _forget_rejects(warehouse, each.scan)
    return outcomes


def failing_expression(warehouse: Warehouse, contract: Contract, inputs: Sequence[Input]) -> str | None:
    """Which expression of a contract fails on a value, in which file and row, without the value; None: none does.

    Of one that looks into other files no row is told. Not inside a transaction, which would end with what fails.
    """
    for each in (replace(each, scan=each.scan.in_one_piece()) for each in inputs):
        for name, first_row, whole in expressions(contract, each.scan):
            found = f"{name} in the contract of {contract.name} fails on a value in {each.file.name}"
            try:
                line = _failing_line(warehouse, each.scan, first_row)
            except WarehouseError:
                if _stumbles(warehouse, whole, each.scan):
                    return found
            else:
                if line is not None:
                    return f"{found}, row {line}"
    return None


def _failing_line(warehouse: Warehouse, scan: Scan, select: str) -> int | None:
    with warehouse.transaction():
        place = warehouse.value(select, scan.params)
        line = None if place is None else _line_of(warehouse, scan, int(place))
        _forget_rejects(warehouse, scan)
    return line


def _stumbles(warehouse: Warehouse, select: str, scan: Scan) -> bool:
    try:
        with warehouse.transaction():
            warehouse.value(select, scan.params)
            _forget_rejects(warehouse, scan)
    except ValueRefused:
        return True
    return False


def _line_of(warehouse: Warehouse, scan: Scan, place: int) -> int:
    """The line of the row at a place, the heading and lines that are no rows counted, as the quarantine tells it."""
    line = place + scan.heading
    for unread in _rejected_lines(warehouse, scan):
        line += unread <= line
    return line


# -- staging -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Read:
    """The files of a table, staged: the rules, what was counted of each file, and its lines that are no rows."""

    rules: tuple[tuple[str, str], ...]
    counts: dict[int, _Counts]
    unread: list[list[int]]
    is_recognised: bool

    def holds_what_is_stated(self, inputs: Sequence[Input]) -> bool:
        """Whether each file holds as many rows as its delivery states."""
        return all(
            self.counts.get(number, _Counts()).read + len(lines) == each.file.rows
            for number, (each, lines) in enumerate(zip(inputs, self.unread, strict=True), start=1)
        )


def _bring_in(warehouse: Warehouse, contract: Contract, inputs: Sequence[Input], known: Known, *, full: bool) -> _Read:
    """Stage and count what the files hold.

    Threads that share a file out may lose lines where one thread's part ends, if a quoted text goes over several lines
    and another line near it cannot be read (DuckDB 1.5.5). Who misses rows has the file read in one piece.
    """
    rules, recognised = _stage_all(warehouse, contract, inputs, known, full=full)
    with warehouse.one_thread():
        ranked = full and not known.rows
        counts = _counts(warehouse, contract, recognised or {}, code=len(rules), ranked=ranked, full=full)
    unread = [_rejected_lines(warehouse, each.scan) for each in inputs]
    return _Read(rules, counts, unread, recognised is not None)


def _stage_all(
    warehouse: Warehouse, contract: Contract, inputs: Sequence[Input], known: Known, *, full: bool
) -> tuple[tuple[tuple[str, str], ...], dict[int, int] | None]:
    """Bring the files' rows in: those alone that are not known as they are, where that can be told.

    Returns the rules, and how many rows of each file are known as they are; None where nobody asked.
    """
    scans = [each.scan for each in inputs]
    large = sum(each.file.rows for each in inputs) >= _LARGE
    if full and known.digests:
        with warehouse.one_thread():
            seen = recognise(warehouse, contract, scans, ordered=known.ordered)
            if not seen.contradicted:
                rules = _stage(warehouse, contract, seen.scans, known, deletions=False, large=False)
                if not seen.scans or not is_contradicted(warehouse, contract, _TABLE):
                    return rules, seen.recognised
        for scan in scans:
            _forget_rejects(warehouse, scan)
    return _stage(warehouse, contract, scans, known, deletions=not full, large=large), None


def _stage(
    warehouse: Warehouse, contract: Contract, scans: Sequence[Scan], known: Known, *, deletions: bool, large: bool
) -> tuple[tuple[str, str], ...]:
    """Bring the rows of scans in and return the rules they were judged by; the last one is set apart for duplicates.

    Staged rows stand in the order of their files, so that a bad row's place tells its line: DuckDB's default.
    """
    warehouse.run(f"drop table if exists {_TABLE}")
    warehouse.run(f"create {'table main.' if large else 'temp table '}{_TABLE} ({_shape(contract, large=large)})")
    stored = ", ".join(map(identifier, _stored(contract, large=large)))
    rules: tuple[tuple[str, str], ...] = ()
    for number, scan in enumerate(scans, start=1):
        made = projection(contract, scan, file_number=number, deletions=deletions, ordered=known.ordered)
        if not scan.rowless:
            warehouse.run(f"insert into {_TABLE} ({stored}) select {stored} from ({made.select}) as made", scan.params)
        rules = made.rules
    return (*rules, (*_DUPLICATE, contract.key))


def _stored(contract: Contract, *, large: bool) -> list[str]:
    """The columns of the staging table; where it is packed, a key that is a text is stored once."""
    names = [column.name for column in contract.columns] + list(staged_beside(contract))
    return [name for name in names if not (large and name == "_key" and contract.key_column.type == "text")]


def _shape(contract: Contract, *, large: bool) -> str:
    """The columns with their types; texts of which each is another are packed as such."""
    kinds = {column.name: SQL_TYPES[column.type] for column in contract.columns} | staged_beside(contract)
    stored = _stored(contract, large=large)
    for name in (names_rows(contract) | {"_key"}) if large else ():
        kinds[name] = DISTINCT_TEXTS
    if "_key" not in stored:
        kinds["_key"] = f"varchar generated always as ({identifier(contract.key)}) virtual"
    return ", ".join(f"{identifier(name)} {kind}" for name, kind in kinds.items())


_TWICE = (
    f"{_TABLE} where _failure = 0 and _key in ("
    f"select _key from {_TABLE} where _failure = 0 group by _key having count(*) > 1)"
)


def _leave_out_earlier(warehouse: Warehouse) -> None:
    """Of rows of one key those that came before the last are not wanted; not where one of them does not say when."""
    warehouse.run(
        f"update {_TABLE} set _failure = {OUT_OF_SCOPE} where rowid in (select place from ("
        f"select rowid as place, {LAST} < max({LAST}) over of_key and count({LAST}) over of_key = count(*) over of_key "
        f"as is_earlier from {_TWICE} window of_key as (partition by _key)) where is_earlier)"
    )


def _mark_duplicates(warehouse: Warehouse, contract: Contract, *, code: int, full: bool) -> None:
    """Set aside the rows of a key but one; in a delta all, unless they say the same (of rows that left: that alone)."""
    names = [identifier(column.name) for column in contract.columns]
    said = f"case when not _deleted then row({', '.join(names)}) end"
    differ = (
        f"min(_deleted) over of_key <> max(_deleted) over of_key "
        f"or min({said}) over of_key is distinct from max({said}) over of_key"
    )
    warehouse.run(
        f"update {_TABLE} set _failure = ? where rowid in (select place from ("
        f"select rowid as place, {'false' if full else differ} as differ, "
        f"row_number() over (partition by _key order by _deleted, {', '.join(names)}, _file, rowid) as nth "
        f"from {_TWICE} window of_key as (partition by _key)) where nth > 1 or differ)",
        [code],
    )


# -- accounting --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Counts:
    """The rows of one file: staged, broken, out of scope, broken without a key; where they begin; recognised."""

    staged: int = 0
    bad: int = 0
    outside: int = 0
    unidentified: int = 0
    first: int = 0
    recognised: int = 0

    @property
    def read(self) -> int:
        """The rows that the file holds, but for lines that are no rows."""
        return self.staged + self.recognised

    @property
    def fit(self) -> int:
        """The staged rows that no rule keeps out."""
        return self.staged - self.bad - self.outside


def _counts(
    warehouse: Warehouse, contract: Contract, recognised: Mapping[int, int], *, code: int, ranked: bool, full: bool
) -> dict[int, _Counts]:
    """What was staged of each file, after rows of a key that came twice have been marked with `code`.

    Where the rows are to be `ranked`, that is done too.
    """
    found, has_duplicates = _staged(warehouse, ranked=ranked)
    if has_duplicates:
        if contract.last_by is not None:
            _leave_out_earlier(warehouse)
        _mark_duplicates(warehouse, contract, code=code, full=full)
        found, _ = _staged(warehouse, ranked=ranked)
    for number, rows in recognised.items():
        found[number] = replace(found.get(number, _Counts()), recognised=rows)
    return found


def _staged(warehouse: Warehouse, *, ranked: bool) -> tuple[dict[int, _Counts], bool]:
    """What was staged of each file, and whether a key may have come twice: not while all keys' hashes differ."""
    if ranked:
        rank(warehouse, _TABLE)
    hashes = f"select count(_key) > count(distinct hash(_key)) from {_TABLE} where _failure = 0"
    found = warehouse.rows(
        f"select _file, count(*), count(*) filter (where _failure > 0), "
        f"count(*) filter (where _failure = {OUT_OF_SCOPE}), "
        f"count(*) filter (where _failure > 0 and _key is null), min(rowid), "
        f"({IS_AGAIN if ranked else hashes}) "
        f"from {_TABLE} group by _file"
    )
    return {number: _Counts(*each) for number, *each, _ in found}, any(twice for *_, twice in found)


def _account(
    warehouse: Warehouse, contract: Contract, each: Input, counts: _Counts, delivery_id: str,
    rules: tuple[tuple[str, str], ...], unread: Sequence[int],
) -> FileOutcome:  # fmt: skip
    rows_in = counts.read + len(unread)
    if rows_in != each.file.rows:
        raise DeliveryRefused(
            f"{each.file.name} holds {rows_in} rows where delivery.json states {each.file.rows}: "
            "it is cut off, or a quote is not closed"
        )
    if counts.bad:
        _quarantine_rows(warehouse, contract, each, counts, delivery_id, rules, unread)
    if unread:
        _quarantine_lines(warehouse, contract, each, delivery_id)
    return FileOutcome(
        table=contract.table, file_name=each.file.name, sha256=each.file.sha256, rows_in=rows_in,
        loaded=counts.read - counts.bad - counts.outside,
        quarantined=counts.bad + len(unread), out_of_scope=counts.outside, reason=_warning(each.scan),
    )  # fmt: skip


def _quarantine_rows(
    warehouse: Warehouse, contract: Contract, each: Input, counts: _Counts, delivery_id: str,
    rules: tuple[tuple[str, str], ...], unread: Sequence[int],
) -> None:  # fmt: skip
    """Keep the bad rows aside. A line is the row's place in the file, the heading and unreadable lines counted.

    The text of a record that a sealed manifest ordered erased, in part or whole, is not kept; what the row names is.
    """
    values = ", ".join(f"{literal(column.name)}: {identifier(column.name)}" for column in contract.columns)
    is_ordered = (
        "coalesce(_key in (select record_key from manifest.ordered_fields "
        f"where record_type = {literal(contract.record_type or '')}), false)"
    )
    warehouse.run(
        f"insert into intake.quarantined ({_QUARANTINED}, record_key, refers_to) "
        f"select $source, $delivery_id, $table_name, $file_name, "
        f"_at + len(list_filter($unread, lambda each: each <= _at)), "
        f"list_extract($rules, _failure), list_extract($columns, _failure), "
        f"case when not {is_ordered} then coalesce(_row, cast(to_json({{{values}}}) as varchar)) end, _key, "
        f"{_refers_to(contract)} "
        f"from (select *, coalesce(_line, rowid - $first + 1) + $heading as _at "
        f"from {_TABLE} where _failure > 0 and rowid between $first and $last)",
        {
            "source": contract.source, "delivery_id": delivery_id, "table_name": contract.table,
            "file_name": each.file.name, "heading": each.scan.heading,
            "first": counts.first, "last": counts.first + counts.staged - 1,
            "unread": [line - place for place, line in enumerate(sorted(unread))] or [1 << 62],
            "rules": [rule for rule, _ in rules], "columns": [column or None for _, column in rules],
        },
    )  # fmt: skip


def _refers_to(contract: Contract) -> str:
    """What a row names besides its own key, by column: other records' keys, the hash of an address; null if nothing.

    Whatever the row breaks, these may be read; the records that it may bear on are found by them.
    """
    names = {column.name for column in contract.columns if column.name in (*RAW_LINKS, SUCCESSOR)} - {contract.key}
    parts = {name: f"cast({identifier(name)} as varchar)" for name in sorted(names)}
    if any(column.name == "email" and column.pseudonymised for column in contract.columns):
        parts["email_key"] = "cast(pseudonym(normalised_email(email)) as varchar)"
    if contract.record_type is None or not parts:
        return "cast(null as map(varchar, varchar))"
    entries = ", ".join(f"{{'k': {literal(name)}, 'v': {text}}}" for name, text in parts.items())
    there = f"list_filter([{entries}], lambda each: each.v is not null)"
    return f"case when len({there}) > 0 then map_from_entries({there}) end"


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
    if scan.rejects is None or scan.rowless:
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
