"""A sign in the site's folder that a request was entered, for whoever starts the cycle. Holds a number alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from assets.ingest.deliveries import find_deliveries
from assets.manifests.folders import folder_name
from assets.site import Site
from assets.writing import write_whole

FOLDER = "arrived-requests"
_ENTERED = "request "


def announce(site: Site, sign: str) -> None:
    """Leave the sign; the same one again changes nothing. An office's number may hold a slash: it is never a path."""
    folder = site.dagster / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / folder_name(sign), b"")


def arrived(site: Site) -> Iterator[str]:
    """A key for each request that was entered at the site, and each delivery that brings the office's requests."""
    folder = site.dagster / FOLDER
    if folder.is_dir():
        yield from (f"{_ENTERED}{path.name}" for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    for delivery in find_deliveries(site):
        if delivery.source == "office" and any(file.table == "requests" for file in delivery.files):
            yield f"delivery {delivery.digest}"


def remove(site: Site, keys: Collection[str]) -> list[str]:
    """Remove the signs of requests whose runs were asked for; which of the keys are gone. A delivery stays."""
    gone = []
    for key in keys:
        if key.startswith(_ENTERED):
            with suppress(OSError):  # it stays on record as seen
                (site.dagster / FOLDER / key.removeprefix(_ENTERED)).unlink(missing_ok=True)
                gone.append(key)
    return gone
