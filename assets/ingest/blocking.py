"""What keeps manifests from being sealed: tables that are missing, stale, shrunk, emptied or barred, rejected ones.

Judged as of a given day from what was recorded; reads no clock and no inbox. A table that shrank stays blocked until it
is as large again as it was before, or until a person says that it is right: that a second export is as short as the
first one proves nothing, a source can be cut off two nights running. What each layout of a table brings is judged too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from assets.contracts.contract import Contract
from assets.ingest.emptied import references
from assets.ingest.projecting import LOCAL_ZONE
from assets.ingest.tables import HasContracts
from assets.warehouse import Warehouse, identifier

#: A table that had fewer rows may lose any share of them.
SMALLEST_COMPARED = 20
#: Why a delivery counts as rejected that was taken in before a loss, and that a backup does not hold (`note_lost`).
LOST = (
    "was read before the loss, and neither the backup nor the inbox holds it: put its folder back into inbox/, or "
    "deliver every table of its source whole"
)

_FULLS = f"""
    select files.source, files.table_name, deliveries.delivery_id,
        cast(timezone('{LOCAL_ZONE}', timezone('UTC', deliveries.extracted_at)) as date) as extracted_on,
        list(files.file_name) as names, list(files.rows_in - files.rows_out_of_scope) as row_counts
    from intake.files as files
    inner join intake.deliveries as deliveries
        on files.source = deliveries.source and files.delivery_id = deliveries.delivery_id
        and deliveries.status = 'loaded' and deliveries.mode = 'full'
    where files.status = 'loaded'
    group by files.source, files.table_name, deliveries.delivery_id, deliveries.extracted_at, deliveries.sequence
    order by deliveries.extracted_at desc nulls last, deliveries.sequence desc
"""

_EXTRACTED_LAST = f"""
    select max(cast(timezone('{LOCAL_ZONE}', timezone('UTC', extracted_at)) as date))
    from intake.deliveries where status = 'loaded'
"""

#: Rejected deliveries, with the tables that they were to bring where that is known, and those of which a full delivery
#: that was extracted later has been loaded; of what was lost only since then, for of that the day alone is known.
_REJECTED = """
    select rejected.source, rejected.delivery_id, rejected.reason,
        coalesce((
            select list(distinct brought.table_name) from intake.files as brought
            where brought.source = rejected.source and brought.delivery_id = rejected.delivery_id
                and brought.status = 'rejected'
        ), []) as brought,
        coalesce((
            select list(distinct files.table_name) from intake.files as files
            inner join intake.deliveries as later
                on files.source = later.source and files.delivery_id = later.delivery_id
            where later.source = rejected.source and later.status = 'loaded' and later.mode = 'full'
                and files.status = 'loaded'
                and case
                    when rejected.extracted_at is null then later.sequence > rejected.sequence
                    else later.extracted_at >= rejected.extracted_at
                end
                and (rejected.reason <> $lost or later.sequence > rejected.sequence)
        ), []) as replaced
    from intake.deliveries as rejected
    where rejected.status = 'rejected'
    order by rejected.sequence
"""

_BROUGHT = "select distinct table_name from intake.files where source = $source and status = 'loaded'"

#: The deliveries of a source that were loaded after one of them, up to another.
_BETWEEN = """
    select delivery_id from intake.deliveries
    where source = $source and status = 'loaded'
        and sequence > (
            select max(sequence) from intake.deliveries
            where source = $source and status = 'loaded' and delivery_id = $whole
        )
        and sequence <= (
            select max(sequence) from intake.deliveries
            where source = $source and status = 'loaded' and delivery_id = $latest
        )
"""
#: Of the rows that left by these, those that are no longer remembered (`assets.erasure.departures`).
_FORGOTTEN = f"""
    select coalesce(sum(gone), 0), coalesce(sum(ordered), 0) from intake.departed
    where source = $source and table_name = $table and delivery_id in ({_BETWEEN})
