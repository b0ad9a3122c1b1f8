"""Readings of restricted people's data, noted so that the evidence tells of each (Art 18; rules.md, *Restriction*).

While a person's data is restricted, whatever shows it or tells of it through the product leaves a line in the office's
journal: what was read, and of what. The evidence passes on that it was done and when, and neither a key nor a name.
Knows what is restricted as of the last evaluation; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from assets.ingest.registers import Entry, note, prepare
from assets.warehouse import Warehouse

Reading = Literal["explained", "timeline_made", "answer_drafted", "matches_listed", "match_shown", "quarantine_shown"]
READINGS = "readings"
#: What the journal says beside a reading of restricted data.
RESTRICTED = "restricted"


def any_restricted(warehouse: Warehouse, records: Iterable[tuple[str, int]]) -> bool:
    """Whether one of `records` (record type, surrogate) is restricted, as of the last evaluation."""
    asked = set(records)
    if not asked or not warehouse.exists("triggers", "restricted_records"):
        return False
    found = warehouse.value(
        "select count(*) from triggers.restricted_records as restricted "
        "inner join (select unnest($types) as record_type, unnest($rows) as row_id) as asked "
        "on restricted.record_type = asked.record_type and restricted.row_id = asked.row_id",
        {"types": [record_type for record_type, _ in asked], "rows": [row_id for _, row_id in asked]},
    )
    return bool(found)


def records_named(warehouse: Warehouse, names: Iterable[tuple[str, str]]) -> list[tuple[str, int]]:
    """The records of some (record type, key), as (record type, surrogate); those that nobody knows are left out."""
    asked = set(names)
    if not asked or not warehouse.exists("core", "records"):
        return []
    found = warehouse.rows(
        "select known.record_type, known.row_id from core.records as known "
        "inner join (select unnest($types) as record_type, unnest($keys) as record_key) as asked "
        "on known.record_type = asked.record_type and known.record_key = asked.record_key order by all",
        {"types": [record_type for record_type, _ in asked], "keys": [key for _, key in asked]},
    )
    return [(record_type, row_id) for record_type, row_id in found]


def note_reading(
    warehouse: Warehouse, reading: Reading, subject: str, records: Iterable[tuple[str, int]], at: datetime
) -> bool:
    """Note a reading, if any of what it reads is restricted.

    Args:
        warehouse: where the journal stands; not in a transaction that is rolled back.
        reading: what was done.
        subject: of what, as the office names it; stays in the warehouse.
        records: what it reads, as (record type, surrogate).
        at: when, UTC.

    Returns:
        Whether it was noted.
    """
    if not any_restricted(warehouse, records):
        return False
    prepare(warehouse)
    with warehouse.transaction():
        note(warehouse, [Entry(READINGS, subject)], at, reading, RESTRICTED)
    return True
