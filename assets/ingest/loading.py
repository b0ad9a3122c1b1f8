"""Taking in what arrived: one delivery, one transaction, every row loaded, quarantined or out of scope.

Orders the steps (find, prove, read, judge, merge, record); the SQL of each stands beside it. A kill at any point leaves
a delivery whole or not at all, and the same inbox gives the same tables however often it is taken in.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from assets.contracts.contract import DELETED, Contract, Contracts
from assets.errors import BadInput
from assets.ingest import former_addresses, readings
from assets.ingest.blocking import refresh_blocks
from assets.ingest.deliveries import (
    DeliveredFile,
    Delivery,
    DeliveryRefused,
    barred_sources,
    changed_file,
    find_deliveries,
    prove_files,
)
from assets.ingest.limits import NO_MORE_THAN, Limits
from assets.ingest.lookups import shortage
from assets.ingest.projecting import ODD_BYTES
from assets.ingest.reading import JSON_LINE, FileRefused, Reading, json_scan
from assets.ingest.registers import merge as merge_registers
from assets.ingest.staging import FileOutcome, Input, failing_expression, load_table
from assets.ingest.tables import HasContracts, prepare
from assets.site import Site
from assets.warehouse import MachineLacks, ValueRefused, Warehouse, WarehouseError
from assets.writing import write_whole

#: Rows from which on a table is shared out among threads: some row groups for each. Below, one waits for the other, and
#: waiting costs as much as working.
_WORTH_SHARING = 500_000
#: By how much the clock of a source may be ahead: its hours may be another time zone's.
_CLOCKS_DIFFER = timedelta(days=1)
AHEAD = (
    "extracted_at in delivery.json is a day that had not come when the delivery was first looked at: state when the "
    "files were written, and look at the clocks of the source and of this machine"
)


@dataclass(frozen=True)
class DeliveryOutcome:
    """What became of one delivery: status `loaded` or `rejected`, with the reason."""

    source: str
    delivery_id: str
    status: str
    reason: str | None = None
    files: tuple[FileOutcome, ...] = ()


@dataclass(frozen=True)
class IngestReport:
    """What one ingest did. Deliveries that had been loaded before are not in it."""

    deliveries: tuple[DeliveryOutcome, ...] = field(default=())

    @property
    def loaded(self) -> tuple[DeliveryOutcome, ...]:
        """The deliveries that were loaded now."""
        return tuple(each for each in self.deliveries if each.status == "loaded")

    @property
    def rejected(self) -> tuple[DeliveryOutcome, ...]:
        """The deliveries that were rejected now, or still are."""
        return tuple(each for each in self.deliveries if each.status == "rejected")

    @property
    def rows_quarantined(self) -> int:
        """Rows that a rule kept out, of all files loaded now."""
        return sum(file.quarantined for each in self.deliveries for file in each.files)


def ingest(
    warehouse: Warehouse, policy: HasContracts, site: Site, *, as_of: date, limits: Limits = NO_MORE_THAN,
    now: datetime | None = None,
) -> IngestReport:  # fmt: skip
    """Take in every complete delivery of the inbox that is not in yet, oldest extract first.

    Args:
        warehouse: where `intake.*` and `raw.*` are.
        policy: whose contracts apply.
        site: whose inbox is looked into.
        as_of: the day on which missing and stale tables are judged.
        limits: how large files may be.
        now: when this happens, with its time zone; an extract that is ahead of it, and of the day, is refused. None:
            only the caller's day is known, and every extract counts as one of the past.

    Returns:
        What was loaded and what was rejected. Bad deliveries do not raise: they are recorded, quarantined and block.
    """
    prepare(warehouse, policy)
    with warehouse.transaction():
        readings.note_undeclared(warehouse, policy.contracts)
    _note_barred(warehouse, site)
    outcomes = []
    found = find_deliveries(site)
    ahead = set() if now is None else _ahead(warehouse, found, max(now + _CLOCKS_DIFFER, _end_of(as_of)))
    for delivery in found:
        threads = warehouse.one_thread() if _largest_table(delivery) < _WORTH_SHARING else nullcontext()
        with threads, _named(delivery):
            outcome = _take_in(warehouse, policy.contracts, site, delivery, limits, delivery.folder in ahead)
        outcomes += [outcome] if outcome else []
    refresh_blocks(warehouse, policy, as_of)
    return IngestReport(tuple(outcomes))


def _note_barred(warehouse: Warehouse, site: Site) -> None:
    """Keep which sources could not be looked at, in the place of those that could not be before."""
    barred = barred_sources(site)
    with warehouse.transaction():
        warehouse.run("delete from intake.barred")
        warehouse.insert("intake.barred", ("source", "detail"), barred)


# -- one delivery ------------------------------------------------------------------------------------------------------


@contextmanager
def _named(delivery: Delivery) -> Iterator[None]:
    """What the machine could not do is told with the delivery that it was about."""
    try:
        yield
    except MachineLacks as error:
        raise type(error)(f"{delivery.source}/{delivery.delivery_id}: {error.message}") from None


def _take_in(
    warehouse: Warehouse, contracts: Contracts, site: Site, delivery: Delivery, limits: Limits,
    is_ahead: bool,
) -> DeliveryOutcome | None:  # fmt: skip
    if _is_loaded(warehouse, delivery):
        return None
    stood: Mapping[str, tuple[int, ...]] = {}
    try:
        if is_ahead:  # before anything else that may be wrong: the day that it states is no day to go by
            return _reject(warehouse, site, replace(delivery, extracted_at=None), AHEAD)
        if len(delivery.files) > limits.files:
            raise DeliveryRefused("it lists more files than files_in_a_delivery under [limits] in gallring.toml allows")
        _check_description(warehouse, contracts, delivery)
        stood = prove_files(delivery)
        with warehouse.transaction(), Reading(warehouse, _temporary(site), limits) as reading:
            files = _load(warehouse, contracts, reading, delivery)
            if changed := changed_file(delivery, stood):
                raise DeliveryRefused(changed)
            if delivery.source == "office":
                merge_registers(warehouse)  # what the site keeps itself goes before an export
            _record(warehouse, delivery, "loaded", None, files)
            read = {file.table for file in files if file.status == "loaded"}
            full = delivery.mode == "full"
            readings.note(warehouse, contracts, delivery.source, delivery.delivery_id, read, full=full)
    except (DeliveryRefused, FileRefused) as refusal:
        return _reject(warehouse, site, delivery, _told_of(refusal, warehouse, site, delivery, limits))
    except (MachineLacks, OSError):
        if changed := changed_file(delivery, stood):
            return _reject(warehouse, site, delivery, changed)
        raise  # it says nothing about the delivery, which is taken in when there is room
    except WarehouseError as error:
        return _reject(warehouse, site, delivery, f"reading it failed: {error}")
    return DeliveryOutcome(delivery.source, delivery.delivery_id, "loaded", None, tuple(files))


def _largest_table(delivery: Delivery) -> int:
    """The rows of a delivery's largest table, as its description states them."""
    rows = Counter[str]()
    for file in delivery.files:
        rows[file.table] += file.rows
    return max(rows.values(), default=0)


