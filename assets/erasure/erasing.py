"""Erasure in the warehouse: what sealed manifests order erased leaves the file itself, and not only its tables.

Finds what must go and rewrites the file without it; only then, and at most once a call. The rewriting itself (copy,
proof, swap) is the warehouse's. A site may let the file wait some days: few rows then lose what must go in place
(`assets.erasure.taking_out`), and the file is rewritten at the latest on the last of those days. What stays is what
`docs/architecture.md` says: dates, statuses, capacities, amounts and keys that the rules read, keyed hashes and
`known_*`. What no contract declares any more goes too (`assets.erasure.undeclared`). Values of the same field that
arrive again are kept out by `assets.ingest.merging`. Decides nothing about records: `manifest.told` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from assets.contracts.contract import Contract, Contracts
from assets.core.changing import HasDigest
from assets.delivery import settling
from assets.erasure import departures, registers
from assets.erasure.periods import last_day
from assets.erasure.taking_out import Change, lingering, take_out
from assets.erasure.undeclared import HasPurposes, drop_undeclared
from assets.ingest.projecting import LARGEST_DIGEST, LOCAL_ZONE
from assets.ingest.recognising import mark_when_ordered
from assets.ledger import told
from assets.manifests import changes, gate
from assets.purpose_register import months_and_days
from assets.vocabulary import RECORD_TYPES, TOLD_STATES, enum_of
from assets.warehouse import RewriteFailed, Warehouse, identifier, literal
from expectations.parts import ALWAYS_THERE, Parts

_REWRITES = (
    "sequence bigint, as_of date, reason varchar, fields_erased bigint, records bigint, quarantined_erased bigint, "
    "deliveries_loaded bigint, bytes_until date"
)
#: What its owners make anew before anybody reads it: not worth copying and proving.
_REMADE = (*changes.WORKING_TABLES, *gate.WORKING_TABLES, *settling.WORKING_TABLES)
#: Rows of a raw table from which on what is due is looked for by all threads (`Warehouse.one_thread`).
_WORTH_SHARING = 1_000_000
#: The bytes of memory that are counted for each row of a raw table while rows are met with what is ordered of them.
_BYTES_EACH = 400
#: What can leave the tables and the file apart from one another.
_LEAVES_TABLES = frozenset({"ordered", "answered", "registers", "quarantine"})
#: How many rows are changed in place at any rate, and at most what share of all rows: a quarter of what a rewriting
#: costs. More would cost less than one still, but every night reads what lies dead, and one transaction holds it all.
_FEW_ROWS, _LARGEST_SHARE = 1_000, 0.02
#: The rows that changed in place, while they are looked at again.
_CHANGED = "rows_that_changed"
_LOCAL_DAY = f"cast(timezone('{LOCAL_ZONE}', timezone('UTC', deliveries.extracted_at)) as date)"


class HasRules(HasPurposes, HasDigest, Protocol):
    """A policy, as far as what must go follows from it."""


@dataclass(frozen=True)
class Erasure:
    """What one erasure did. `reasons` is empty when nothing had to go, and then nothing was written.

    Attributes:
        as_of: the day.
        reasons: `ordered` (by a sealed manifest), `answered` (an address of an answered request, the
            reason of a released hold), `registers` (names in the office's entries that were closed longer ago than
            they are kept), `quarantine` (past its last day, or of an ordered record), `residue` (corrected
            values that the file may still hold), `undeclared` (in columns that no contract declares any more),
            `departed` (keys and hashes of records that left their sources longer ago than they are remembered),
            `erased_bytes` (of values that left its tables before, by themselves).
        fields_erased: values that were erased.
        records: the records they belonged to; one that lost undeclared values too counts for both.
        quarantined_erased: quarantined rows that were erased, or lost their text.
        rows_kept: rows of the new file, every one proved equal.
        bytes_before: size of the old file.
        bytes_after: size of the new file, or of the same after rows were changed in it.
        rows_changed: rows that lost values in place, every one proved; the file was not written anew.
        bytes_until: the last day on which the file may hold bytes of what has left its tables; None: it holds none.
    """

    as_of: date
    reasons: tuple[str, ...] = ()
    fields_erased: int = 0
    records: int = 0
    quarantined_erased: int = 0
    rows_kept: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows_changed: int = 0
    bytes_until: date | None = None


@dataclass(frozen=True)
class _Due:
    """What must go: counts, what each affected table loses, and the contracts of which something is ordered."""

    changes: Mapping[str, Change]
    ordered: tuple[Contract, ...]
    reasons: tuple[str, ...]
    fields: int
    records: int
    quarantined: int


@dataclass(frozen=True)
class _Kept:
    """As of which day, by which day periods are told to be over, and the periods (ISO 8601)."""

    as_of: date
    held_against: date
    quarantine: str
    residue: str
    closed: str
    erased_bytes: str
    departed: str


def prepare(warehouse: Warehouse) -> None:
    """Make `erasure.rewrites`, which remembers every erasure: day, reasons, counts.

    `bytes_until` is null where the file was rewritten, else the last day on which it may hold the bytes of what left.
    """
    warehouse.run("create schema if not exists erasure")
    warehouse.run(f"create table if not exists erasure.rewrites ({_REWRITES})")
    if "bytes_until" not in warehouse.columns("erasure", "rewrites"):  # an earlier version's
        warehouse.run("alter table erasure.rewrites add column bytes_until date")


def erase_own_copies(
    warehouse: Warehouse,
    policy: HasRules,
    *,
    as_of: date,
    quarantine: str = "P30D",
    residue: str = "P30D",
    closed: str = "P5Y",
    erased_bytes: str = "P0D",
    departed: str = "P5Y",
    held_against: date | None = None,
) -> Erasure:
    """Rewrite the warehouse without what must not be in it any more; nothing is written when all of it may stay.

    Must not be called inside a transaction. A crash at any point leaves the old state or the new one whole. A warehouse
    in memory is emptied in place.

    Args:
        warehouse: with `intake.*`, `raw.*` and the sealed state.
        policy: whose contracts say which fields are personal, and whose purposes what is read of a company's own.
        as_of: the day.
        quarantine: how long quarantined rows are kept after their extract.
        residue: after how long the file is rewritten though nothing was ordered, because deliveries have replaced
            values since.
        closed: how long an entry of the office's registers names a person after it was closed.
        erased_bytes: how long the file may hold bytes of what has left its tables. Until the last of those days few
            rows lose what must go in place, at once; on that day the file is rewritten.
        departed: how long keys and hashes of a record are kept after it has left its source; as long as manifests.
        held_against: the day by which it is told what has been kept for long enough; None: `as_of`.

    Raises:
        RewriteFailed: the new file could not be written or proved, or not the rows in place; all is as it was.
    """
    prepare(warehouse)
    kept = _Kept(as_of, held_against or as_of, quarantine, residue, closed, erased_bytes, departed)
    earlier = (_without_undeclared(warehouse, policy, kept), _without_departed(warehouse, policy, kept))
    if any(each.reasons for each in earlier):
        warehouse.checkpoint()
    entries = registers.find_due(warehouse, policy.contracts, kept.held_against, closed)
    largest = _largest(warehouse)
    with nullcontext() if largest >= _WORTH_SHARING else warehouse.one_thread():
        due = _find_due(warehouse, policy.contracts, kept, entries, largest)
        may_wait = _leaves_in_place(warehouse, due, kept)
        erasure = _take_out(warehouse, policy.contracts, due, kept) if may_wait else Erasure(as_of)
    if due.reasons and not may_wait:
        erasure = _rewrite(warehouse, due, as_of)
    for contract in policy.contracts.values():
        warehouse.run(f"drop table if exists temp.{_losing(contract)}")
    registers.discard(warehouse, policy.contracts)
    still = lingering(warehouse, erased_bytes)
    return replace(
        erasure,
        reasons=(*(reason for each in earlier for reason in each.reasons), *erasure.reasons),
        fields_erased=sum(each.fields_erased for each in (*earlier, erasure)),
        records=sum(each.records for each in (*earlier, erasure)),
        bytes_until=still.until if still else None,
    )


def _without_undeclared(warehouse: Warehouse, policy: HasPurposes, kept: _Kept) -> Erasure:
    """Take what no contract declares any more out of the tables, and remember until when the file may hold its bytes.

    The file is then written anew as for whatever left its tables before: the same night where it may not wait. Cut off
    between the two, the next erasure has it written.

    Raises:
        RewriteFailed: a table did not hold what was to stay; all is as it was.
    """
    with warehouse.transaction():
        found = drop_undeclared(warehouse, policy)
        return _left_tables(warehouse, "undeclared", found.fields, found.records, kept)


def _without_departed(warehouse: Warehouse, policy: HasRules, kept: _Kept) -> Erasure:
    """Forget the records that left every source longer ago than they are remembered, as `_without_undeclared` does.

    Raises:
        RewriteFailed: a table did not hold what was to stay; all is as it was.
    """
    if not departures.is_due(warehouse, policy, kept.held_against):
        return Erasure(kept.as_of)
    found = departures.find(warehouse, kept.held_against, kept.departed)
    with warehouse.transaction():
        departures.take_out(warehouse, kept.held_against, found)
        return _left_tables(warehouse, "departed", found, found, kept)


def _left_tables(warehouse: Warehouse, reason: str, fields: int, records: int, kept: _Kept) -> Erasure:
    """Remember what left the tables, in the transaction in which it did, and until when the file may hold its bytes."""
    due = _Due({}, (), (reason,) if fields else (), fields, records, 0)
    if due.reasons:
        until = last_day(kept.as_of, kept.erased_bytes)
        warehouse.run(f"insert into erasure.rewrites by name {_remembering(warehouse, due, kept.as_of, until)}")
    return Erasure(kept.as_of, due.reasons, due.fields, due.records)


def _rewrite(warehouse: Warehouse, due: _Due, as_of: date) -> Erasure:
    """Write the warehouse anew without what is due, put it in place, and tell what it was."""
    selections = {name: change.selects for name, change in due.changes.items()}
    remembered = f"from erasure.rewrites union all by name {_remembering(warehouse, due, as_of, None)}"
    selections["erasure.rewrites"] = [remembered]
    if warehouse.path is None:
        return _emptied_in_place(warehouse, due, as_of, selections)
    warehouse.checkpoint()
    before = warehouse.path.stat().st_size
    written = warehouse.copy_to(warehouse.rewriting_path, selections=selections, emptied=_REMADE)
    warehouse.swap_in(written.path)
    return Erasure(
        as_of, due.reasons, due.fields, due.records, due.quarantined, written.rows, before, written.size_bytes
    )


def _emptied_in_place(warehouse: Warehouse, due: _Due, as_of: date, selections: Mapping[str, Sequence[str]]) -> Erasure:
    with warehouse.transaction():
        for table, selects in selections.items():
            schema, name = table.split(".")
            together = " union all ".join(f"({select})" for select in selects)
            warehouse.run(f"create or replace table {schema}.{identifier(name)} as {together}")
        for table in _REMADE:
            if warehouse.exists(*table.split(".")):
                warehouse.run(f"delete from {table}")
    return Erasure(as_of, due.reasons, due.fields, due.records, due.quarantined)


# -- in place ----------------------------------------------------------------------------------------------------------


def _leaves_in_place(warehouse: Warehouse, due: _Due, kept: _Kept) -> bool:
    """Whether what is due leaves the tables alone today: the file may wait, has to wait for nothing else, rows are few.

    A day that is the last one is not waited for: no night may come after it.
    """
    if (
        not due.reasons
        or not _LEAVES_TABLES.issuperset(due.reasons)
        or last_day(kept.as_of, kept.erased_bytes) <= kept.as_of
    ):
        return False
    rows = warehouse.value(
        "select coalesce(sum(estimated_size), 0) from duckdb_tables() where database_name = $catalog",
        {"catalog": warehouse.catalog},
    )
    return sum(change.count for change in due.changes.values()) <= max(_FEW_ROWS, _LARGEST_SHARE * int(rows))


def _take_out(warehouse: Warehouse, contracts: Contracts, due: _Due, kept: _Kept) -> Erasure:
    """Take what is due out of the tables, prove that it is gone and nothing else, and empty the write-ahead log.

    Raises:
        RewriteFailed: a table did not hold what was to stay, or still held what is due; all is as it was.
    """
    size = warehouse.path.stat().st_size if warehouse.path else 0
    with warehouse.transaction():
        changed = take_out(warehouse, due.changes)
        _require_gone(warehouse, contracts, due, kept)
        until = last_day(kept.as_of, kept.erased_bytes)
        warehouse.run(f"insert into erasure.rewrites by name {_remembering(warehouse, due, kept.as_of, until)}")
    warehouse.checkpoint()
    return Erasure(
        kept.as_of, due.reasons, due.fields, due.records, due.quarantined, bytes_before=size,
        bytes_after=warehouse.path.stat().st_size if warehouse.path else 0, rows_changed=changed,
    )  # fmt: skip


def _require_gone(warehouse: Warehouse, contracts: Contracts, due: _Due, kept: _Kept) -> None:
    """Look again for what was due: of the raw tables in the rows that changed, of all else everywhere.

    Raises:
        RewriteFailed: some of it is still there.
    """
    numbers = told.halves(warehouse)
    left = _count_quarantined(warehouse, kept.held_against, kept.quarantine)
    for contract in due.ordered:
        # written down, so that the engine knows how few they are, and looks up in them what is ordered of all records
        raw_table = f"raw.{identifier(contract.raw_table)}"
        warehouse.run(f"create or replace temp table {_CHANGED} as from {raw_table} where {_is_losing(contract)}")
        losing = _losing_rows(contract, numbers[str(contract.record_type)], f"temp.{_CHANGED}")
        left += int(warehouse.value(f"select count(*) from ({losing})", {"record_type": contract.record_type}))
    warehouse.run(f"drop table if exists temp.{_CHANGED}")
    left += registers.find_due(warehouse, contracts, kept.held_against, kept.closed).entries
    if left:
        raise RewriteFailed(f"{left} rows would still hold what was to go: nothing was changed. Run again.")


# -- what must go ------------------------------------------------------------------------------------------------------


def _largest(warehouse: Warehouse) -> int:
    """How many rows the largest raw table has, about."""
    return int(
        warehouse.value(
            "select coalesce(max(estimated_size), 0) from duckdb_tables() "
            "where database_name = $catalog and schema_name = 'raw'",
            {"catalog": warehouse.catalog},
        )
    )


def _find_due(
    warehouse: Warehouse, contracts: Contracts, kept: _Kept, entries: registers.DueEntries, largest: int
) -> _Due:
    changes = dict(entries.changes)
    ordered = []
    fields = records = 0
    numbers = told.halves(warehouse)
    ordered_types = {name for (name,) in warehouse.rows("select distinct record_type from manifest.ordered_records")}
    for contract in contracts.values():
        if contract.record_type is not None and contract.record_type in ordered_types:
            bits = numbers.get(contract.record_type, {})
            held, of_records = _count_ordered(warehouse, contract, bits, largest)
            fields, records = fields + held, records + of_records
            if held:
                changes[f"raw.{contract.raw_table}"] = _change_of_ordered(warehouse, contract, bits, largest)
                ordered.append(contract)
    quarantined = _count_quarantined(warehouse, kept.held_against, kept.quarantine)
    if quarantined:
        changes["intake.quarantined"] = _change_of_quarantine(warehouse, kept.held_against, kept.quarantine)
    still = lingering(warehouse, kept.erased_bytes)
    found = {
        "ordered": fields,
        "answered": entries.answered,
        "registers": entries.over,
        "quarantine": quarantined,
        "residue": _has_residue(warehouse, kept.as_of, kept.residue),
        # on a day before all of theirs nobody can say how long ago they left
        "erased_bytes": still is not None and not still.since <= kept.as_of < still.until,
    }
    reasons = tuple(reason for reason, count in found.items() if count)
    fields += entries.answered + entries.over
    return _Due(changes, tuple(ordered), reasons, fields, records + entries.entries, quarantined)


def _losing(contract: Contract) -> str:
    """The temporary table of the rows that must change: `row_id`, what is ordered, `held`, what they say then."""
    return identifier(f"losing_{contract.raw_table}")


def _find_losing(warehouse: Warehouse, contract: Contract, bits: told.Halves, largest: int) -> None:
    """Pick the rows that hold a value that was ordered erased, or do not say of such values what is to be said.

    A row says it when its digest is not that of values that went, and `withheld` is null or names fields that the
    source has. What is ordered is looked up and compared here alone, by bits, and what such a row says from now on is
    worked out here alone, the names once a set of fields: the rewriting reads every row twice. A range of rows at a
    time where there are too many for the memory.
    """
    into = f"create or replace temp table {_losing(contract)} as"
    for select in _by_rows(warehouse, contract, _losing_rows(contract, bits), largest):
        warehouse.run(f"{into} {select}", {"record_type": contract.record_type})
        into = f"insert into {_losing(contract)}"


def _by_rows(warehouse: Warehouse, contract: Contract, select: str, largest: int) -> list[str]:
    """A SELECT over a raw table and its losing rows, as many as the memory asks for; one where all tables are small."""
    if largest * _BYTES_EACH <= ALWAYS_THERE:
        return [select]
    tables = (f"raw.{identifier(contract.raw_table)}", _losing(contract))
    return list(Parts("row_id", tables).selects(select, warehouse.value, _BYTES_EACH))


def _is_losing(contract: Contract) -> str:
    """The condition of the rows that must change, and of those that stand in their place."""
    return f"row_id in (select row_id from temp.{_losing(contract)})"


def _losing_rows(contract: Contract, bits: told.Halves, among: str | None = None) -> str:
    """The losing rows of a raw table: what is ordered meets them by their keys, and everything after that by number.

    Of all its rows, or of those of the table `among`.
    """
    names = [name for name in _personal(contract) if name in bits]
    held = _sums({f"source_row.{identifier(name)} is not null": bits[name] for name in names}, "held_{}")
    kept_out = _sums({f"list_contains(withheld, {literal(name)})": bits[name] for name in names}, "kept_out_{}")
    new_digest = mark_when_ordered(
        "losing.row_digest", "signatures.signature", "said.withheld is not distinct from losing.withheld"
    )
    raw_table = among or f"raw.{identifier(contract.raw_table)}"
    orders = _ORDERS.format(raw_table=raw_table, key=identifier(contract.key))
    return f"""
        with orders as ({orders}),
        losing as (
            select source_row.row_id, orders.low, orders.high, {_counted("held_{0} & {0}")} as held, withheld,
                row_digest, {_kept_out_from_now()}
            from (
                select row_id, in_source, {held}, {kept_out},
                    withheld, len(withheld) as names, row_digest,
                    coalesce(row_digest <= {LARGEST_DIGEST}, false) as is_of_values
                from {raw_table} as source_row
            ) as source_row
            inner join orders on orders.row_id = source_row.row_id
            where source_row.is_of_values or {_either("held_{0} & {0} <> 0")}
                or (names is not null and (not in_source or names = 0 or names <> {_counted("kept_out_{0}")}))
        ),
        said as ({_named(names, bits)})
        select losing.row_id, losing.low, losing.high, losing.held, said.withheld, {new_digest} as row_digest
        from losing
        inner join ({_SIGNATURES}) as signatures on signatures.low = losing.low and signatures.high = losing.high
        inner join said on said.kept_low = losing.kept_low and said.kept_high = losing.kept_high
        """


def _kept_out_from_now() -> str:
    """The fields that a losing row's source has and that are not stored; none of a row that left its source.

    A field stays among them when its order is taken back: until the source delivers again its value is not here.
    """
    return ", ".join(
        f"case when coalesce(source_row.in_source, false) then held_{half} & {half} | kept_out_{half} else 0 end "
        f"as kept_{half}"
        for half in told.HALVES
    )


def _named(names: Sequence[str], bits: told.Halves) -> str:
    """What `withheld` says of every set of fields that is kept out of `losing` rows; null of the empty one."""
    named = ", ".join(f"case when {_either_bit(bits[name], 'sets.kept_{}')} then {literal(name)} end" for name in names)
    listed = f"list_filter(cast([{named}] as varchar[]), lambda field: field is not null)"
    return (
        f"select sets.kept_low, sets.kept_high, nullif({listed}, cast([] as varchar[])) as withheld "
        "from (select distinct kept_low, kept_high from losing) as sets"
    )


#: What is ordered of each row of a raw table. Words become numbers, not all of the ledger's numbers words.
_ORDERS = f"""
    select keyed.row_id, bit_or(told.low) as low, bit_or(told.high) as high
    from manifest.told_bits as told
    inner join (select row_id, cast({{key}} as varchar) as record_key from {{raw_table}} as source_row) as keyed
        on keyed.record_key = told.record_key
    where told.record_type = cast($record_type as {enum_of(RECORD_TYPES)})
        and told.state = cast('erase' as {enum_of(TOLD_STATES)})
    group by keyed.row_id
