"""The jobs: the whole cycle and its parts, what can be set for them, and how they execute.

A part takes up what the parts before it left in the warehouse. All run their steps in one process, one after another.
"""
# No `from __future__ import annotations`: Dagster reads the annotation of a config mapping as it stands.

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetSelection,
    Config,
    JobDefinition,
    OpExecutionContext,
    ResourceParam,
    config_mapping,
    define_asset_job,
    in_process_executor,
    job,
    op,
)
from pydantic import Field

from assets.catalogue.assets import POOL, clear_failures
from assets.core.assets import GROUP as CORE
from assets.delivery import approving
from assets.delivery.assets import GROUP as DELIVERY
from assets.erasure.assets import GROUP as OWN_COPIES
from assets.ingest.assets import GROUP as INTAKE
from assets.ingest.assets import POLICY_GROUP as POLICY
from assets.manifests.assets import GROUP as MANIFESTS
from assets.publication.assets import GROUP as PUBLICATION
from assets.retention.assets import GROUP as RETENTION
from assets.retention.assets import PURPOSE_GROUP as PURPOSES
from assets.retention.assets import TRIGGER_GROUP as TRIGGERS
from assets.warehouse import Warehouse

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

RUN_CYCLE = "run_cycle"
APPROVE = "approve_manifest"
CANCEL = "cancel_manifest"
DELIVER = "deliver_manifests"
READ = "read_receipts"


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


class DecisionConfig(Config):
    """A person's decision about a manifest."""

    manifest_id: str = Field(description="The manifest's id, or how it begins.")
    by: str = Field(description="Who decides. Not who launched the run that sealed it.")
    reason: str = Field(description="Why.")


@op(pool=POOL, description="Approves a manifest for delivery, in a person's name.")
def approval_of_a_person(
    context: OpExecutionContext, config: DecisionConfig, warehouse: ResourceParam[Warehouse],
    as_of: ResourceParam[date], clock: ResourceParam[Any],
) -> None:  # fmt: skip
    """Approve, and say which manifest."""
    with clear_failures():
        full_id = approving.approve(
            warehouse, config.manifest_id, by=config.by, reason=config.reason, on_day=as_of, at=clock()
        )
    context.add_output_metadata({"manifest_id": full_id})


@op(pool=POOL, description="Cancels a manifest that was not delivered, in a person's name.")
def cancellation_by_a_person(
    context: OpExecutionContext, config: DecisionConfig, warehouse: ResourceParam[Warehouse],
    as_of: ResourceParam[date], clock: ResourceParam[Any],
) -> None:  # fmt: skip
    """Cancel, and say which manifest."""
    with clear_failures():
        full_id = approving.cancel(
            warehouse, config.manifest_id, by=config.by, reason=config.reason, on_day=as_of, at=clock()
        )
    context.add_output_metadata({"manifest_id": full_id})


@job(
    name=APPROVE, executor_def=in_process_executor,
    description="Approve a manifest. In the launchpad: which one, who, why. Delivery follows (sensor approval_given).",
)  # fmt: skip
def approve_manifest() -> None:
    """One step."""
    approval_of_a_person()


@job(
    name=CANCEL, executor_def=in_process_executor,
    description="Cancel a manifest that was not delivered. What still stands is proposed anew by the next run.",
)  # fmt: skip
def cancel_manifest() -> None:
    """One step."""
    cancellation_by_a_person()


@cache
def delivery_jobs() -> "tuple[UnresolvedAssetJobDefinition, ...]":
    """What follows an approval, and what follows an answer: always the same two, which sensors refer to."""
    before = (POLICY, INTAKE, CORE, TRIGGERS, PURPOSES, RETENTION)
    return (
        _job(
            DELIVER,
            AssetSelection.groups(*before, DELIVERY),
            "Evaluate the day, re-check every approved manifest at the door, deliver, read the answers.",
        ),
        _job(
            READ,
            AssetSelection.assets("manifest/receipts", "manifest/reminders", "manifest/item_states"),
            "Read the answers that arrived.",
        ),
    )


def jobs() -> "list[UnresolvedAssetJobDefinition | JobDefinition]":
    """Every job."""
    return [
        approve_manifest,
        cancel_manifest,
        *delivery_jobs(),
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
