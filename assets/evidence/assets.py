"""The evidence log as an asset: the last step of a cycle, after whatever the warehouse has decided, told and erased."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from dagster import AssetKey, AssetsDefinition, MaterializeResult, ResourceParam, asset

from assets.catalogue.assets import OWNERS, POOL, clear_failures, key_of
from assets.evidence.recording import record
from assets.manifests.signatures import Signer
from assets.site import Site
from assets.warehouse import Warehouse

GROUP = "8_evidence"
#: The log comes after these: what it reads, and what every step of a delivery or an erasure of own copies makes.
AFTER_SCHEMAS = ("delivery", "erasure")
AFTER_TABLES = (
    "retention.claims",
    "retention.dispositions",
    "manifest.manifests",
    "manifest.events",
    "manifest.receipts",
    "manifest.verifications",
    "manifest.item_states",
)


def evidence_assets(made: Collection[AssetKey]) -> list[AssetsDefinition]:
    """The log. `made`: the assets of the stops before."""
    tables = set(map(key_of, AFTER_TABLES))
    after = sorted(key for key in made if key in tables or key.path[0] in AFTER_SCHEMAS)

    @asset(
        key=AssetKey(["evidence", "entries"]),
        group_name=GROUP,
        description="The hash-chained log of what was decided, sealed, approved, delivered, answered, verified and "
        "erased, without personal data. Grain: an entry.",
        deps=after,
        kinds={"json"},
        owners=OWNERS,
        pool=POOL,
    )
    def evidence_entries(
        warehouse: ResourceParam[Warehouse],
        site: ResourceParam[Site],
        signer: ResourceParam[Signer],
        issued_at: ResourceParam[datetime],
    ) -> MaterializeResult[Any]:
        with clear_failures():
            report = record(warehouse, site, signer, issued_at)
        written = {f"written_{kind}": count for kind, count in sorted(report.written.items())}
        return MaterializeResult(
            metadata={"dagster/row_count": report.entries, "repaired_after_a_crash": report.repaired, **written}
        )

    return [evidence_entries]
