"""`erasure.*`: the product's own copies, kept to their last day and no longer.

One step, after the systems have been told: what sealed manifests ordered erased leaves the warehouse's file, then
files whose last day has passed are destroyed, then the register is written down as counts. Last, the run history lets
go of runs whose period is over. That a day has passed is not told by the day of evaluation alone: see `held_against`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetsDefinition,
    MaterializeResult,
    ResourceParam,
    asset_check,
    multi_asset,
)

from assets.catalogue.assets import POOL, clear_failures, key_of, table_spec, told_of
from assets.erasure.copies import copy_register, destroy_expired, record_register
from assets.erasure.erasing import Erasure, erase_own_copies
from assets.erasure.periods import Periods, held_against
from assets.ingest.blocking import fresh_until
from assets.ingest.tables import require_intake
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse

GROUP = "7_own_copies"
EVERY_FILE_IS_ON_THE_REGISTER = AssetCheckKey(key_of("erasure.copies"), "every_file_is_on_the_register")

_TABLES = {
    "erasure.rewrites": "When something had to go, why, and until when the file may hold its bytes. Grain: an erasure.",
    "erasure.copies": "The copy register as counts: files that can hold personal data. Grain: a kind of copy.",
}


def erasure_assets(after: Iterable[str]) -> list[AssetsDefinition]:
    """Erasing own copies, after the tables of `after`: what was sealed, and what became of it."""
    before = [*after, "intake.quarantined", "intake.deliveries"]
    specs = [table_spec(table, group=GROUP, description=text, deps=before) for table, text in _TABLES.items()]

    @multi_asset(name="own_copies", specs=specs, description="Erases in the warehouse, destroys old files.", pool=POOL)
    def own_copies(
        warehouse: ResourceParam[Warehouse],
        policy: ResourceParam[Policy],
        site: ResourceParam[Site],
        keeping: ResourceParam[Periods],
        forget_runs: ResourceParam[Any],
        as_of: ResourceParam[date],
        issued_at: ResourceParam[datetime],
        time_zone: ResourceParam[ZoneInfo],
    ) -> Iterator[MaterializeResult[Any]]:
        began = time.monotonic()
        with clear_failures():
            require_intake(warehouse)
            made_on = issued_at.astimezone(time_zone).date()
            held = held_against(as_of, made_on, fresh_until(warehouse, policy))
            erasure = erase_own_copies(
                warehouse, policy, as_of=min(as_of, made_on), quarantine=keeping.quarantine, residue=keeping.residue,
                closed=keeping.registers, erased_bytes=keeping.erased_bytes, departed=keeping.manifests,
                held_against=held,
            )  # fmt: skip
            seconds = time.monotonic() - began
            destroyed, register = destroy_expired(warehouse, site, keeping, held)
            record_register(warehouse, register)
            runs = forget_runs(held)
        yield from told_of(warehouse, specs, {
            key_of("erasure.rewrites"): {**_told_of(erasure), "seconds": round(seconds, 3)},
            key_of("erasure.copies"): {
                "held_against": held.isoformat(),
                "files_destroyed": destroyed,
                "files_not_on_the_register": len(register.strangers),
                "runs_forgotten": runs,
            },
        })  # fmt: skip

    return [own_copies]


def erasure_checks() -> list[AssetChecksDefinition]:
    """Every file of the site that can hold personal data is on the register. A stranger is a warning."""

    @asset_check(
        asset=key_of("erasure.copies"),
        name="every_file_is_on_the_register",
        description="No file stands in the site that the copy register does not list: `gallring copies` names them.",
        pool=POOL,
    )
    def every_file_is_on_the_register(
        warehouse: ResourceParam[Warehouse], site: ResourceParam[Site], keeping: ResourceParam[Periods]
    ) -> AssetCheckResult:
        with clear_failures():
            register = copy_register(site, warehouse, keeping)
        return AssetCheckResult(
            passed=not register.strangers,
            severity=AssetCheckSeverity.WARN,
            metadata={"evaluated": len(register.copies), "unexpected": len(register.strangers)},
        )

    return [every_file_is_on_the_register]


def _told_of(erasure: Erasure) -> dict[str, Any]:
    return {
        "reasons": ", ".join(erasure.reasons) or "nothing had to go",
        "fields_erased": erasure.fields_erased,
        "records": erasure.records,
        "quarantined_erased": erasure.quarantined_erased,
        "rows_kept": erasure.rows_kept,
        "bytes_before": erasure.bytes_before,
        "bytes_after": erasure.bytes_after,
        "rows_changed_in_place": erasure.rows_changed,
        "bytes_until": erasure.bytes_until.isoformat() if erasure.bytes_until else "no erased value is in the file",
    }
