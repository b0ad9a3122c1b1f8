"""Remembers what the expectations found, so that it can be published. Runs no check and judges none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from assets.warehouse import Warehouse

if TYPE_CHECKING:
    from expectations.validation import Verdict

_COLUMNS = {
    "stop": "varchar",
    "name": "varchar",
    "asset": "varchar",
    "description": "varchar",
    "severity": "varchar",
    "passed": "boolean",
    "evaluated": "bigint",
    "unexpected": "bigint",
    "as_of": "date",
}


def record_verdicts(warehouse: Warehouse, stop: str, verdicts: Sequence[Verdict], as_of: date) -> None:
    """Make `verdicts` the last ones of a stop in `quality.verdicts`."""
    definitions = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    rows = [
        (stop, verdict.name, verdict.asset, verdict.description, verdict.severity, verdict.passed, verdict.evaluated,
         verdict.unexpected, as_of)
        for verdict in verdicts
    ]  # fmt: skip
    with warehouse.transaction():
        warehouse.run("create schema if not exists quality")
        warehouse.run(f"create table if not exists quality.verdicts ({definitions})")
        warehouse.run("delete from quality.verdicts where stop = ?", [stop])
        warehouse.insert("quality.verdicts", list(_COLUMNS), rows)
