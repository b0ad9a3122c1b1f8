"""What is looked after every night for the office: requests answered in time, holds reviewed, free text scanned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetsDefinition,
    MaterializeResult,
    ResourceParam,
    asset_check,
    multi_asset,
)

from assets.catalogue.assets import POOL, clear_failures, key_of, model_spec, told_of
from assets.ingest import registers
from assets.ingest.tables import require_intake
from assets.retention.assets import GROUP
from assets.rights import freetext, holds, requests
from assets.warehouse import Warehouse

#: Claims about the office's registers, by check name: the table that they are about.
CHECKS = {"requests_answered_in_time": "raw.office_requests", "holds_reviewed_in_time": "raw.office_holds"}


def rights_assets() -> list[AssetsDefinition]:
    """What free text holds that it should not, found anew each night."""
    specs = [model_spec(freetext.FREE_TEXT, group=GROUP)]

    @multi_asset(name="free_text", specs=specs, description="Scans notes, quote texts and complaints.", pool=POOL)
    def free_text(warehouse: ResourceParam[Warehouse]) -> Iterator[MaterializeResult[Any]]:
        with clear_failures():
            freetext.scan(warehouse)
        yield from told_of(warehouse, specs)

    return [free_text]


def rights_checks() -> list[AssetChecksDefinition]:
    """The claims about the office's registers. None stops a run: what is late makes nothing else late."""
    return [
        _check(
            "requests_answered_in_time",
            "Every request is answered, or its time still runs (Art 12(3), Regulation 1182/71).",
            AssetCheckSeverity.ERROR,
            lambda warehouse, as_of: [each.request_id for each in requests.overdue(warehouse, as_of)],
        ),
        _check(
            "holds_reviewed_in_time",
            "Every hold that stands was placed or reviewed within its review period (P6M).",
            AssetCheckSeverity.WARN,
            lambda warehouse, as_of: [
                each.hold_id for each in holds.holds(warehouse, as_of) if each.state == "review_due"
            ],
        ),
    ]


def _check(
    name: str, claim: str, severity: AssetCheckSeverity, failing: Callable[[Warehouse, date], list[str]]
) -> AssetChecksDefinition:
    """A check that is red while `failing` names entries; their numbers are told, nothing else of them."""

    @asset_check(asset=key_of(CHECKS[name]), name=name, description=claim, pool=POOL)
    def checked(warehouse: ResourceParam[Warehouse], as_of: ResourceParam[date]) -> AssetCheckResult:
        with clear_failures():
            require_intake(warehouse)
            registers.prepare(warehouse)
            found = failing(warehouse, as_of)
        metadata: dict[str, Any] = {"unexpected": len(found), "entries": ", ".join(found[:50])}
        return AssetCheckResult(passed=not found, severity=severity, metadata=metadata)

    return checked
