"""The jobs: the whole cycle and its parts, what can be set for them, and how they execute.

A part takes up what the parts before it left in the warehouse. All run their steps in one process, one after another.
"""
# No `from __future__ import annotations`: Dagster reads the annotation of a config mapping as it stands.

from typing import TYPE_CHECKING, Any

from dagster import (
    AssetSelection,
    Config,
    config_mapping,
    define_asset_job,
    in_process_executor,
)
from pydantic import Field

from assets.core.assets import GROUP as CORE
from assets.erasure.assets import GROUP as OWN_COPIES
from assets.ingest.assets import GROUP as INTAKE
from assets.ingest.assets import POLICY_GROUP as POLICY
from assets.manifests.assets import GROUP as MANIFESTS
from assets.publication.assets import GROUP as PUBLICATION
from assets.retention.assets import GROUP as RETENTION
from assets.retention.assets import PURPOSE_GROUP as PURPOSES
from assets.retention.assets import TRIGGER_GROUP as TRIGGERS

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

RUN_CYCLE = "run_cycle"


class CycleConfig(Config):
    """What can be set for a run."""

    as_of: str = Field(
        default="",
        description="The day of evaluation, YYYY-MM-DD. Empty: the day on which the run is created.",
    )


@config_mapping
def cycle_config(settings: CycleConfig) -> dict[str, Any]:
    """The day, for every step alike."""
    return {"resources": {"as_of": {"config": {"day": settings.as_of}}}}


def jobs() -> "list[UnresolvedAssetJobDefinition]":
    """Every job."""
    return [
        _job(RUN_CYCLE, AssetSelection.all(), "Everything: take in what arrived, evaluate, check, seal, publish."),
        _job("ingest_deliveries", AssetSelection.groups(POLICY, INTAKE), "Take in the deliveries that arrived."),
        _job(
            "evaluate_retention",
            AssetSelection.groups(CORE, TRIGGERS, PURPOSES, RETENTION),
            "What every purpose claims on the day, and what the claims add up to, over what was last taken in.",
        ),
        _job("seal_manifests", AssetSelection.groups(MANIFESTS), "Seal what the last evaluation of that day changed."),
        _job(
            "erase_own_copies",
            AssetSelection.groups(OWN_COPIES),
            "Take out of the warehouse what was ordered erased, and destroy files whose last day has passed.",
        ),
        _job("publish_analytics", AssetSelection.groups(PUBLICATION), "Publish the last evaluation to the analysts."),
    ]


def _job(name: str, selection: AssetSelection, description: str) -> "UnresolvedAssetJobDefinition":
    return define_asset_job(
        name, selection, config=cycle_config, description=description, executor_def=in_process_executor
    )
