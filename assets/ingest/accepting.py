"""A person's word that a table which shrank, or in which a reference came empty, is as it should be. Loads nothing.

The word holds for the one delivery that blocks: the next one is compared with it.
"""

from __future__ import annotations

from datetime import datetime

from assets.errors import BadInput
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


def accept_as_right(warehouse: Warehouse, source: str, table: str, *, by: str, reason: str, at: datetime) -> str:
    """Say that what a table blocks for is right: it lost more rows than its contract tolerates, or names nothing.

    The block is lifted at once; who said so, and why, stays in `intake.acceptances`, and the act goes into evidence.

    Args:
        warehouse: where `intake.*` is.
        source: the table's source.
        table: the table.
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
    if not blocked:
        raise BadInput(
            f"{source} {table} is not blocked for having shrunk, or for a reference that came empty: "
            "gallring status shows what is."
        )
    accepted = {why: str(warehouse.value(_LATEST, {**of_table, "full": why == "shrunk"})) for why in sorted(blocked)}
    with warehouse.transaction():
        warehouse.insert(
            "intake.acceptances",
            ("source", "table_name", "delivery_id", "by_whom", "reason", "accepted_at"),
            [
                (source, table, delivery_id, by.strip(), reason.strip(), at.replace(tzinfo=None))
                for delivery_id in sorted(set(accepted.values()))
            ],
        )
        warehouse.run(f"delete from intake.blocks where {_OF} and reason in ('shrunk', 'emptied')", of_table)
        if "emptied" in accepted:
            warehouse.run(f"delete from intake.emptied where {_OF}", of_table)
        for why, delivery_id in accepted.items():
            note(warehouse, [Entry("deliveries", delivery_id)], at, _ACTS[why], f"{source}.{table}".lower()[:80])
    return list(accepted.values())[-1]
