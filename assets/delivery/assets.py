"""The life of sealed manifests as Dagster assets: settled, re-checked, approved, delivered, answered, reminded of.

Two steps come before the day's proposal (what exports prove, what fell), the others after the sealing. Each is a table
of what it did, with counts; what each of them means stands in the module that does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

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

from assets.catalogue.assets import POOL, VIEW, clear_failures, key_of, sql_source, table_spec, told_of
from assets.delivery.approving import Decision, approve_automatically
from assets.delivery.concerns import Rules
from assets.delivery.receipts import ReceiptReport, read_receipts
from assets.delivery.rechecking import at_the_door, may_leave, recall, require_day
from assets.delivery.reminding import fall_due, remind
from assets.delivery.sending import ALTERED, DeliveryReport, deliver_approved
from assets.delivery.settling import settle, unproven
from assets.delivery.transports.contract import Transports
from assets.errors import CheckFailed
from assets.ingest.tables import require_intake
from assets.ledger import issued
from assets.manifests.assets import GROUP as MANIFESTS
from assets.manifests.signatures import Signer
from assets.models import SQL
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse

GROUP = "7_delivery"

Clock = Callable[[], datetime]


def delivery_assets(policy: Policy) -> list[AssetsDefinition]:
    """Every step of a manifest's life."""
    return [_settling(policy), _rechecking(), _approving(), _delivering(), _reading(), _reminding()]


def delivery_checks() -> list[AssetChecksDefinition]:
    """What is seen to be gone is proved. What is not, by another contract or rows without a key, is a warning."""

    @asset_check(
        asset=key_of("manifest.unproven"),
        name="what_is_gone_can_be_proved",
        description="What was ordered erased and is not seen any more, an export proves: no contract has changed, and "
        "no row came without a key, so that none can. `gallring status` says of which system, why, and what to do.",
        pool=POOL,
    )
    def what_is_gone_can_be_proved(warehouse: ResourceParam[Warehouse]) -> AssetCheckResult:
        with clear_failures():
            found = unproven(warehouse)
        return AssetCheckResult(
            passed=not found,
            severity=AssetCheckSeverity.WARN,
            metadata={
                "unexpected": sum(each.items for each in found),
                "systems": ", ".join(f"{each.system}: {each.items}, {each.reason}" for each in found) or "none",
            },
        )

    return [what_is_gone_can_be_proved]


def _settling(policy: Policy) -> AssetsDefinition:
    raw = [f"raw.{contract.raw_table}" for contract in policy.contracts.values() if contract.record_type is not None]
    spec = table_spec(
        "manifest.verifications",
        group=MANIFESTS,
        description="What an export showed of an item: verified, discrepancy, returned. Append-only. Grain: a proof.",
        deps=[
            *raw,
            "intake.blocks",
            "intake.deliveries",
            "intake.files",
            "intake.quarantined",
            "policy.fields",
            "policy.records",
        ],
    )

    missing = table_spec(
        "manifest.unproven",
        group=MANIFESTS,
        description="What is seen no more and no export proves: its contract changed, or rows of its table come "
        "without a key. Grain: a system, why, and the table of such rows.",
        deps=["manifest.verifications"],
    )

    @multi_asset(
        name="settlement", specs=[spec, missing], description="The next full export decides.",
        pool=POOL,
    )  # fmt: skip
    def settlement(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy], as_of: ResourceParam[date]
    ) -> Iterator[MaterializeResult[Any]]:
        with clear_failures():
            require_intake(warehouse)
            settled = settle(warehouse, policy, as_of)
        counts = Counter[str]()
        for each in settled:
            counts[f"items_{each.outcome}"] += each.items
        yield from told_of(warehouse, [spec, missing], {spec.key: counts})

    return settlement


def _rechecking() -> AssetsDefinition:
    spec = table_spec(
        "manifest.recalls",
        group=MANIFESTS,
        description="Undelivered manifests that were cancelled today because an item no longer stands. "
        "Grain: a manifest and what it fell by.",
        deps=["manifest.verifications", "retention.dispositions", "retention.records", "triggers.restricted_records"],
    )
    due = table_spec(
        "manifest.fallen_due",
        group=MANIFESTS,
        description="Items whose postponement has ended, to be told anew on the day. Grain: a manifest item.",
        deps=["manifest.verifications", "retention.dispositions", "retention.records"],
    )

    recalled = table_spec(
        "manifest.recalled_orders",
        group=MANIFESTS,
        description="Orders and restrictions that were cancelled after their delivery was cut off, or whose lift was: "
        "their system may have them or not, so that what is to be kept is lifted, and the rest told anew. And those "
        "that were open when their record was verified to be gone, where it is there again. Grain: a manifest item.",
        deps=["manifest.verifications"],
    )

    @multi_asset(
        name="recheck", specs=[spec, due, recalled], pool=POOL,
        description="Every item that has not left, against today's dispositions; what falls due is told anew.",
    )  # fmt: skip
    def recheck(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy], as_of: ResourceParam[date],
        issued_at: ResourceParam[datetime],
    ) -> Iterator[MaterializeResult[Any]]:  # fmt: skip
        with clear_failures():
            found = recall(warehouse, policy, as_of, at=issued_at)
            told_anew = fall_due(warehouse, as_of)
            _write(warehouse, "recalls", "manifest_id varchar, system varchar, reason varchar, items bigint", [
                (each.manifest_id, each.system, each.reason, each.items) for each in found.fallen
            ])  # fmt: skip
        counts = {"manifests_recalled": len(found.manifests), "items_fallen": sum(each.items for each in found.fallen)}
        more = {spec.key: counts, due.key: {"items_told_anew": told_anew}}
        yield from told_of(warehouse, [spec, due, recalled], more)

    return recheck