def _temporary(site: Site) -> Path:
    site.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    return site.temporary


def _is_loaded(warehouse: Warehouse, delivery: Delivery) -> bool:
    return bool(
        warehouse.value(
            "select count(*) from intake.deliveries where source = ? and digest = ? and status = 'loaded'",
            [delivery.source, delivery.digest],
        )
    )


def _check_description(warehouse: Warehouse, contracts: Contracts, delivery: Delivery) -> None:
    """Whether the delivery can be one of this company's at all, and is not behind what is known already."""
    if delivery.refused:
        raise DeliveryRefused(delivery.refused)
    known = contracts.of_source(delivery.source)
    if not known:
        meant = [name for name in contracts.sources if name.casefold() == delivery.source.strip().casefold()]
        raise DeliveryRefused(f"no contract names this source{f': is {meant[0]} meant?' if meant else ''}")
    tables = {contract.table for contract in known}
    lookups = {lookup.name for contract in known for lookup in contract.all_lookups}
    for file in delivery.files:
        if file.table not in tables | lookups:
            raise DeliveryRefused(f"{file.name} is said to be {file.table}, for which the source has no contract")
    if warehouse.value(
        "select count(*) from intake.deliveries where source = ? and delivery_id = ? and status = 'loaded'",
        [delivery.source, delivery.delivery_id],
    ):
        raise DeliveryRefused("a delivery of this id was loaded with other content; give the new one an id of its own")
    _check_order(warehouse, delivery)


