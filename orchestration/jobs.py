"""The jobs: the whole cycle and its parts, what can be set for them, and how they execute.

A part takes up what the parts before it left in the warehouse. All run their steps in one process, one after another.
"""
# No `from __future__ import annotations`: Dagster reads the annotation of a config mapping as it stands.

from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetSelection,
    Config,
    ConfigMapping,
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

from assets.assurance.assets import NO_COPY_OUTLIVED, REGISTER_REVIEW, REVIEWS, VERIFICATIONS
from assets.catalogue.assets import POOL, clear_failures, key_of
from assets.core.assets import GROUP as CORE
from assets.delivery import approving
from assets.delivery.assets import GROUP as DELIVERY
from assets.erasure.assets import EVERY_FILE_IS_ON_THE_REGISTER
from assets.erasure.assets import GROUP as OWN_COPIES
from assets.ingest.assets import GROUP as INTAKE
from assets.ingest.assets import POLICY_GROUP as POLICY
from assets.manifests.assets import GROUP as MANIFESTS
from assets.policy import Policy
from assets.publication.assets import GROUP as PUBLICATION
from assets.publication.standings import Standing
from assets.rehearsal import dry_running
from assets.retention.assets import GROUP as RETENTION
from assets.retention.assets import PURPOSE_GROUP as PURPOSES
from assets.retention.assets import TRIGGER_GROUP as TRIGGERS
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.restoring import replay_here
from orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

RUN_CYCLE = "run_cycle"
APPROVE = "approve_manifest"
CANCEL = "cancel_manifest"
DELIVER = "deliver_manifests"
READ = "read_receipts"
VERIFY = "verify_everything"
REVIEW = "review_register"
DRY_RUN = "dry_run"
BACKFILL = "backfill_day"
REPLAY = "replay_outbox"


class DayConfig(Config):
    """What can be set for a run."""

    as_of: str = Field(
        default="",
        description="The day of evaluation, YYYY-MM-DD. Empty: the day on which the run is created.",
    )


@config_mapping
def day_config(settings: DayConfig) -> dict[str, Any]:
    """The day, for every step alike."""
    return {"resources": {"as_of": {"config": {"day": settings.as_of}}}}


class CycleConfig(DayConfig):
    """What can be set for a run that evaluates."""

    full: bool = Field(
        default=False,
        description="Evaluate every record anew, not only those in whose surroundings something happened. What is "
        "decided is the same.",
    )


@config_mapping
def cycle_config(settings: CycleConfig) -> dict[str, Any]:
    """The day, for every step alike, and whether everything is evaluated."""
    whole = {"config": {"full": settings.full}}
    return {"resources": {"as_of": {"config": {"day": settings.as_of}}, "from_scratch": whole}}


class DecisionConfig(Config):
    """A person's decision about a manifest, or about several alike."""

    manifest_id: str = Field(description="The manifest's id, or how it begins.")
    further: list[str] = Field(
        default=[],
        description="Further manifests that the same person decides on for the same reason, each logged by itself. All "
        "are looked at before the first is written.",
    )
    by: str = Field(description="Who decides. Not who launched the run that sealed it.")
    reason: str = Field(description="Why.")

    def named(self) -> list[str]:
        """Every manifest that is decided on, as it was named."""
        return [each.strip() for each in (self.manifest_id, *self.further)]


@config_mapping
def approval_config(settings: DecisionConfig) -> dict[str, Any]:
    """The decision, as the approving step takes it."""
    return {"ops": {"approval_of_a_person": {"config": settings.model_dump()}}}


@config_mapping
def cancellation_config(settings: DecisionConfig) -> dict[str, Any]:
    """The decision, as the cancelling step takes it."""
    return {"ops": {"cancellation_by_a_person": {"config": settings.model_dump()}}}


def _decided(full_ids: list[str]) -> dict[str, Any]:
    return {"manifest_id": full_ids[0], **({"further": full_ids[1:]} if len(full_ids) > 1 else {})}


@op(pool=POOL, description="Approves manifests for delivery, in a person's name.")
def approval_of_a_person(
    context: OpExecutionContext, config: DecisionConfig, warehouse: ResourceParam[Warehouse],
    as_of: ResourceParam[date], clock: ResourceParam[Any],
) -> None:  # fmt: skip
    """Approve, and say which."""
    with clear_failures():
        full_ids = approving.approve_each(
            warehouse, config.named(), by=config.by, reason=config.reason, on_day=as_of, at=clock()
        )
    context.add_output_metadata(_decided(full_ids))


