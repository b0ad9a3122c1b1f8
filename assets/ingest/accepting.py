"""A person's word that a table which shrank, or in which a reference came empty, or a lookup, is right. Loads nothing.

The word holds for the one delivery that blocks: the next one is compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from assets.errors import BadInput
from assets.ingest.lookups import told_of
from assets.ingest.registers import Entry, note
from assets.warehouse import Warehouse

_LATEST = """
    select deliveries.delivery_id
    from intake.deliveries as deliveries
    inner join intake.files as files
        on deliveries.source = files.source and deliveries.delivery_id = files.delivery_id
    where deliveries.source = $source and files.table_name = $table and files.status = 'loaded'
        and deliveries.status = 'loaded' and (deliveries.mode = 'full' or not $full)
    order by deliveries.extracted_at desc nulls last, deliveries.sequence desc
    limit 1
"""
_BLOCKED = """
    select distinct reason from intake.blocks
    where source = $source and table_name = $table and reason in ('shrunk', 'emptied')
"""
_OF = "source = $source and table_name = $table"
#: What the act is called in the journal, by what it is about.
_ACTS = {"shrunk": "shrinkage_accepted", "emptied": "empty_column_accepted"}
_REFUSED = """
    select delivery_id, digest from intake.deliveries
    where source = $source and status = 'rejected' and contains(reason, $told)
    order by sequence desc
    limit 1
"""


def accept_as_right(warehouse: Warehouse, source: str, table: str, *, by: str, reason: str, at: datetime) -> str:
    """Say that what a table blocks for is right: it lost more rows than its contract tolerates, or names nothing.

    Or that a lookup is, whose delivery was refused for it: the next run takes that delivery in. A block is lifted at
    once; who said so, and why, stays in `intake.acceptances`, and the act goes into evidence.

    Args:
        warehouse: where `intake.*` is.
        source: the table's source.
        table: the table, or the lookup.
        by: who says so.
        reason: why.
        at: when it is said.

    Returns:
        The id of the delivery that was accepted.

    Raises:
        BadInput: the table blocks for neither, or nobody, or nothing, is given as the reason.
    """
    if not (by.strip() and reason.strip()):
        raise BadInput("Say who accepts the delivery, and why: neither may be empty.")
    of_table = {"source": source, "table": table}
    blocked = {why for (why,) in warehouse.rows(_BLOCKED, of_table)} if warehouse.exists("intake", "blocks") else ()
    if not blocked and warehouse.exists("intake", "deliveries"):
        for delivery_id, digest in warehouse.rows(_REFUSED, {"source": source, "told": told_of(table)}):
            with warehouse.transaction():
                _keep(warehouse, [(source, table, delivery_id, by.strip(), reason.strip(), _naive(at), digest)])
                note(
                    warehouse,
                    [Entry("deliveries", delivery_id)],
                    at,
                    "lookup_accepted",
                    f"{source}.{table}".lower()[:80],
                )
            return str(delivery_id)
    if not blocked:
        raise BadInput(
            f"{source} {table} is not blocked for having shrunk, or for a reference that came empty: "
            "gallring status shows what is."
        )
    accepted = {why: str(warehouse.value(_LATEST, {**of_table, "full": why == "shrunk"})) for why in sorted(blocked)}
    with warehouse.transaction():
        words = [(source, table, each, by.strip(), reason.strip(), _naive(at), None) for each in accepted.values()]
        _keep(warehouse, list(dict.fromkeys(words)))
        warehouse.run(f"delete from intake.blocks where {_OF} and reason in ('shrunk', 'emptied')", of_table)
        if "emptied" in accepted:
            warehouse.run(f"delete from intake.emptied where {_OF}", of_table)
        for why, delivery_id in accepted.items():
            note(warehouse, [Entry("deliveries", delivery_id)], at, _ACTS[why], f"{source}.{table}".lower()[:80])
    return list(accepted.values())[-1]


def _keep(warehouse: Warehouse, words: Sequence[tuple[Any, ...]]) -> None:
    columns = ("source", "table_name", "delivery_id", "by_whom", "reason", "accepted_at", "digest")
    warehouse.insert("intake.acceptances", columns, words)


def _naive(at: datetime) -> datetime:
    return at.replace(tzinfo=None)
