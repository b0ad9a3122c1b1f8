"""Deliveries that decisions were made from before a loss, and that neither the backup nor the inbox holds.

What they said, a hold or a person's word among it, nobody here knows any more. Each is recorded as rejected, so that
its source blocks until everything of it has come whole (`assets.ingest.blocking`), or the folder is put back. What was
read is told by sealed manifests and the evidence log: by source, id and digest alone. Reads no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from assets.ingest.blocking import LOST
from assets.ingest.deliveries import find_deliveries
from assets.ingest.projecting import LOCAL_ZONE
from assets.site import Site
from assets.warehouse import Warehouse


@dataclass(frozen=True)
class Reading:
    """What one decision was made from.

    Attributes:
        told_at: when it was told; tells which of two is the later one.
        as_of: the day that was decided.
        deliveries: each with source, delivery_id and digest, as `inputs.deliveries_read` has them.
    """

    told_at: datetime
    as_of: date
    deliveries: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Lost:
    """A delivery that was lost, and the first day that was decided from it."""

    source: str
    delivery_id: str
    read_on: date


def note_lost(warehouse: Warehouse, site: Site, readings: Sequence[Reading]) -> tuple[Lost, ...]:
    """Record the deliveries that `readings` name, that are neither known nor to be had; those noted before stay so.

    One that a later decision was not made from any more, though from a newer one of its source, was replaced by that.
    """
    kept = {(each.source, each.digest) for each in find_deliveries(site) if not each.refused}
    kept.update(warehouse.rows("select source, digest from intake.deliveries where status = 'loaded'"))
    noted = set(warehouse.rows("select source, digest from intake.deliveries where reason = $lost", {"lost": LOST}))
    lost = []
    for (source, digest), found in _not_replaced(readings).items():
        if (source, digest) in kept | noted:
            continue
        _note(warehouse, found, digest)
        lost.append(found)
    return tuple(lost)


def _not_replaced(readings: Sequence[Reading]) -> dict[tuple[str, str], Lost]:
    """By source and digest: what no later decision left out for a newer delivery of its source."""
    first: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], int] = {}
    named: dict[tuple[str, str], Lost] = {}
    for turn, reading in enumerate(sorted(readings, key=lambda each: each.told_at)):
        for each in reading.deliveries:
            which = (each["source"], each["digest"])
            first.setdefault(which, turn)
            last[which] = turn
            named.setdefault(which, Lost(each["source"], each["delivery_id"], reading.as_of))
    return {
        which: found for which, found in named.items()
        if not any(other[0] == which[0] and first[other] > first[which] and last[other] > last[which] for other in last)
    }  # fmt: skip


def _note(warehouse: Warehouse, found: Lost, digest: str) -> None:
    """A row like that of any rejected delivery. When it was extracted is not known: no earlier than its day counts."""
    of_it = [found.source, found.delivery_id]
    for table in ("files", "deliveries"):
        warehouse.run(f"delete from intake.{table} where source = ? and delivery_id = ? and status = 'rejected'", of_it)
    begins = datetime.combine(found.read_on, time.min, ZoneInfo(LOCAL_ZONE)).astimezone(UTC).replace(tzinfo=None)
    sequence = int(warehouse.value("select coalesce(max(sequence), 0) + 1 from intake.deliveries"))
    warehouse.insert(
        "intake.deliveries",
        ("sequence", "source", "delivery_id", "extracted_at", "digest", "status", "reason"),
        [(sequence, *of_it, begins, digest, "rejected", LOST)],
    )