def _approving() -> AssetsDefinition:
    spec = table_spec(
        "manifest.approvals",
        group=GROUP,
        description="What became today of the manifests that waited for approval, and why the rest waits for a person. "
        "Grain: a manifest.",
        deps=["manifest.manifests", "manifest.items", "manifest.events", "retention.records"],
    )

    @multi_asset(
        name="approval", specs=[spec], description="Approves what may go without a person.", pool=POOL
    )  # fmt: skip
    def approval(
        warehouse: ResourceParam[Warehouse], approval_rules: ResourceParam[Any], as_of: ResourceParam[date],
        clock: ResourceParam[Any],
    ) -> Iterator[MaterializeResult[Any]]:  # fmt: skip
        with clear_failures():
            issued.prepare(warehouse)
            decisions = approve_automatically(warehouse, approval_rules, on_day=as_of, at=clock())
            _write_decisions(warehouse, decisions)
        yield from told_of(warehouse, [spec], {spec.key: _told_of_decisions(decisions)})

    return approval


def _delivering() -> AssetsDefinition:
    spec = table_spec(
        "manifest.dispatches",
        group=GROUP,
        description="Approved manifests that reached their system today, and those that did not, with a code. "
        "Grain: a manifest.",
        deps=["intake.blocks", "manifest.approvals", "retention.dispositions", "triggers.restricted_records"],
    )

    @multi_asset(
        name="dispatch", specs=[spec], description="Re-checks at the door, then delivers what is approved.", pool=POOL
    )  # fmt: skip
    def dispatch(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy], site: ResourceParam[Site],
        transports: ResourceParam[Any], door: ResourceParam[Any], as_of: ResourceParam[date],
        clock: ResourceParam[Any],
    ) -> Iterator[MaterializeResult[Any]]:  # fmt: skip
        with clear_failures():
            report = deliver_checked(warehouse, policy, site, transports, door, as_of=as_of, clock=clock)
            _write_dispatches(warehouse, report)
            if altered := [each.message for each in report.waiting if each.code == ALTERED]:
                raise CheckFailed(" ".join(dict.fromkeys(altered)))
        codes = Counter(f"waiting_{each.code}" for each in report.waiting)
        yield from told_of(warehouse, [spec], {spec.key: {"manifests_delivered": len(report.delivered), **codes}})

    return dispatch


def deliver_checked(
    warehouse: Warehouse, policy: Policy, site: Site, transports: Transports, door: Door, *, as_of: date, clock: Clock
) -> DeliveryReport:
    """Deliver what is approved, after a last look at the door; a remainder that is sealed anew there can leave too.

    Where nothing is approved nothing can leave, and the door stays shut: what fell is the next re-check's to recall.
    """

    def at_door(warehouse: Warehouse, policy: Policy, site: Site) -> None:
        require_day(warehouse, policy, as_of)
        if not may_leave(warehouse):
            return
        found = at_the_door(
            warehouse, policy, site, door.signer(), as_of=as_of, issued_at=clock(),
            respond_within_days=door.respond_within_days(as_of), leave_out=door.rules.leaves_out,
            launched_by=door.launched_by,
        )  # fmt: skip
        if found.resealed is not None:
            approve_automatically(warehouse, door.rules, on_day=as_of, at=clock())

    return deliver_approved(warehouse, policy, site, transports, as_of=as_of, now=clock(), recheck=at_door)


