"""Erasure in the warehouse: what sealed manifests order erased leaves the file itself, and not only its tables.

Finds what must go and rewrites the file without it; only then, and at most once a call. The rewriting itself (copy,
proof, swap) is the warehouse's. What stays is what `docs/architecture.md` says: dates, statuses, capacities, amounts
and keys that the rules read, keyed hashes and `known_*`. Values of the same field that arrive again are kept out by
`assets.ingest.merging`. Decides nothing about records: `manifest.told` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date

from assets.delivery import settling
from assets.erasure import registers
from assets.erasure.periods import last_day
from assets.ingest.contracts import Contract, Contracts
from assets.ingest.projecting import LARGEST_DIGEST, LOCAL_ZONE
from assets.ingest.recognising import mark_when_ordered
from assets.ingest.tables import HasContracts
from assets.manifests import changes, gate, told
from assets.purpose_register import months_and_days
from assets.vocabulary import RECORD_TYPES, TOLD_STATES, enum_of
from assets.warehouse import Warehouse, identifier, literal
from expectations.parts import ALWAYS_THERE, Parts

_REWRITES = (
    "sequence bigint, as_of date, reason varchar, fields_erased bigint, records bigint, quarantined_erased bigint, "
    "deliveries_loaded bigint"
)
#: What its owners make anew before anybody reads it: not worth copying and proving.
_REMADE = (*changes.WORKING_TABLES, *gate.WORKING_TABLES, *settling.WORKING_TABLES)
#: Rows of a raw table from which on what is due is looked for by all threads (`Warehouse.one_thread`).
_WORTH_SHARING = 1_000_000
#: The bytes of memory that are counted for each row of a raw table while rows are met with what is ordered of them.
_BYTES_EACH = 400
_LOCAL_DAY = f"cast(timezone('{LOCAL_ZONE}', timezone('UTC', deliveries.extracted_at)) as date)"


@dataclass(frozen=True)
class Erasure:
    """What one erasure did. `reasons` is empty when nothing had to go, and then nothing was written.

    Attributes:
        as_of: the day.
        reasons: `ordered` (by a sealed manifest), `answered` (an address of an answered request, the
            reason of a released hold), `registers` (names in the office's entries that were closed longer ago than
            they are kept), `quarantine` (past its last day, or of an ordered record), `residue` (corrected
            values that the file may still hold).
        fields_erased: values of records that were erased.
        records: the records they belonged to.
        quarantined_erased: quarantined rows that were erased, or lost their text.
        rows_kept: rows of the new file, every one proved equal.
        bytes_before: size of the old file.
        bytes_after: size of the new file.
    """

    as_of: date
    reasons: tuple[str, ...] = ()
    fields_erased: int = 0
    records: int = 0
    quarantined_erased: int = 0
    rows_kept: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


@dataclass(frozen=True)
class _Due:
    """What must go: counts, and the SELECTs that give each affected table without it."""

    selections: Mapping[str, Sequence[str]]
    reasons: tuple[str, ...]
    fields: int
    records: int
    quarantined: int


def prepare(warehouse: Warehouse) -> None:
    """Make `erasure.rewrites`, which remembers every rewriting: day, reasons and counts."""
    warehouse.run("create schema if not exists erasure")
    warehouse.run(f"create table if not exists erasure.rewrites ({_REWRITES})")


def erase_own_copies(
    warehouse: Warehouse,
    policy: HasContracts,
    *,
    as_of: date,
    quarantine: str = "P30D",
    residue: str = "P30D",
    closed: str = "P5Y",
) -> Erasure:
    """Rewrite the warehouse without what must not be in it any more; nothing is written when all of it may stay.

    Must not be called inside a transaction. A crash at any point leaves the old file or the new one whole. A warehouse
    in memory is emptied in place.

    Args:
        warehouse: with `intake.*`, `raw.*` and the sealed state.
        policy: whose contracts say which fields are personal.
        as_of: the day.
        quarantine: how long quarantined rows are kept after their extract.
        residue: after how long the file is rewritten though nothing was ordered, because deliveries have replaced
            values since.
        closed: how long an entry of the office's registers names a person after it was closed.

    Raises:
        RewriteFailed: the new file could not be written or proved; the old one is as it was.
    """
    prepare(warehouse)
    entries = registers.find_due(warehouse, policy.contracts, as_of, closed)
    largest = _largest(warehouse)
    with nullcontext() if largest >= _WORTH_SHARING else warehouse.one_thread():
        due = _find_due(warehouse, policy.contracts, as_of, quarantine, residue, entries, largest)
    erasure = _rewrite(warehouse, due, as_of) if due.reasons else Erasure(as_of)
    for contract in policy.contracts.values():
        warehouse.run(f"drop table if exists temp.{_losing(contract)}")
    registers.discard(warehouse, policy.contracts)
    return erasure


def _rewrite(warehouse: Warehouse, due: _Due, as_of: date) -> Erasure:
    """Write the warehouse anew without what is due, put it in place, and tell what it was."""
    selections = {**due.selections, "erasure.rewrites": [_remembering(warehouse, due, as_of)]}
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
    warehouse: Warehouse,
    contracts: Contracts,
    as_of: date,
    quarantine: str,
    residue: str,
    entries: registers.DueEntries,
    largest: int,
) -> _Due:
    selections: dict[str, Sequence[str]] = {name: [select] for name, select in entries.selections.items()}
    fields = records = 0
    numbers = told.halves(warehouse)
    ordered_types = {name for (name,) in warehouse.rows("select distinct record_type from manifest.ordered_records")}
    for contract in contracts.values():
        if contract.record_type is not None and contract.record_type in ordered_types:
            bits = numbers.get(contract.record_type, {})
            held, of_records = _count_ordered(warehouse, contract, bits, largest)
            fields, records = fields + held, records + of_records
            if held:
                without = _without_ordered(warehouse, contract, bits)
                selections[f"raw.{contract.raw_table}"] = _by_rows(warehouse, contract, without, largest)
    quarantined = _count_quarantined(warehouse, as_of, quarantine)
    if quarantined:
        selections["intake.quarantined"] = [_staying_quarantined(as_of, quarantine)]
    found = {
        "ordered": fields,
        "answered": entries.answered,
        "registers": entries.over,
        "quarantine": quarantined,
        "residue": _has_residue(warehouse, as_of, residue),
    }
    reasons = tuple(reason for reason, count in found.items() if count)
    fields += entries.answered + entries.over
    return _Due(selections, reasons, fields, records + entries.entries, quarantined)


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


def _losing_rows(contract: Contract, bits: told.Halves) -> str:
    """The losing rows of a raw table: what is ordered meets them by their keys, and everything after that by number."""
    names = [name for name in _personal(contract) if name in bits]
    held = _sums({f"source_row.{identifier(name)} is not null": bits[name] for name in names}, "held_{}")
    kept_out = _sums({f"list_contains(withheld, {literal(name)})": bits[name] for name in names}, "kept_out_{}")
    new_digest = mark_when_ordered(
        "losing.row_digest", "signatures.signature", "said.withheld is not distinct from losing.withheld"
    )
    raw_table = f"raw.{identifier(contract.raw_table)}"
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


def _personal(contract: Contract) -> list[str]:
    return [column.name for column in contract.columns if column.category is not None]


def _count_ordered(warehouse: Warehouse, contract: Contract, bits: told.Halves, largest: int) -> tuple[int, int]:
    """How many values that were ordered erased a raw table still holds, and of how many records."""
    _find_losing(warehouse, contract, bits, largest)
    held_values, of_records = warehouse.rows(
        f"select coalesce(cast(sum(held) as bigint), 0), count(*) filter (where held > 0) from {_losing(contract)}"
    )[0]
    return int(held_values), int(of_records)


def _without_ordered(warehouse: Warehouse, contract: Contract, bits: told.Halves) -> str:
    """A raw table's rows without what was ordered erased; `withheld` names what the source has still."""
    ordered = {name for name in _personal(contract) if name in bits}
    parts = []
    for (name,) in warehouse.rows("select name from pragma_table_info(?)", [f"raw.{identifier(contract.raw_table)}"]):
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
        f"left join {_losing(contract)} as ordered on ordered.row_id = source_row.row_id"
    )