@op(pool=POOL, description="Cancels manifests that were not delivered, in a person's name.")
def cancellation_by_a_person(
    context: OpExecutionContext, config: DecisionConfig, warehouse: ResourceParam[Warehouse],
    as_of: ResourceParam[date], clock: ResourceParam[Any],
) -> None:  # fmt: skip
    """Cancel, and say which."""
    with clear_failures():
        full_ids = approving.cancel_each(
            warehouse, config.named(), by=config.by, reason=config.reason, on_day=as_of, at=clock()
        )
    context.add_output_metadata(_decided(full_ids))


@job(
    name=APPROVE, executor_def=in_process_executor, config=approval_config,
    description="Approve a manifest. In the launchpad: which one, who, why. Delivery follows (sensor approval_given).",
)  # fmt: skip
def approve_manifest() -> None:
    """One step."""
    approval_of_a_person()


@job(
    name=CANCEL, executor_def=in_process_executor, config=cancellation_config,
    description="Cancel a manifest that was not delivered. What still stands is proposed anew by the next run.",
)  # fmt: skip
def cancel_manifest() -> None:
    """One step."""
    cancellation_by_a_person()


class DryRunConfig(Config):
    """Which day to rehearse."""

    as_of: str = Field(
        default="",
        description="The day to rehearse, YYYY-MM-DD; it may be one to come. Empty: the day on which the run is "
        "created.",
    )


@config_mapping
def dry_run_config(settings: DryRunConfig) -> dict[str, Any]:
    """The day, as the step's resource takes it."""
    return {"resources": {"as_of": {"config": {"day": settings.as_of}}}}


class BackfillConfig(Config):
    """Which day to fill in."""

    day: str = Field(description="An earlier day on which no cycle ran, YYYY-MM-DD.")


@config_mapping
def backfill_config(settings: BackfillConfig) -> dict[str, Any]:
    """The day, as the step's resource takes it."""
    return {"resources": {"as_of": {"config": {"day": settings.day}}}}


@op(pool=POOL, description="Evaluates a day and proposes on it, tells how much, and takes everything back.")
def rehearsal(
    context: OpExecutionContext, warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy],
    as_of: ResourceParam[date],
) -> None:  # fmt: skip
    """Rehearse, and say what would be sealed."""
    with clear_failures():
        found = dry_running.dry_run(warehouse, policy, as_of)
    told: dict[str, Any] = {"as_of": as_of.isoformat(), "items": sum(count for *_, count in found.proposed)}
    told |= {f"{system}: {action}": count for system, action, count in found.proposed}
    told |= {f"blocked tables of {source}": count for source, count in found.blocks}
    told |= _by_disposition(found.standing)
    context.add_output_metadata(told)
    context.log.info(f"As of {as_of} a cycle would seal {told['items']} items. Nothing was sealed or kept.")


@op(pool=POOL, description="Evaluates an earlier day over what is known now, and remembers its counts alone.")
def evaluation_afterwards(
    context: OpExecutionContext, warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy],
    as_of: ResourceParam[date],
) -> None:  # fmt: skip
    """Evaluate the day, and say whether its counts were news."""
    with clear_failures():
        is_new, found = dry_running.backfill_day(warehouse, policy, as_of)
    outcome = "remembered" if is_new else "not remembered: a cycle has decided that day"
    context.add_output_metadata({"as_of": as_of.isoformat(), "counts": outcome, **_by_disposition(found)})


@op(pool=POOL, description="Records again what the outbox holds and the warehouse does not, and erases what it orders.")
def replay(
    context: OpExecutionContext, site: ResourceParam[Site], as_of: ResourceParam[date],
    issued_at: ResourceParam[datetime],
) -> None:  # fmt: skip
    """Replay, and say how much."""
    with clear_failures():
        settings = Settings.load(site)
        replayed, erased = replay_here(site, settings, min(as_of, issued_at.astimezone(settings.zone).date()))
    context.add_output_metadata({
        "manifests_replayed": replayed.manifests, "items_replayed": replayed.items,
        "fields_erased": erased.fields_erased, "records": erased.records,
        "deliveries_lost": ", ".join(f"{each.source}/{each.delivery_id}" for each in replayed.lost),
    })  # fmt: skip


