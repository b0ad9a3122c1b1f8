"""Whether everything that was sealed, logged and copied still is what it was: read from the disk, changed nowhere.

What a manifest and a log must look like is `assets.manifests.verifying`'s and `assets.evidence.chain`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from assets.erasure.copies import copy_register
from assets.erasure.periods import Periods
from assets.evidence.chain import EvidenceBroken, read_chain
from assets.manifests import ledger
from assets.manifests.folders import manifest_folder
from assets.manifests.signatures import PublicKey
from assets.manifests.verifying import verify
from assets.site import Site
from assets.warehouse import Warehouse


@dataclass(frozen=True)
class Looked:
    """How many things were looked at, and those that are not as they should be: ids and paths of ours, no values."""

    evaluated: int
    unexpected: tuple[str, ...]


def manifests(warehouse: Warehouse, site: Site, key: PublicKey) -> Looked:
    """Every sealed manifest that is still to be kept stands in the outbox, signed, whole, and after the one before."""
    ledger.prepare(warehouse)
    sealed = warehouse.rows(
        "select system, manifest_id from manifest.manifests where signature is not null order by system, sequence"
    )
    return Looked(len(sealed), tuple(_broken(sealed, site, key)))


def _broken(sealed: list[tuple[str, str]], site: Site, key: PublicKey) -> Iterator[str]:
    before: tuple[str, str] | None = None
    for system, manifest_id in sealed:
        folder = manifest_folder(site, system, manifest_id)
        previous = manifest_folder(site, *before) if before is not None and before[0] == system else None
        if not verify(folder, key, previous).ok:
            yield f"{system}/{manifest_id[:16]}"
        before = (system, manifest_id)


def evidence(site: Site, key: PublicKey) -> Looked:
    """The evidence log is what its signed head says."""
    try:
        return Looked(len(read_chain(site, key).entries), ())
    except EvidenceBroken as broken:
        return Looked(0, (broken.message,))


def copies(warehouse: Warehouse, site: Site, periods: Periods, as_of: date) -> Looked:
    """No file that can hold personal data has outlived its last day."""
    register = copy_register(site, warehouse, periods)
    late = [copy for copy in register.copies if copy.last_day is not None and copy.last_day < as_of]
    return Looked(len(register.copies), tuple(f"{copy.kind}, last day {copy.last_day}" for copy in late))