"""

#: As `recognising.ordered_of` has it, of every set of fields that is ordered of `losing` rows.
_SIGNATURES = f"""
    select sets.low, sets.high, bit_xor(hash(numbers.field)) as signature
    from (select distinct low, high from losing) as sets
    inner join (
        select field, {told.LOW.replace("named", "bit")} as low, {told.HIGH.replace("named", "bit")} as high
        from manifest.field_numbers where record_type = $record_type
    ) as numbers on numbers.low & sets.low <> 0 or numbers.high & sets.high <> 0
    group by sets.low, sets.high
"""


def _sums(conditions: Mapping[str, tuple[int, int]], names: str) -> str:
    """A number's two halves: the bits of the conditions that hold."""
    columns = []
    for half, column in enumerate(told.HALVES):
        bits = [f"case when {condition} then {bit[half]} else 0 end" for condition, bit in conditions.items()
                if bit[half]]  # fmt: skip
        columns.append(f"cast({' + '.join(bits) or '0'} as bigint) as {names.format(column)}")
    return ", ".join(columns)


def _either(condition: str) -> str:
    return f"({' or '.join(condition.format(half) for half in told.HALVES)})"


def _counted(bits: str) -> str:
    return f"({' + '.join(f'bit_count({bits.format(half)})' for half in told.HALVES)})"


