"""`core.*`: typed, normalised, people resolved. One step, one asset a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dagster import AssetsDefinition, MaterializeResult, ResourceParam, multi_asset

from assets.catalogue.assets import POOL, clear_failures, model_spec, table_spec, told_of
from assets.core.changing import rebuild
from assets.ingest.tables import require_intake
from assets.models import Models
from assets.policy import Policy
from assets.warehouse import Warehouse

GROUP = "2_core"


def core_assets() -> list[AssetsDefinition]:
    """Every table of `sql/core/`, and the people that rows of several sources turn out to be."""
    people = table_spec(
        "core.people",
        group=GROUP,
        description="Which rows are one person: connected by personnummer, by e-mail and name, or by reference.",
        deps=["core.person_nodes", "core.person_links"],
        kinds=("duckdb", "python"),
    )
    specs = [*(model_spec(model, group=GROUP) for model in Models.of("core").ordered), people]

    @multi_asset(name="core", specs=specs, description="Records with integer keys, dates and statuses.", pool=POOL)
    def core(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy], from_scratch: ResourceParam[bool]
    ) -> Iterator[MaterializeResult[Any]]:
        with clear_failures():
            require_intake(warehouse)
            rebuilt = rebuild(warehouse, policy, full=from_scratch)
        counts = {"rebuilt_records": rebuilt.records, "rebuilt_everything": rebuilt.whole}
        yield from told_of(warehouse, specs, {people.key: counts})

    return [core]
