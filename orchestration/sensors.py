"""What starts a run when something happens. Declared here, stopped until a person starts them for a site."""

from __future__ import annotations

from collections.abc import Iterator

from dagster import DefaultSensorStatus, RunRequest, SensorDefinition, SkipReason, sensor

from assets.ingest.deliveries import find_deliveries
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

    return [delivery_arrived]