def _either_bit(bit: tuple[int, int], halves: str) -> str:
    """Whether a field is in a set of fields, whose two halves are called `halves`."""
    asked = [f"{halves.format(half)} & {part} <> 0" for half, part in zip(told.HALVES, bit, strict=True) if part]
    return asked[0] if asked else "false"


def _columns(warehouse: Warehouse, contract: Contract) -> list[str]:
    """The columns of a raw table in their order."""
    table = f"raw.{identifier(contract.raw_table)}"
    return [name for (name,) in warehouse.rows("select name from pragma_table_info(?)", [table])]


def _personal(contract: Contract) -> list[str]:
    return [column.name for column in contract.columns if column.category is not None]


def _count_ordered(warehouse: Warehouse, contract: Contract, bits: told.Halves, largest: int) -> tuple[int, int]:
    """How many values that were ordered erased a raw table still holds, and of how many records."""
    _find_losing(warehouse, contract, bits, largest)
    held_values, of_records = warehouse.rows(
        f"select coalesce(cast(sum(held) as bigint), 0), count(*) filter (where held > 0) from {_losing(contract)}"
    )[0]
    return int(held_values), int(of_records)


def _change_of_ordered(warehouse: Warehouse, contract: Contract, bits: told.Halves, largest: int) -> Change:
    """What a raw table loses: values, what its rows say of them, and the digests that were made of them."""
    whole = _without_ordered(warehouse, contract, bits)
    loses = {name for name in _personal(contract) if name in bits} | {"withheld", "row_digest"}
    return Change(
        selects=_by_rows(warehouse, contract, whole, largest),
        instead=_without_ordered(warehouse, contract, bits, alone=True),
        rows=_is_losing(contract),
        stays=tuple(name for name in _columns(warehouse, contract) if name not in loses),
        count=int(warehouse.value(f"select count(*) from temp.{_losing(contract)}")),
    )


