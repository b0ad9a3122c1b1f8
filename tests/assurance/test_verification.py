"""What the week looks at again: sealed manifests, also after those between them were destroyed."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from assets.assurance.verification import Looked, manifests
from assets.erasure.copies import copy_register, destroy, forget_manifests
from assets.erasure.periods import Periods
from assets.manifests.signatures import PublicKey
from assets.site import Site
from assets.warehouse import Warehouse
from tests.erasure.house import House, customer


def test_a_manifest_follows_one_that_was_destroyed(tmp_path: Path) -> None:
    """One with an item that is still open stays longer than those after it."""
    site = Site(tmp_path / "site")
    with Warehouse.in_memory(pseudonym_key=b"p") as warehouse:
        house = House(warehouse, site)
        sealed = [
            house.seal(date(2026, 11, day), {"crm/customers": [customer(f"K{each}") for each in range(day)]}).sealed[0]
            for day in (1, 2, 3)
        ]
        key = PublicKey.load(site.keys / "signing.pub.pem")
        assert manifests(warehouse, site, key) == Looked(3, ())
        copies = [
            copy for copy in copy_register(site, warehouse, Periods()).copies if copy.path.name == sealed[1].manifest_id
        ]
        forget_manifests(warehouse, destroy(site, copies))
        assert manifests(warehouse, site, key) == Looked(2, ())
        shutil.rmtree(site.outbox / "crm" / sealed[0].manifest_id)
        assert manifests(warehouse, site, key) == Looked(2, (f"crm/{sealed[0].manifest_id[:16]}",))