# -- quarantine --------------------------------------------------------------------------------------------------------

_ORDERED_RECORD = """exists (
    select 1 from manifest.ordered_records as ordered
    inner join policy.records as records on records.record_type = ordered.record_type
    where records.source = quarantined.source and records.table_name = quarantined.table_name
        and ordered.record_key = quarantined.record_key
)"""


def _expired(as_of: date, period: str) -> str:
    months, days = months_and_days(period)
    return f"""exists (
    select 1 from intake.deliveries as deliveries
    where deliveries.source = quarantined.source and deliveries.delivery_id = quarantined.delivery_id
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


# -- residue, and what is remembered -----------------------------------------------------------------------------------


def _has_residue(warehouse: Warehouse, as_of: date, period: str) -> bool:
    """Whether deliveries came after the last rewriting, and that was longer ago than the period allows."""
    since, before = warehouse.rows("select max(as_of), coalesce(max(deliveries_loaded), 0) from erasure.rewrites")[0]
    loaded, first = warehouse.rows(
        f"select coalesce(max(sequence), 0), min({_LOCAL_DAY}) from intake.deliveries as deliveries "
        "where status = 'loaded'"
    )[0]
    since = since or first
    return bool(loaded > before and since is not None and last_day(since, period) < as_of)


def _remembering(warehouse: Warehouse, due: _Due, as_of: date) -> str:
    """`erasure.rewrites` with this rewriting: it stands in the new file alone, so that a crash remembers nothing."""
    sequence = int(warehouse.value("select coalesce(max(sequence), 0) + 1 from erasure.rewrites"))
    loaded = int(warehouse.value("select coalesce(max(sequence), 0) from intake.deliveries where status = 'loaded'"))
    return (
        f"select * from erasure.rewrites union all select {sequence}, date '{as_of.isoformat()}', "
        f"{literal(' '.join(due.reasons))}, {due.fields}, {due.records}, {due.quarantined}, {loaded}"
    )