def _without_ordered(warehouse: Warehouse, contract: Contract, bits: told.Halves, *, alone: bool = False) -> str:
    """A raw table's rows without what was ordered erased; `withheld` names what the source has still.

    All of its rows, or `alone` those that lose something.
    """
    ordered = {name for name in _personal(contract) if name in bits}
    parts = []
    for name in _columns(warehouse, contract):
        quoted = identifier(name)
        if name in ordered:
            goes = _either_bit(bits[name], "ordered.{}")
            parts.append(f"case when not coalesce({goes}, false) then source_row.{quoted} end as {quoted}")
        elif name in ("withheld", "row_digest"):  # the digest was made of the values too
            parts.append(f"case when ordered.row_id is null then source_row.{name} else ordered.{name} end as {name}")
        else:
            parts.append(f"source_row.{quoted}")
    return (
        f"select {', '.join(parts)} from raw.{identifier(contract.raw_table)} as source_row "
        f"{'inner' if alone else 'left'} join {_losing(contract)} as ordered on ordered.row_id = source_row.row_id"
    )


# -- quarantine --------------------------------------------------------------------------------------------------------

_ORDERED_RECORD = """exists (
    select 1 from manifest.ordered_records as ordered
    inner join policy.records as records on records.record_type = ordered.record_type
    where records.source = quarantined.source and records.table_name = quarantined.table_name
        and ordered.record_key = quarantined.record_key
)"""