"""


@dataclass(frozen=True)
class _Full:
    """One full delivery of one table."""

    delivery_id: str
    extracted_on: date | None
    rows: int
    files: tuple[tuple[str, int], ...]

    def of(self, layout: Contract, contract: Contract) -> _Full | None:
        """What of it came by one layout; None where no file did."""
        files = tuple((name, rows) for name, rows in self.files if contract.layout_for(name) is layout)
        return replace(self, rows=sum(rows for _, rows in files), files=files) if files else None


def refresh_blocks(warehouse: Warehouse, policy: HasContracts, as_of: date) -> None:
    """Rewrite `intake.blocks` as of a day."""
    blocks = sorted({
        *_table_blocks(warehouse, policy, as_of), *_emptied(warehouse, policy), *_rejections(warehouse, policy),
        *_barred(warehouse, policy),
    })  # fmt: skip
    with warehouse.transaction():
        warehouse.run("delete from intake.blocks")
        warehouse.insert("intake.blocks", ("source", "table_name", "reason", "detail"), blocks)


def blocking_for_lost(warehouse: Warehouse) -> list[str]:
    """The lost deliveries for which a source blocks, as source/delivery."""
    if not warehouse.exists("intake", "blocks"):
        return []
    found = warehouse.rows(
        "select distinct lost.source, lost.delivery_id from intake.deliveries as lost "
        "inner join intake.blocks as blocks on blocks.source = lost.source and blocks.reason = 'rejected' "
        "and (starts_with(blocks.detail, 'delivery ' || lost.delivery_id || ' of ') "
        "or starts_with(blocks.detail, 'delivery ' || lost.delivery_id || ': ')) "
        "where lost.status = 'rejected' and lost.reason = $lost order by all",
        {"lost": LOST},
    )
    return [f"{source}/{delivery_id}" for source, delivery_id in found]


def fresh_until(warehouse: Warehouse, policy: HasContracts) -> date | None:
    """The last day on which a table of any source is not stale yet; None where none has come that can become stale.

    It is no earlier than the last extract of any kind: changes, too, are a witness to their day.
    """
    allowed = {(contract.source, contract.table): contract.freshness_days for contract in policy.contracts.values()}
    days = [
        extracted_on + timedelta(days=good_for)
        for source, table, _, extracted_on, *_ in warehouse.rows(_FULLS)
        if extracted_on is not None and (good_for := allowed.get((source, table))) is not None
    ]
    return max(*days, warehouse.value(_EXTRACTED_LAST)) if days else None


def _table_blocks(warehouse: Warehouse, policy: HasContracts, as_of: date) -> Iterator[tuple[str, str, str, str]]:
    fulls: dict[tuple[str, str], list[_Full]] = {}
    for source, table, delivery_id, extracted_on, names, rows in warehouse.rows(_FULLS):
        files = tuple(zip(names, rows, strict=True))
        fulls.setdefault((source, table), []).append(_Full(delivery_id, extracted_on, sum(rows), files))
    for contract in policy.contracts.values():
        history = fulls.get((contract.source, contract.table), [])
        reasons = _judge(warehouse, contract, history, as_of) if contract.declared else ()
        for reason, detail in reasons:
            yield contract.source, contract.table, reason, detail


def _judge(warehouse: Warehouse, contract: Contract, history: list[_Full], as_of: date) -> Iterator[tuple[str, str]]:
    if not history:
        if not contract.optional:
            yield "never_arrived", "no full delivery of this table has been loaded"
        return
    latest = history[0]
    age = (as_of - latest.extracted_on).days if latest.extracted_on else 0
    if contract.freshness_days is not None and age > contract.freshness_days:
        yield "stale", f"the latest full delivery is {age} days old, at most {contract.freshness_days} are allowed"
    for what, fulls in _comparable(contract, history):
        before, lost = _shrinkage(warehouse, contract, fulls, is_part=bool(what))
        if lost:
            yield (
                "shrunk",
                f"{what}{fulls[0].rows} rows after {before}; {lost} left without having been ordered erased: deliver "
                f"it whole, or say that it is right with gallring accept {contract.source} {contract.table}",
            )


def _comparable(contract: Contract, history: list[_Full]) -> Iterator[tuple[str, list[_Full]]]:
    """What may shrink, the latest first: the table, and what each layout brings, which one system may leave empty."""
    if contract.shrink_tolerance is None:
        return
    yield "", history
    for layout in contract.layouts if contract.other_layouts else ():
        parts = [part for full in history if (part := full.of(layout, contract)) is not None]
        if parts:
            yield f"{layout.file_pattern}: ", parts


def _shrinkage(warehouse: Warehouse, contract: Contract, history: list[_Full], *, is_part: bool) -> tuple[int, int]:
    """How many rows the last whole table had, and how many too many the latest one lost; 0 if that one is whole.

    A delivery counts as whole when it is the first one, lost no more than the tolerance against the whole one before
    it, or was accepted by a person. A layout that had rows and brings none is never whole, however few they were: of a
    table that all its systems fill, one is cut off.
    """
    whole, lost, tolerance = history[-1], 0, contract.shrink_tolerance or 0
    for full in reversed(history[:-1]):
        lost = whole.rows - full.rows
        allowed = whole.rows if whole.rows < SMALLEST_COMPARED else tolerance * whole.rows
        if is_part and full.rows == 0 and tolerance < 1:
            allowed = 0
        if lost > allowed:
            lost -= _ordered_away(warehouse, contract, whole, full, lost if is_part else None)
        if lost <= allowed or _is_accepted(warehouse, contract, full):
            whole, lost = full, 0
    return whole.rows, lost


def _is_accepted(warehouse: Warehouse, contract: Contract, full: _Full) -> bool:
    return bool(
        warehouse.value(
            "select count(*) from intake.acceptances where source = ? and table_name = ? and delivery_id = ?",
            [contract.source, contract.table, full.delivery_id],
        )
    )


def _ordered_away(
    warehouse: Warehouse, contract: Contract, whole: _Full, latest: _Full, lost_by_layout: int | None
) -> int:
    """Rows that left after one full delivery, up to another, because a manifest had ordered the whole record erased.

    A row may leave by a delta in between. One that was told to lose some of its fields was not told to leave: it counts
    as lost. No row says by which layout it came: of what one lost, as many count as all others cannot have lost.
    """
    if contract.record_type is None:
        return 0
    between = {"source": contract.source, "whole": whole.delivery_id, "latest": latest.delivery_id}
    ordered, gone = warehouse.rows(
        "select count(*) filter (where was_ordered), count(*) from ("
        f"select cast(gone.{identifier(contract.key)} as varchar) in (select record_key from manifest.told "
        "where record_type = $record_type and state = 'erase' and action = 'erase') as was_ordered "
        f"from raw.{identifier(contract.raw_table)} as gone "
        f"where not gone.in_source and gone.in_delivery in ({_BETWEEN}))",
        {**between, "record_type": contract.record_type},
    )[0]
    if warehouse.exists("intake", "departed"):  # not in a rehearsal on what an earlier version took in
        forgotten_gone, forgotten_ordered = warehouse.rows(_FORGOTTEN, {**between, "table": contract.table})[0]
        gone, ordered = gone + int(forgotten_gone), ordered + int(forgotten_ordered)
    by_others = 0 if lost_by_layout is None else max(0, gone - lost_by_layout)
    return max(0, int(ordered) - int(by_others))


def _emptied(warehouse: Warehouse, policy: HasContracts) -> Iterator[tuple[str, str, str, str]]:
    """References that came empty: what they kept would be erased. One that the contract reads no more is none."""
    if not warehouse.exists("intake", "emptied"):  # a rehearsal on what an earlier version took in
        return
    for source, table, layout, column, brought, expected in warehouse.rows(
        "select source, table_name, layout, column_name, rows_brought, rows_expected from intake.emptied"
    ):
        contract = policy.contracts.get((source, table))
        if contract is None or not any(column in references(each) for each in contract.layouts):
            continue
        what = f"{column} of {layout}" if layout else column
        detail = (
            f"{what} names a record in none of {brought} rows, where {expected} did or would, by what was known "
            "before: deliver it whole with the column, or say that it is right with "
            f"gallring accept {source} {table}"
        )
        yield source, table, "emptied", detail


def _rejections(warehouse: Warehouse, policy: HasContracts) -> Iterator[tuple[str, str, str, str]]:
    """A rejected delivery counts until later full ones have brought each of its tables, or any, if it named none.

    Every table of its source blocks: what was rejected may have been what keeps records of the others. What it says
    names the tables that are to come again, where that is known. A source that no contract names holds up nobody: no
    delivery of it could ever be loaded and take the block away.
    """
    for source, delivery_id, reason, brought, replaced in warehouse.rows(_REJECTED, {"lost": LOST}):
        contracts = policy.contracts.of_source(source)
        tables = [contract.table for contract in contracts]
        if reason == LOST:
            brought = [contract.table for contract in contracts if not contract.optional]
            brought += [table for (table,) in warehouse.rows(_BROUGHT, {"source": source})]
        missed = sorted((set(brought) & set(tables)) - set(replaced))
        if not replaced or missed:
            of_tables = f" of {', '.join(missed)}" if missed else ""
            for table in tables:
                yield source, table, "rejected", f"delivery {delivery_id}{of_tables}: {reason}"


def _barred(warehouse: Warehouse, policy: HasContracts) -> Iterator[tuple[str, str, str, str]]:
    """All tables of a source whose deliveries nobody could look at: a correction or a person's word may be in them.

    A folder of no contract's source, such as a disk's `lost+found`, brings nothing that anything depends on.
    """
    if not warehouse.exists("intake", "barred"):  # a rehearsal on what an earlier version took in
        return
    for source, *detail in warehouse.rows("from intake.barred order by source"):
        for contract in policy.contracts.of_source(source):
            yield source, contract.table, "barred", *(detail or [f"this account may not look into inbox/{source}"])