def _by_disposition(standing: tuple[Standing, ...]) -> dict[str, int]:
    counts = Counter[str]()
    for each in standing:
        counts[f"categories to {each.disposition}"] += each.with_value
    return dict(sorted(counts.items()))


@job(
    name=DRY_RUN, executor_def=in_process_executor, config=dry_run_config,
    description="What a cycle would decide and seal on a day, over what was last taken in. Changes nothing.",
)  # fmt: skip
def dry_run() -> None:
    """One step."""
    rehearsal()


@job(
    name=BACKFILL, executor_def=in_process_executor, config=backfill_config,
    description="Evaluate an earlier day on which no cycle ran, over what is known now. Its counts join the history of "
    "the report; manifests and dispositions stay as they are.",
)  # fmt: skip
def backfill_day() -> None:
    """One step."""
    evaluation_afterwards()


@job(
    name=REPLAY, executor_def=in_process_executor, config=day_config,
    description="After a restore by hand: record again every sealed manifest that the warehouse does not know.",
)  # fmt: skip
def replay_outbox() -> None:
    """One step."""
    replay()


def jobs() -> "list[UnresolvedAssetJobDefinition | JobDefinition]":
    """Every job."""
    return [approve_manifest, cancel_manifest, dry_run, backfill_day, replay_outbox, *_cycle_jobs(), *_other_jobs()]


def _cycle_jobs() -> "list[UnresolvedAssetJobDefinition]":
    """The cycle, and its parts in their order."""
    return [
        _job(
            RUN_CYCLE, _nightly(), "Everything: take in what arrived, evaluate, check, seal, publish.", cycle_config
        ),
        _job("ingest_deliveries", AssetSelection.groups(POLICY, INTAKE), "Take in the deliveries that arrived."),
        _job(
            "evaluate_retention",
            AssetSelection.groups(CORE, TRIGGERS, PURPOSES, RETENTION),
            "What every purpose claims on the day, and what the claims add up to, over what was last taken in.",
            cycle_config,
        ),
        _job("seal_manifests", AssetSelection.groups(MANIFESTS) - AssetSelection.checks(*VERIFICATIONS),
             "Seal what the last evaluation of that day changed."),
        _job(
            "erase_own_copies",
            AssetSelection.groups(OWN_COPIES) - AssetSelection.checks(*VERIFICATIONS),
            "Take out of the warehouse what was ordered erased, and destroy files whose last day has passed.",
        ),
        _job("publish_analytics", AssetSelection.groups(PUBLICATION), "Publish the last evaluation to the analysts."),
    ]  # fmt: skip


def _other_jobs() -> "list[UnresolvedAssetJobDefinition]":
    """What follows an approval, what follows an answer, and what is looked at anew."""
    before = (POLICY, INTAKE, CORE, TRIGGERS, PURPOSES, RETENTION)
    return [
        _job(
            DELIVER,
            AssetSelection.groups(*before, DELIVERY),
            "Evaluate the day, re-check every approved manifest at the door, deliver, read the answers.",
            cycle_config,
        ),
        _job(
            READ,
            AssetSelection.assets("manifest/receipts", "manifest/reminders", "manifest/item_states"),
            "Read the answers that arrived.",
        ),
        _job(
            VERIFY,
            AssetSelection.checks(*VERIFICATIONS) | AssetSelection.checks(EVERY_FILE_IS_ON_THE_REGISTER),
            "Verify every sealed manifest, the evidence log and every copy, and evaluate from scratch to compare.",
        ),
        _job(
            REVIEW,
            AssetSelection.assets(key_of(REGISTER_REVIEW)) | AssetSelection.checks(*REVIEWS),
            "What people decided and have to look at again: purposes, findings, holds. Writes a page of it.",
        ),
    ]


def _nightly() -> AssetSelection:
    """All but what reads everything there is; what the disk did not let go of is told every night until it is gone."""
    return AssetSelection.all() - AssetSelection.checks(*(each for each in VERIFICATIONS if each != NO_COPY_OUTLIVED))


def _job(
    name: str, selection: AssetSelection, description: str, config: ConfigMapping = day_config
) -> "UnresolvedAssetJobDefinition":
    return define_asset_job(name, selection, config=config, description=description, executor_def=in_process_executor)