def _expired(as_of: date, period: str, quarantined: str = "quarantined") -> str:
    months, days = months_and_days(period)
    return f"""exists (
    select 1 from intake.deliveries as deliveries
    where deliveries.source = {quarantined}.source and deliveries.delivery_id = {quarantined}.delivery_id
        and deliveries.status = 'loaded'
        and add_months({_LOCAL_DAY}, {months}) + {days} < date '{as_of.isoformat()}'
)"""


def _count_quarantined(warehouse: Warehouse, as_of: date, period: str) -> int:
    return int(
        warehouse.value(
            f"select count(*) from intake.quarantined as quarantined where {_expired(as_of, period)} "
            f"or (quarantined.row_text is not null and {_ORDERED_RECORD})"
        )
    )


def _staying_quarantined(as_of: date, period: str) -> str:
    """Rows before their last day; of a record that was ordered erased the reason stays, and the text goes."""
    return (
        f"select quarantined.* replace (case when not {_ORDERED_RECORD} then quarantined.row_text end as row_text) "
        f"from intake.quarantined as quarantined where not {_expired(as_of, period)}"
    )


def _change_of_quarantine(warehouse: Warehouse, as_of: date, period: str) -> Change:
    """What the quarantine loses. Its rows have no number, and are few: all of them make way."""
    staying = _staying_quarantined(as_of, period)
    return Change(
        selects=[staying],
        instead=staying,
        rows="true",
        gone=_expired(as_of, period, "each_row"),
        stays=tuple(name for name in warehouse.columns("intake", "quarantined") if name != "row_text"),
        count=int(warehouse.value("select count(*) from intake.quarantined")),
    )


