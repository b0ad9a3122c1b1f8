"""`manifest.*`: what is to be told, and what was sealed. Proposing seals nothing; sealing runs its own gate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    ResourceParam,
    asset_check,
    multi_asset,
)

from assets.catalogue.assets import POOL, clear_failures, key_of, model_spec, table_spec, told_of
from assets.manifests.changes import propose
from assets.manifests.left_out import left_out
from assets.manifests.sealing import SealReport, seal
from assets.manifests.signatures import Signer
from assets.models import SQL, Model
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse

GROUP = "6_manifests"

#: Categories of records that were decided on, from which on it pays to share the work out among threads.
_WORTH_SHARING = 5_000_000

#: What earlier sealings left. The proposal is compared with it, so in the graph it comes after, not before.
LEDGER = {
    "manifest.manifests": "Sealed deletion manifests, append-only. Grain: a manifest of one system.",
    "manifest.items": "What each system was told about each record, append-only. Grain: a manifest item.",
    "manifest.told": "The last state told to a record's own source, a bit per field. Grain: a record, item and state.",
    "manifest.events": "What became of each item, append-only. Grain: a change of an item's state.",
    "manifest.notified_fields": "What partners were told of their copies. Grain: a field of a record at a partner.",
}


def manifest_assets() -> list[AssetsDefinition]:
    """Proposing, then sealing what the gate lets through."""
    return [_proposal(), _sealing()]


def manifest_checks() -> list[AssetChecksDefinition]:
    """Every order is given that could be. One that waits for a row that was set aside is a warning."""

    @asset_check(
        asset=key_of("manifest.left_out"),
        name="no_order_waits_for_a_row",
        description="Every order to erase is given: no row that was set aside may say why a record is to be kept. "
        "`gallring quarantine` says which rows, `gallring status` what to do.",
        pool=POOL,
    )
    def no_order_waits_for_a_row(warehouse: ResourceParam[Warehouse]) -> AssetCheckResult:
        with clear_failures():
            found = left_out(warehouse)
        return AssetCheckResult(
            passed=not found,
            severity=AssetCheckSeverity.WARN,
            metadata={
                "unexpected": sum(each.records for each in found),
                "systems": ", ".join(f"{each.system}: {each.records}" for each in found) or "none",
            },
        )

    return [no_order_waits_for_a_row]


def _proposed_tables() -> list[AssetSpec]:
    models = [Model(schema="manifest", path=path) for path in sorted((SQL / "manifests").glob("*.sql"))]
    return [
        *(model_spec(model, group=GROUP, without=LEDGER) for model in models),
        table_spec(
            "manifest.field_bits",
            group=GROUP,
            description="The number that stands for each classified field. Grain: a field of a record type.",
            deps=["policy.fields"],
        ),
        table_spec(
            "manifest.category_bits",
            group=GROUP,
            description="The numbers of a data category's fields together. Grain: a category of a record type.",
            deps=["manifest.field_bits"],
        ),
        table_spec(
            "manifest.held_records",
            group=GROUP,
            description="Which fields of changed records hold a value, as a number. Grain: a record.",
            deps=["manifest.changed_records", "manifest.field_bits"],
        ),
        table_spec(
            "manifest.disclosed_held",
            group=GROUP,
            description="Which fields of records that partners were given hold a value, as a number. Grain: a record.",
            deps=["raw.office_disclosures", "core.records", "manifest.field_bits"],
        ),
        table_spec(
            "manifest.proposed",
            group=GROUP,
            description="What each system is to be told that it was not told before. Grain: system, record, action.",
            deps=[*(model.table for model in models), "retention.dispositions", "policy.purposes"],
        ),
        table_spec(
            "manifest.proposal",
            group=GROUP,
            description="The day and the policy that the proposal was made for. One row.",
            deps=["retention.evaluation", "policy.about", "manifest.recalls"],  # what fell today is proposed anew
        ),
    ]


def _proposal() -> AssetsDefinition:
    specs = _proposed_tables()

    @multi_asset(
        name="proposal", specs=specs, description="The day's dispositions against the sealed state.", pool=POOL
    )
    def proposal(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy], as_of: ResourceParam[date]
    ) -> Iterator[MaterializeResult[Any]]:
        with clear_failures(), _as_many_threads_as_pay(warehouse):
            propose(warehouse, policy, as_of)
        yield from told_of(warehouse, specs)

    return proposal


def _sealing() -> AssetsDefinition:
    before = ["manifest.proposed", "manifest.proposal", "intake.blocks"]
    specs = [table_spec(table, group=GROUP, description=text, deps=before) for table, text in LEDGER.items()]
    specs.append(
        table_spec(
            "manifest.left_out",
            group=GROUP,
            description="Of what nothing is ordered erased before a row that was set aside is read. Grain: a record.",
            deps=[*before, "intake.quarantined"],
        )
    )

    @multi_asset(name="sealing", specs=specs, description="Runs the gate, then seals and signs.", pool=POOL)
    def sealing(
        warehouse: ResourceParam[Warehouse],
        policy: ResourceParam[Policy],
        site: ResourceParam[Site],
        signer: ResourceParam[Signer],
        as_of: ResourceParam[date],
        issued_at: ResourceParam[datetime],
        response_time: ResourceParam[Any],
        approval_rules: ResourceParam[Any],
        launched_by: ResourceParam[str],
    ) -> Iterator[MaterializeResult[Any]]:
        with clear_failures(), _as_many_threads_as_pay(warehouse):
            report = seal(
                warehouse,
                policy,
                site,
                signer,
                as_of=as_of,
                issued_at=issued_at,
                respond_within_days=(as_of + response_time - as_of).days,
                launched_by=launched_by or None,
                leave_out=approval_rules.leaves_out,
            )
        _fail_if_refused(report)
        yield from told_of(warehouse, specs, {key_of("manifest.manifests"): _told_of_sealing(report)})

    return sealing


def _as_many_threads_as_pay(warehouse: Warehouse) -> AbstractContextManager[None]:
    """One while little was decided: where tables are a few row groups, threads wait for each other, and waiting burns.

    The steps say so, and not `propose`: a rehearsal proposes within a transaction.
    """
    decided = warehouse.value("select count(*) from retention.dispositions")
    return warehouse.one_thread() if decided < _WORTH_SHARING else nullcontext()


def _fail_if_refused(report: SealReport) -> None:
    """A rule of the gate that does not hold casts doubt on everything, so the run says no."""
    broken = [str(refusal) for refusal in report.refusals if not refusal.withholds_system_only]
    if broken:
        reasons = "; ".join(broken)
        raise Failure(f"Nothing was sealed. {reasons}.", metadata={"exit_code": 1}, allow_retries=False)


def _told_of_sealing(report: SealReport) -> dict[str, Any]:
    """Counts of this sealing: manifests, items by action, systems that a blocked delivery holds back."""
    actions: dict[str, int] = {}
    for manifest in report.sealed:
        for action, count in manifest.counts.items():
            actions[action] = actions.get(action, 0) + count
    return {
        "sealed_now": len(report.sealed),
        "items_sealed_now": sum(manifest.items for manifest in report.sealed),
        **{f"items_{action}": count for action, count in sorted(actions.items())},
        "systems_withheld": len({refusal.system for refusal in report.refusals}),
    }
