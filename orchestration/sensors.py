"""What starts a run when something happens. Declared here, stopped until a person starts them for a site."""

from __future__ import annotations

from collections.abc import Iterator

from dagster import DefaultSensorStatus, RunRequest, SensorDefinition, SkipReason, sensor

from assets.ingest.deliveries import find_deliveries
from assets.rights.arrivals import arrived as arrived_requests
from assets.site import Site


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
