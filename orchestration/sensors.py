"""What starts a run when something happens. Declared here, stopped until a person starts them for a site."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunStatusSensorContext,
    SensorDefinition,
    SkipReason,
    run_status_sensor,
    sensor,
)

from assets.ingest.deliveries import find_deliveries
from assets.rights.arrivals import arrived as arrived_requests
from assets.site import Site
from orchestration.jobs import READ, approve_manifest, delivery_jobs


def sensors(site: Site) -> list[SensorDefinition]:
    """Every sensor, watching the folders of `site`."""

    @sensor(
        name="delivery_arrived",
        job_name="ingest_deliveries",
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.STOPPED,
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

    @sensor(
        name="request_arrived",
        job_name="run_cycle",
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.STOPPED,
        description="Runs the cycle when a person's request was entered or delivered: it counts the same night.",
    )
    def request_arrived() -> Iterator[RunRequest | SkipReason]:
        signs = list(arrived_requests(site))
        if not signs:
            yield SkipReason("No request has arrived.")
        for sign in signs:
            yield RunRequest(run_key=sign, tags={"gallring/request": sign})

    return [delivery_arrived, request_arrived]


def delivery_sensors(site: Site) -> list[SensorDefinition]:
    """What follows an approval, and what follows an answer."""
    deliver, _ = delivery_jobs()

    @run_status_sensor(
        name="approval_given",
        run_status=DagsterRunStatus.SUCCESS,
        monitored_jobs=[approve_manifest],
        request_job=deliver,
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.STOPPED,
        description="Delivers as soon as a person has approved, from the web UI or the command line.",
    )
    def approval_given(context: RunStatusSensorContext) -> RunRequest:
        return RunRequest(run_key=context.dagster_run.run_id, tags={"gallring/approval": context.dagster_run.run_id})

    @sensor(
        name="receipt_arrived",
        job_name=READ,
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.STOPPED,
        description="Reads answers as soon as they are in the site's receipts folder; what other transports hold is "
        "read by every run.",
    )
    def receipt_arrived() -> Iterator[RunRequest | SkipReason]:
        sign = arrived_receipts(site)
        yield SkipReason("No answer in the receipts folder.") if sign is None else RunRequest(run_key=sign)

    return [approval_given, receipt_arrived]


def arrived_receipts(site: Site) -> str | None:
    """A sign of the answers that lie in the receipts folder, another one whenever they change; None without any."""
    found = [
        (str(path.relative_to(site.receipts)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(site.receipts.glob("*/*.jsonl"))
        if path.is_file() and not path.is_symlink()
    ]
    return hashlib.sha256(repr(found).encode()).hexdigest() if found else None