def _reading() -> AssetsDefinition:
    spec = table_spec(
        "manifest.receipts",
        group=GROUP,
        description="The systems' answers: claims, until an export shows them. Append-only. Grain: an answer.",
        deps=["manifest.dispatches"],
    )

    @multi_asset(name="answers", specs=[spec], description="Reads the receipts that arrived.", pool=POOL)
    def answers(
        warehouse: ResourceParam[Warehouse], site: ResourceParam[Site], transports: ResourceParam[Any],
        clock: ResourceParam[Any], time_zone: ResourceParam[ZoneInfo],
    ) -> Iterator[MaterializeResult[Any]]:  # fmt: skip
        with clear_failures():
            issued.prepare(warehouse)
            report = read_receipts(warehouse, site, transports, now=clock(), zone=time_zone)
        yield from told_of(warehouse, [spec], {spec.key: _told_of_receipts(report)})

    return answers


def _reminding() -> AssetsDefinition:
    reminders = table_spec(
        "manifest.reminders",
        group=GROUP,
        description="What waits for whom and is late, or soon will be. Grain: a manifest, an owner and how late it is.",
        deps=["manifest.receipts"],
    )
    states = table_spec(
        "manifest.item_states",
        group=GROUP,
        description="Where each item stands: its state, since when, until when, why, whose turn it is, the next step. "
        "Grain: a manifest item.",
        deps=["manifest.receipts", "manifest.reminders", "manifest.items", "manifest.events"],
        kinds=("duckdb", "sql", VIEW),
        metadata=sql_source(SQL / "delivery" / "item_states.sql"),
    )

    @multi_asset(
        name="reminding", specs=[reminders, states], description="What is late, and whose turn it is.", pool=POOL
    )
    def reminding(warehouse: ResourceParam[Warehouse], as_of: ResourceParam[date]) -> Iterator[MaterializeResult[Any]]:
        with clear_failures():
            late = remind(warehouse, as_of)
            waiting = dict(warehouse.rows(
                "select 'waiting_for_' || owner, cast(sum(items) as bigint) from manifest.manifest_states "
                "where is_open group by owner order by owner"
            ))  # fmt: skip
        lateness = Counter[str]()
        for each in late:
            lateness[f"items_{each.lateness}"] += each.items
        yield from told_of(warehouse, [reminders, states], {reminders.key: lateness, states.key: waiting})

    return reminding


# -- what is written and told ---------------------------------------------------------------------------------------


class Door:
    """What the last look before a delivery needs to seal a remainder anew."""

    def __init__(
        self, rules: Rules, signer: Callable[[], Signer], respond_within_days: Callable[[date], int],
        launched_by: str | None = None,
    ) -> None:  # fmt: skip
        """Hold the site's approval rules, its signing key, and how long a system has to answer from a day on.

        `launched_by` is who launched the run, where a name is given: that person does not approve what it seals.
        """
        self.rules = rules
        self.signer = signer
        self.respond_within_days = respond_within_days
        self.launched_by = launched_by


def _write(warehouse: Warehouse, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with warehouse.transaction():
        warehouse.run(f"create or replace table manifest.{table} ({columns})")
        warehouse.insert(f"manifest.{table}", [column.split()[0] for column in columns.split(", ")], rows)


def _write_decisions(warehouse: Warehouse, decisions: list[Decision]) -> None:
    columns = "manifest_id varchar, system varchar, items bigint, decision varchar, by_whom varchar, concerns varchar"
    _write(warehouse, "approvals", columns, [
        (each.manifest_id, each.system, each.items, each.decision, each.by_whom,
         "; ".join(concern.code for concern in each.concerns) or None)
        for each in decisions
    ])  # fmt: skip


def _told_of_decisions(decisions: list[Decision]) -> dict[str, Any]:
    waiting = [each for each in decisions if each.decision == "waits"]
    return {
        "manifests_approved_now": len(decisions) - len(waiting),
        "manifests_waiting_for_approval": len(waiting),
        "waiting": [f"{each.manifest_id} ({each.system}): {'; '.join(concern.text for concern in each.concerns)}"
                    for each in waiting],
    }  # fmt: skip


def _write_dispatches(warehouse: Warehouse, report: DeliveryReport) -> None:
    columns = "manifest_id varchar, system varchar, outcome varchar, code varchar, message varchar"
    _write(warehouse, "dispatches", columns, [
        *((each.manifest_id, each.system, "delivered", None, None) for each in report.delivered),
        *((each.manifest_id, each.system, "waits", each.code, each.message) for each in report.waiting),
    ])  # fmt: skip


def _told_of_receipts(report: ReceiptReport) -> dict[str, Any]:
    return {
        "files": len(report.files),
        "answers_recorded": report.recorded,
        "answers_repeated": sum(file.repeated for file in report.files),
        "answers_backward": sum(file.backward for file in report.files),
        "answers_unknown": sum(file.unknown for file in report.files),
        "texts_dropped": sum(file.texts for file in report.files),
        "lines_malformed": sum(count for file in report.files for count, _ in file.problems.values()),
        "unread": [f"{each.system or 'any system'}: {each.code}" for each in report.unread],
    }
