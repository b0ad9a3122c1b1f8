"""Orders that wait for a row that was set aside, while everything else is sealed.

Where the site says so (`[approval] unread_rows = "leave_out"`), nothing is ordered erased or redacted of a record on
which such a row bears (`unread`): what is proposed of it stays in the proposal, its own copies stay, and its partners
are told nothing of it. What restricts it or takes an order back is sealed like all else. The next night proposes it
anew, and seals it once the row was read, or once the site says `wait`.

`manifest.left_out(system, record_type, record_key)`: the records, each once, as of the last sealing.
"""

from __future__ import annotations

from dataclasses import dataclass

from assets.manifests.unread import concerned_records, is_any_set_aside
from assets.warehouse import Warehouse

_COLUMNS = "system varchar, record_type varchar, record_key varchar"

_FIND = """
    insert into manifest.left_out
    select distinct proposed.system, proposed.record_type, proposed.record_key
    from manifest.proposed as proposed
    inner join ({concerned}) as concerned
        on concerned.record_type = proposed.record_type and concerned.record_key = proposed.record_key
        and concerned.source = proposed.system
    where proposed.action in ('erase', 'redact')
"""

#: True of rows that name a record by `record_type` and `record_key` of which all may be told.
OF_OTHERS = (
    "coalesce((cast(record_type as varchar), record_key) "
    "not in (select (record_type, record_key) from manifest.left_out), true)"
)
#: True of rows that have an `action` besides, and may be told.
TOLD = f"(action in ('restrict', 'lift') or {OF_OTHERS})"


def find(warehouse: Warehouse, *, leave_out: bool) -> bool:
    """Make `manifest.left_out` of what is proposed; whether any record is in it.

    Args:
        warehouse: with the day's proposal, and with what the ingest left.
        leave_out: whether the site leaves anything out; the table is empty where it does not.
    """
    with warehouse.transaction():
        warehouse.run(f"create or replace table manifest.left_out ({_COLUMNS})")
        if leave_out and is_any_set_aside(warehouse):
            warehouse.run(_FIND.format(concerned=concerned_records(warehouse)))
    return bool(warehouse.value("select count(*) from manifest.left_out"))


@dataclass(frozen=True)
class LeftOut:
    """How many records of a system no order is given about before rows that were set aside are read."""

    system: str
    records: int


#: Why, and what to do.
WHAT_TO_DO = (
    "rows that were set aside name them, or hang together with what these name, and may say why they are to be kept. "
    "Mend the source or the contract (`gallring quarantine` tells which rows). Where that cannot be done: run with "
    'unread_rows = "wait" under [approval], look at the manifests that wait then, and decide.'
)


def left_out(warehouse: Warehouse) -> list[LeftOut]:
    """What the last sealing left out, by system; nothing before there was one."""
    if not warehouse.exists("manifest", "left_out"):
        return []
    rows = warehouse.rows("select system, count(*) from manifest.left_out group by system order by system")
    return [LeftOut(*row) for row in rows]
