"""`triggers.*`, `purposes.*` and `retention.*`: what starts and ends, what claims what, and what that adds up to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from dagster import AssetsDefinition, AssetSpec, MaterializeResult, ResourceParam, multi_asset

from assets.catalogue.assets import POOL, clear_failures, key_of, model_spec, table_spec, told_of
from assets.models import Model, Models
from assets.policy import Policy
from assets.retention.incremental import evaluate_night
from assets.warehouse import Warehouse

TRIGGER_GROUP = "3_triggers"
PURPOSE_GROUP = "4_purposes"
GROUP = "5_retention"
#: What the office enters at the site itself, whenever it does.
_NO_ASSETS = ("office.matches",)


def retention_assets(policy: Policy) -> list[AssetsDefinition]:
    """The evaluation of a day: one step, so that its tables are always of one day and one policy."""
    specs = [
        *(model_spec(model, group=TRIGGER_GROUP) for model in Models.of("triggers").ordered),
        *(_purpose_spec(policy, model) for model in Models(policy.purpose_models).ordered),
        table_spec(
            "retention.purpose_claims",
            group=GROUP,
            description="What every purpose claims, gathered. Grain: a clock of a purpose on a record.",
            deps=[model.table for model in policy.purpose_models],
        ),
        *(model_spec(model, group=GROUP, without=_NO_ASSETS) for model in Models.of("retention").ordered),
    ]

    @multi_asset(name="retention", specs=specs, description="Every purpose on every record, as of the day.", pool=POOL)
    def retention(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy], as_of: ResourceParam[date],
        from_scratch: ResourceParam[bool],
    ) -> Iterator[MaterializeResult[Any]]:  # fmt: skip
        with clear_failures():
            found = evaluate_night(warehouse, policy, as_of, full=from_scratch)
        counts = {"evaluated_records": found.records, "evaluated_everything": found.whole}
        yield from told_of(warehouse, specs, {key_of("retention.evaluation"): counts})

    return [retention]


def _purpose_spec(policy: Policy, model: Model) -> AssetSpec:
    """A purpose's SQL with what the register says of it."""
    entry = policy.register.purposes[model.name]
    spec = model_spec(model, group=PURPOSE_GROUP, tags={"class": entry.purpose_class})
    return spec.merge_attributes(
        metadata={
            "title_sv": entry.title.sv,
            "title_en": entry.title.en,
            "legal_basis": " | ".join(entry.legal_basis),
            "periods": ", ".join(f"{clock} {period}" for clock, period in entry.periods.items()),
            "law": entry.law,
            "decided_by": entry.decided_by,
        }
    )
