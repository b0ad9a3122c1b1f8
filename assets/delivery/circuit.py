"""A circuit per system: after a failure that may pass, nothing is tried until a while has gone by, then once.

Keeps its state in `manifest.circuits`, so that a run remembers what the one before met. Knows no transport and no
clock: the instant comes in with each question.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from assets.warehouse import Warehouse

Position = Literal["closed", "half_open", "open"]

#: How long a system that is down is left alone.
HALF_OPEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class OpenCircuit:
    """A system that did not answer: since when, how often by now, and with which code the last time."""

    system: str
    failures: int
    opened_at: datetime
    code: str


def prepare(warehouse: Warehouse) -> None:
    """Make `manifest.circuits` where it is not there yet. Grain: a system that did not answer the last time."""
    warehouse.run("create schema if not exists manifest")
    warehouse.run(
        "create table if not exists manifest.circuits "
        "(system varchar, failures bigint, opened_at timestamp, code varchar)"
    )


def position(warehouse: Warehouse, system: str, now: datetime, half_open_after: timedelta) -> Position:
    """Whether `system` may be tried: as usual, once, or not yet."""
    opened_at = warehouse.value("select opened_at from manifest.circuits where system = $system", {"system": system})
    if opened_at is None:
        return "closed"
    return "half_open" if _utc(now) >= opened_at + half_open_after else "open"


def answered(warehouse: Warehouse, system: str) -> None:
    """The system did what it was asked: close its circuit."""
    warehouse.run("delete from manifest.circuits where system = $system", {"system": system})


def failed(warehouse: Warehouse, system: str, code: str, now: datetime) -> None:
    """The system did not answer: open its circuit, or keep it open from now."""
    with warehouse.transaction():
        failures = warehouse.value(
            "select failures from manifest.circuits where system = $system", {"system": system}
        ) or 0  # fmt: skip
        answered(warehouse, system)
        warehouse.insert(
            "manifest.circuits", ["system", "failures", "opened_at", "code"], [(system, failures + 1, _utc(now), code)]
        )


def open_circuits(warehouse: Warehouse) -> list[OpenCircuit]:
    """The systems that did not answer the last time they were tried. Makes nothing: it is asked by who only looks."""
    if not warehouse.exists("manifest", "circuits"):
        return []
    rows = warehouse.rows("select system, failures, opened_at, code from manifest.circuits order by system")
    return [OpenCircuit(system, failures, at.replace(tzinfo=UTC), code) for system, failures, at, code in rows]


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
