"""What happens when something happens: runs that start, people who are told.

What starts a run is declared here and stopped, until a person starts it for a site or the site's settings name it
(`[automation]`). What only tells people runs from the start.
"""

from __future__ import annotations

import hashlib
import json
import logging
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from assets.ingest.deliveries import find_deliveries
from assets.rights.arrivals import arrived as arrived_requests
from assets.rights.arrivals import remove
from assets.site import Site
from orchestration.history import ended_after, last_ended
from orchestration.jobs import APPROVE, DELIVER, READ
from orchestration.settings import Settings

#: Ended runs that are looked at for approvals at one tick.
_A_TICK = 50


def sensors(site: Site, running: Collection[str] = ()) -> list[SensorDefinition]:
    """Every sensor, watching `site`. Of those that start runs, the ones named in `running` do so from the start."""
    return [
        _delivery_arrived(site, _status("delivery_arrived", running)),
        _request_arrived(site, _status("request_arrived", running)),
        _approval_given(_status("approval_given", running)),
        _receipt_arrived(site, _status("receipt_arrived", running)),
        _attention_needed(site),
    ]


def _status(name: str, running: Collection[str]) -> DefaultSensorStatus:
    return DefaultSensorStatus.RUNNING if name in running else DefaultSensorStatus.STOPPED


def _delivery_arrived(site: Site, status: DefaultSensorStatus) -> SensorDefinition:
    @sensor(
        name="delivery_arrived",
        job_name="ingest_deliveries",
        minimum_interval_seconds=60,
        default_status=status,
        description="Takes in a delivery as soon as its delivery.json is there; the same delivery once only.",
    )
    def delivery_arrived() -> Iterator[RunRequest | SkipReason]:
        arrived = find_deliveries(site)
        if not arrived:
            yield SkipReason("No complete delivery in the inbox.")
        for delivery in arrived:
            yield RunRequest(
                run_key=delivery.digest, tags={"gallring/delivery": f"{delivery.source}/{delivery.delivery_id}"}
            )

    return delivery_arrived


def _request_arrived(site: Site, status: DefaultSensorStatus) -> SensorDefinition:
    @sensor(
        name="request_arrived",
        job_name="run_cycle",
        minimum_interval_seconds=60,
        default_status=status,
        description="Runs the cycle when a person's request was entered or delivered: it counts the same night.",
    )
    def request_arrived(context: SensorEvaluationContext) -> SensorResult:
        seen, signs = _seen(context.cursor), list(arrived_requests(site))
        if seen is None:
            return SensorResult(skip_reason=SkipReason("Waits for requests from now on."), cursor=json.dumps(signs))
        gone = remove(site, seen & set(signs))  # a cursor that was kept says that their runs were asked for
        requests = [RunRequest(run_key=sign, tags={"gallring/request": sign}) for sign in signs if sign not in seen]
        return SensorResult(
            run_requests=requests or None,
            skip_reason=None if requests else SkipReason("No request has arrived."),
            cursor=json.dumps([sign for sign in signs if sign not in gone]),
        )

    return request_arrived


def _seen(cursor: str | None) -> set[str] | None:
    """The signs that an earlier tick saw; None at the first. Dagster knows a key as long as it keeps the run alone."""
    try:
        found = json.loads(cursor or "null")
    except ValueError:
        return None
    return {str(sign) for sign in found} if isinstance(found, list) else None


def _approval_given(status: DefaultSensorStatus) -> SensorDefinition:
    """Not a run status sensor of Dagster's: that one does not see the runs of the command line."""

    @sensor(
        name="approval_given",
        job_name=DELIVER,
        minimum_interval_seconds=60,
        default_status=status,
        description="Delivers as soon as a person has approved, from the web UI or the command line.",
    )
    def approval_given(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        if context.cursor is None:
            context.update_cursor(str(last_ended(context.instance)))
            return SkipReason("Waits for approvals from now on.")
        ended = ended_after(context.instance, int(context.cursor), _A_TICK)
        runs = [context.instance.get_run_by_id(each.run_id) for each in ended if each.success]
        approvals = [run.run_id for run in runs if run is not None and run.job_name == APPROVE]
        cursor = str(ended[-1].place) if ended else context.cursor
        requests = [RunRequest(run_key=run_id, tags={"gallring/approval": run_id}) for run_id in approvals]
        reason = None if requests else SkipReason("No manifest was approved.")
        return SensorResult(run_requests=requests or None, skip_reason=reason, cursor=cursor)

    return approval_given


def _receipt_arrived(site: Site, status: DefaultSensorStatus) -> SensorDefinition:
    @sensor(
        name="receipt_arrived",
        job_name=READ,
        minimum_interval_seconds=60,
        default_status=status,
        description="Reads answers as soon as they are in the site's receipts folder; what other transports hold is "
        "read by every run.",
    )
    def receipt_arrived() -> Iterator[RunRequest | SkipReason]:
        sign = arrived_receipts(site)
        yield SkipReason("No answer in the receipts folder.") if sign is None else RunRequest(run_key=sign)

    return receipt_arrived


def _attention_needed(site: Site) -> SensorDefinition:
    @sensor(
        name="attention_needed",
        minimum_interval_seconds=30,
        default_status=DefaultSensorStatus.RUNNING,
        description="Tells people, as the settings say, of every run that failed, whose checks say no, that a source "
        "blocks, or that found a person's request overdue. Starts nothing.",
    )
    def attention_needed(context: SensorEvaluationContext) -> SkipReason:
        from orchestration.notifying import channels, tell_of_ended_runs

        settings = Settings.load(site)
        ways = channels(site, settings, [logging.getLogger("gallring.notices"), context.log])
        telling = tell_of_ended_runs(context.instance, settings, ways, context.cursor)
        context.update_cursor(telling.cursor())
        for failure in telling.failures:
            context.log.error(failure)
        return SkipReason("; ".join([f"Told {telling.told} notices", *telling.failures]) + ".")

    return attention_needed


def arrived_receipts(site: Site) -> str | None:
    """A sign of the answers that lie in the receipts folder, another one whenever they change; None without any."""
    found = []
    for path in sorted(site.receipts.glob("*/*.jsonl")):
        with suppress(OSError):  # gone since, or a folder that this account may not look into: every run tells of it
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((str(path.relative_to(site.receipts)), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(found).encode()).hexdigest() if found else None
