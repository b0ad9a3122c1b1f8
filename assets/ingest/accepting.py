"""A person's word that a table which shrank is as it should be. Judges nothing and loads nothing.

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
    where deliveries.source = ? and files.table_name = ? and files.status = 'loaded'
        and deliveries.status = 'loaded' and deliveries.mode = 'full'
    order by deliveries.extracted_at desc nulls last, deliveries.sequence desc
    limit 1
"""


def accept_shrunk_table(warehouse: Warehouse, source: str, table: str, *, by: str, reason: str, at: datetime) -> str:
    """Say that the latest full delivery of a table is whole, though it lost more rows than its contract tolerates.

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
        BadInput: the table is not blocked for having shrunk, or nobody, or nothing, is given as the reason.
    """
    if not (by.strip() and reason.strip()):
        raise BadInput("Say who accepts the delivery, and why: neither may be empty.")
    blocked = "select count(*) from intake.blocks where source = ? and table_name = ? and reason = 'shrunk'"
    if not (warehouse.exists("intake", "blocks") and warehouse.value(blocked, [source, table])):
        raise BadInput(f"{source} {table} is not blocked for having shrunk: gallring status shows what is.")
    delivery_id = str(warehouse.value(_LATEST, [source, table]))
    with warehouse.transaction():
        warehouse.insert(
            "intake.acceptances",
            ("source", "table_name", "delivery_id", "by_whom", "reason", "accepted_at"),
            [(source, table, delivery_id, by.strip(), reason.strip(), at.replace(tzinfo=None))],
        )
        warehouse.run(
            "delete from intake.blocks where source = ? and table_name = ? and reason = 'shrunk'", [source, table]
        )
        note(warehouse, [Entry("deliveries", delivery_id)], at, "shrinkage_accepted", f"{source}.{table}".lower()[:80])
    return delivery_id