def _ahead(warehouse: Warehouse, deliveries: Sequence[Delivery], latest: datetime) -> set[Path]:
    """The deliveries that state a day that has not come, or did when first seen, and others were loaded since.

    Taken in, such a one would keep out every true one until that day, and prove what no export has shown. When its day
    comes, what it holds is old. Asked before any is taken in: what a clock set back has refused comes in together.
    """
    passed = set(warehouse.rows(
        "select distinct refused.source, refused.digest from intake.deliveries as refused "
        "inner join intake.files as brought on brought.source = refused.source "
        "and brought.delivery_id = refused.delivery_id and brought.status = 'rejected' "
        "inner join intake.files as files on files.source = brought.source and files.table_name = brought.table_name "
        "and files.status = 'loaded' inner join intake.deliveries as later on later.source = files.source "
        "and later.delivery_id = files.delivery_id and later.status = 'loaded' and later.sequence > refused.sequence "
        "where refused.status = 'rejected' and refused.reason = $reason",
        {"reason": AHEAD},
    ))  # fmt: skip
    return {
        each.folder for each in deliveries
        if each.extracted_at is not None and (each.extracted_at > latest or (each.source, each.digest) in passed)
    }  # fmt: skip


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, UTC)


def _check_order(warehouse: Warehouse, delivery: Delivery) -> None:
    """An extract that is older than one already loaded would bring the past back."""
    tables = sorted({file.table for file in delivery.files})
    later = warehouse.value(
        "select max(deliveries.delivery_id) from intake.deliveries as deliveries inner join intake.files as files "
        "on files.source = deliveries.source and files.delivery_id = deliveries.delivery_id "
        "where deliveries.source = $source and deliveries.status = 'loaded' and files.status = 'loaded' "
        "and list_contains($tables, files.table_name) and (deliveries.extracted_at > $extracted_at "
        "or (deliveries.extracted_at = $extracted_at and deliveries.delivery_id > $delivery_id))",
        {"source": delivery.source, "tables": tables, "extracted_at": _naive(delivery.extracted_at),
         "delivery_id": delivery.delivery_id},
    )  # fmt: skip
    if later is not None:
        raise DeliveryRefused(f"superseded: {later} was extracted later and is loaded already")


def _load(warehouse: Warehouse, contracts: Contracts, reading: Reading, delivery: Delivery) -> list[FileOutcome]:
    by_table: dict[str, list[DeliveredFile]] = {}
    for file in delivery.files:
        by_table.setdefault(file.table, []).append(file)
    full = delivery.mode == "full"
    outcomes = []
    lookups: dict[tuple[str, str], FileOutcome] = {}
    short: dict[str, str] = {}
    for contract in contracts.of_source(delivery.source):
        if contract.table not in by_table:
            continue
        if full:
            _check_layouts(contract, by_table[contract.table])
        for outcome in _load_lookups(reading, contract, delivery, by_table):
            lookups[outcome.table, outcome.file_name] = outcome
            if why := shortage(warehouse, contract, delivery, outcome.table, outcome.rows_in):
                short.setdefault(outcome.table, why)
        if short:
            continue  # one refusal tells of them all
        inputs = [_open(reading, contract, delivery, file) for file in by_table[contract.table]]
        with _blaming_expressions(contract):
            outcomes += load_table(warehouse, contract, inputs, source_delivery=delivery.delivery_id, full=full)
    if short:
        raise DeliveryRefused("; ".join(short.values()))
    loaded = {outcome.table for outcome in outcomes}
    return [*outcomes, *(outcome for outcome in lookups.values() if outcome.table not in loaded)]


def _load_lookups(
    reading: Reading, contract: Contract, delivery: Delivery, by_table: Mapping[str, Sequence[DeliveredFile]]
) -> Iterator[FileOutcome]:
    named = {file.name: contract.layout_for(file.name) for file in by_table[contract.table]}
    wanted = {lookup.name: lookup for layout in named.values() if layout for lookup in layout.lookups}
    for lookup in wanted.values():
        files = by_table.get(lookup.name, [])
        if len(files) != 1:
            raise DeliveryRefused(f"{contract.table} needs exactly one file for the lookup {lookup.name}")
        file = files[0]
        with _naming(file.name):
            rows = reading.load_lookup(delivery.folder / file.name, lookup)
        outcome = FileOutcome(lookup.name, file.name, file.sha256, rows, loaded=rows, status="lookup")
        _check_total(outcome, file.rows)
        yield outcome


def _check_layouts(contract: Contract, files: Sequence[DeliveredFile]) -> None:
    """A full delivery without the files of one layout would take that system's records for gone."""
    missing = contract.layouts_missing([file.name for file in files])
    if missing:
        raise DeliveryRefused(
            f"{contract.table} comes in several layouts, and no file is one of {missing[0]}: "
            "a full delivery brings all of them"
        )


