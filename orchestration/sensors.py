"""What starts a run when something happens. Declared here, stopped until a person starts them for a site."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from dagster import DefaultSensorStatus, RunRequest, SensorDefinition, SkipReason, sensor

from assets.site import Site

#: A folder without it is still arriving.
DELIVERY_NOTE = "delivery.json"


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
        arrived = list(arrivals(site.inbox))
        if not arrived:
            yield SkipReason("No delivery in the inbox.")
        for name, digest in arrived:
            yield RunRequest(run_key=digest, tags={"gallring/delivery": name})

    return [delivery_arrived]


def arrivals(inbox: Path) -> Iterator[tuple[str, str]]:
    """Each complete delivery as (`source/delivery_id`, digest of its delivery.json, which holds its files' digests)."""
    for note in sorted(inbox.glob(f"*/*/{DELIVERY_NOTE}")):
        digest = hashlib.sha256(note.read_bytes()).hexdigest()
        yield f"{note.parent.parent.name}/{note.parent.name}", digest