# -- residue, and what is remembered -----------------------------------------------------------------------------------


def _has_residue(warehouse: Warehouse, as_of: date, period: str) -> bool:
    """Whether deliveries came after the last rewriting, and that was longer ago than the period allows."""
    since, before = warehouse.rows(
        "select max(as_of), coalesce(max(deliveries_loaded), 0) from erasure.rewrites where bytes_until is null"
    )[0]
    loaded, first = warehouse.rows(
        f"select coalesce(max(sequence), 0), min({_LOCAL_DAY}) from intake.deliveries as deliveries "
        "where status = 'loaded'"
    )[0]
    since = since or first
    return bool(loaded > before and since is not None and last_day(since, period) < as_of)


def _remembering(warehouse: Warehouse, due: _Due, as_of: date, until: date | None) -> str:
    """The row of `erasure.rewrites` for this erasure.

    It comes with what it tells of, into the new file alone or in one transaction: a crash remembers nothing.
    """
    sequence = int(warehouse.value("select coalesce(max(sequence), 0) + 1 from erasure.rewrites"))
    loaded = int(warehouse.value("select coalesce(max(sequence), 0) from intake.deliveries where status = 'loaded'"))
    last = f"date '{until.isoformat()}'" if until else "cast(null as date)"
    return (
        f"select {sequence} as sequence, date '{as_of.isoformat()}' as as_of, "
        f"{literal(' '.join(due.reasons))} as reason, {due.fields} as fields_erased, "
        f"{due.records} as records, {due.quarantined} as quarantined_erased, "
        f"{loaded} as deliveries_loaded, {last} as bytes_until"
    )