def _open(reading: Reading, contract: Contract, delivery: Delivery, file: DeliveredFile) -> Input:
    with _naming(file.name):
        layout = contract.layout_for(file.name)
        if layout is None:
            patterns = ", ".join(each.file_pattern for each in contract.layouts)
            raise FileRefused(f"its name has to match exactly one layout of {contract.table}: {patterns}")
        return Input(file, reading.scan(delivery.folder / file.name, layout, deletions=delivery.mode == "delta"))


@contextmanager
def _naming(file_name: str) -> Iterator[None]:
    """Put the file's name before the reason for which it is refused."""
    try:
        yield
    except FileRefused as refusal:
        raise FileRefused(f"{file_name}: {refusal}") from None


class _ExpressionFails(DeliveryRefused):
    """An expression in a contract fails on a value; the text says how, without the value."""

    def __init__(self, contract: Contract, refusal: ValueRefused) -> None:
        super().__init__(str(refusal))
        self.contract = contract


@contextmanager
def _blaming_expressions(contract: Contract) -> Iterator[None]:
    """Only what a contract's author wrote can stumble on a value: columns are tried, and set their row aside."""
    try:
        yield
    except ValueRefused as refusal:
        raise _ExpressionFails(contract, refusal) from None


def _told_of(refusal: Exception, warehouse: Warehouse, site: Site, delivery: Delivery, limits: Limits) -> str:
    """Why a delivery is refused: of an expression that fails which one, and where, now that its transaction is over."""
    if not isinstance(refusal, _ExpressionFails):
        return str(refusal)
    contract = refusal.contract
    found = f"an expression (transformLogic, rowFilter) in the contract of {contract.name} fails on a value"
    by_table: dict[str, list[DeliveredFile]] = {}
    for file in delivery.files:
        by_table.setdefault(file.table, []).append(file)
    with (
        suppress(DeliveryRefused, FileRefused, WarehouseError, OSError),
        Reading(warehouse, _temporary(site), limits) as reading,
        warehouse.one_thread(),
    ):
        list(_load_lookups(reading, contract, delivery, by_table))
        inputs = [_open(reading, contract, delivery, file) for file in by_table[contract.table]]
        found = failing_expression(warehouse, contract, inputs) or found
    return f"{found}: let it give nothing instead, by try_cast or try_strptime ({refusal})"


def _check_total(outcome: FileOutcome, stated: int) -> None:
    if outcome.rows_in != stated:
        raise DeliveryRefused(
            f"{outcome.file_name} holds {outcome.rows_in} rows where delivery.json states {stated}: "
            "it is cut off, or a quote is not closed"
        )


# -- recording ---------------------------------------------------------------------------------------------------------


def _record(
    warehouse: Warehouse, delivery: Delivery, status: str, reason: str | None, files: Sequence[FileOutcome]
) -> None:
    """One row a delivery and one a file; an earlier rejection of the same delivery makes way."""
    warehouse.run(
        "delete from intake.files where source = ? and delivery_id = ? and status = 'rejected'",
        [delivery.source, delivery.delivery_id],
    )
    warehouse.run(
        "delete from intake.deliveries where source = ? and delivery_id = ? and status = 'rejected'",
        [delivery.source, delivery.delivery_id],
    )
    warehouse.insert(
        "intake.deliveries",
        ("sequence", "source", "delivery_id", "mode", "extracted_at", "digest", "status", "reason"),
        [(_next_sequence(warehouse), delivery.source, delivery.delivery_id, delivery.mode,
          _naive(delivery.extracted_at), delivery.digest, status, reason)],
    )  # fmt: skip
    if status == "loaded":
        former_addresses.date(warehouse, delivery.delivery_id, _naive(delivery.extracted_at))
    warehouse.insert(
        "intake.files",
        ("source", "delivery_id", "table_name", "file_name", "sha256", "rows_in", "rows_loaded", "rows_quarantined",
         "rows_out_of_scope", "status", "reason"),
        [(delivery.source, delivery.delivery_id, file.table, file.file_name, file.sha256, file.rows_in, file.loaded,
          file.quarantined, file.out_of_scope, file.status, file.reason) for file in files],
    )  # fmt: skip


def _next_sequence(warehouse: Warehouse) -> int:
    return int(warehouse.value("select coalesce(max(sequence), 0) + 1 from intake.deliveries"))


