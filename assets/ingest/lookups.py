"""Lookup files that come empty or cut off: what is looked up in them would be nothing, and what hangs on it nobody's.

A delivery whose lookup lost more than its table may lose is refused, before anything is read by it; or a person says
that it is right, of that content.
"""

from __future__ import annotations

from assets.contracts.contract import Contract
from assets.ingest.blocking import SMALLEST_COMPARED
from assets.ingest.deliveries import Delivery
from assets.warehouse import Warehouse

_BEFORE = """
    select sum(files.rows_in)
    from intake.deliveries as deliveries
    inner join intake.files as files
        on deliveries.source = files.source and deliveries.delivery_id = files.delivery_id
    where deliveries.source = $source and files.table_name = $lookup and files.status in ('lookup', 'loaded')
        and deliveries.status = 'loaded' and deliveries.mode = 'full'
    group by deliveries.sequence
    order by deliveries.sequence desc
    limit 1
"""
_ACCEPTED = """
    select count(*) from intake.acceptances
    where source = $source and table_name = $lookup and delivery_id = $delivery and digest = $digest
"""


def told_of(lookup: str) -> str:
    """What a refusal says that is about a lookup: by this a person's word finds the delivery."""
    return f"the lookup {lookup} holds "


def shortage(warehouse: Warehouse, contract: Contract, delivery: Delivery, lookup: str, rows: int) -> str | None:
    """Why a delivery is to be refused that brings rows of a table, and a lookup for them that is empty or cut off.

    A delta may bring as much of a lookup as its own rows need. One that was empty before, and taken in, may stay so.

    Returns:
        Why, and what to do; nothing where the lookup is whole, or somebody has accepted it.
    """
    before = warehouse.value(_BEFORE, {"source": contract.source, "lookup": lookup})
    is_empty = rows == 0 and before != 0 and any(file.rows for file in delivery.files if file.table == contract.table)
    is_cut_off = (
        delivery.mode == "full" and contract.shrink_tolerance is not None and before is not None
        and before >= SMALLEST_COMPARED and before - rows > contract.shrink_tolerance * before
    )  # fmt: skip
    if not (is_empty or is_cut_off):
        return None
    word = {"source": contract.source, "lookup": lookup, "delivery": delivery.delivery_id, "digest": delivery.digest}
    if warehouse.value(_ACCEPTED, word):
        return None
    after = "" if before is None else f" after {before}"
    return (
        f"{told_of(lookup)}{rows} rows{after}: what {contract.table} looks up would be nothing; deliver it whole, "
        f"or say that it is right with gallring accept {contract.source} {lookup}"
    )