def _reject(warehouse: Warehouse, site: Site, delivery: Delivery, reason: str) -> DeliveryOutcome:
    """Record why a delivery stays out. It is tried again next time, so that a repaired one needs no new id."""
    files = tuple(
        FileOutcome(file.table, file.name, file.sha256, status="rejected", reason=reason) for file in delivery.files
    )
    known = warehouse.rows(
        "select digest, reason from intake.deliveries where source = ? and delivery_id = ? and status = 'rejected'",
        [delivery.source, delivery.delivery_id],
    )
    if (delivery.digest, reason) not in known:
        _write_reason(site, delivery, reason)
        with warehouse.transaction():
            _record(warehouse, delivery, "rejected", reason, files)
    return DeliveryOutcome(delivery.source, delivery.delivery_id, "rejected", reason, files)


def _write_reason(site: Site, delivery: Delivery, reason: str) -> None:
    folder = site.quarantine / delivery.source / delivery.delivery_id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {
        "source": delivery.source,
        "delivery_id": delivery.delivery_id,
        "digest": delivery.digest,
        "reason": reason,
    }
    write_whole(folder / "reason.json", json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n")


def _naive(instant: datetime | None) -> datetime | None:
    """An instant in UTC as the tables keep it."""
    return None if instant is None else instant.replace(tzinfo=None)


# -- rows without files ------------------------------------------------------------------------------------------------


def load_rows(
    warehouse: Warehouse,
    policy: HasContracts,
    exports: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    mode: str = "full",
) -> IngestReport:
    """Load rows of text under the canonical column names, as a scenario states them, through the same judgements.

    Args:
        warehouse: where `raw.*` is; its tables are made as needed.
        policy: whose contracts apply; rows are read in the canonical notation whatever those files look like.
        exports: `source/table` to its rows; a column that is left out is null.
        mode: `full` when the rows are all of their table, `delta` when they are changes.

    Raises:
        BadInput: a table or a column is not known.
    """
    prepare(warehouse, policy)
    by_source: dict[str, list[tuple[Contract, Sequence[Mapping[str, Any]]]]] = {}
    for name, rows in exports.items():
        contract = _contract_named(policy.contracts, name)
        _check_columns(contract, rows, mode)
        by_source.setdefault(contract.source, []).append((contract, rows))
    with warehouse.transaction():
        return IngestReport(
            tuple(_load_source(warehouse, source, tables, mode) for source, tables in by_source.items())
        )


def _load_source(
    warehouse: Warehouse, source: str, tables: Sequence[tuple[Contract, Sequence[Mapping[str, Any]]]], mode: str
) -> DeliveryOutcome:
    delivery_id = f"rows-{_next_sequence(warehouse)}"
    outcomes: list[FileOutcome] = []
    for contract, rows in tables:
        text = json.dumps(rows, ensure_ascii=False, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        names = (*(column.name for column in contract.columns), DELETED)
        lines = f"(select unnest(cast($rows as json[])) as {JSON_LINE})"
        scan = json_scan(lines, {"rows": text}, names, names, oddly_blank=_may_be_oddly_blank(text))
        file = DeliveredFile(f"{contract.raw_table}.jsonl", contract.table, len(rows), digest)
        outcomes += load_table(
            warehouse, contract, [Input(file, scan)], source_delivery=delivery_id, full=mode == "full"
        )
    digest = hashlib.sha256("".join(outcome.sha256 for outcome in outcomes).encode()).hexdigest()
    delivery = Delivery(source, delivery_id, Path(), digest, mode)
    _record(warehouse, delivery, "loaded", None, outcomes)
    return DeliveryOutcome(source, delivery_id, "loaded", None, tuple(outcomes))


def _may_be_oddly_blank(text: str) -> bool:
    """Whether rows in JSON may hold other blanks than spaces: as they stand, or escaped."""
    return "\\" in text or any(byte in text.encode() for byte in ODD_BYTES)


def _contract_named(contracts: Contracts, name: str) -> Contract:
    source, _, table = name.partition("/")
    contract = contracts.get((source, table))
    if contract is None:
        known = ", ".join(each.name for each in contracts.values())
        raise BadInput(f"exports: there is no table {name}. Known are {known}.")
    return contract.in_canonical_form()


def _check_columns(contract: Contract, rows: Sequence[Mapping[str, Any]], mode: str) -> None:
    known = {column.name for column in contract.columns} | ({DELETED} if mode == "delta" else set())
    for number, row in enumerate(rows, start=1):
        unknown = sorted(str(name) for name in set(row) - known)
        if unknown:
            raise BadInput(f"exports: {contract.name}, row {number}: there is no column {unknown[0]}.")
