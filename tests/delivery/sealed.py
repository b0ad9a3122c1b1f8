"""Sealed manifests to send and to answer, and a way to count what reached a receiver."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from assets.delivery.transports.contract import ReceiptFile, Transport, TransportError
from assets.ledger.states import Event, record
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse
from tests.manifests.company import DAY, POLICY, Company, Office, full

NOW = datetime(2025, 2, 2, 3, 0, tzinfo=UTC)
TODAY = date(2025, 2, 2)


class Sealed:
    """A site with two manifests of crm (the second the first's follower) and one of web, all sealed."""

    def __init__(self, path: Path, warehouse: Warehouse | None = None) -> None:
        self._at(Office(path), Company(warehouse, threads=1))
        for number in range(1, 6):
            self.company.add("customer", f"C{number}")
        self.company.add("web_event", "W1")
        first = {("customer", f"C{number}"): full("customer", "erase") for number in (1, 2, 3)}
        second = {
            **first,
            ("customer", "C4"): full("customer", "erase"),
            ("web_event", "W1"): full("web_event", "erase"),
        }
        self.company.night(DAY, first, self.office)
        self.company.night(DAY + timedelta(days=1), second, self.office)

    @classmethod
    def kept_in(cls, path: Path) -> Sealed:
        """The same, with its warehouse in a file of the site, where a copy of the folder has it too."""
        path.mkdir()
        return cls(path, _opened(path))

    @classmethod
    def copied(cls, kept: Path, path: Path) -> Sealed:
        """A copy of a site that was `kept_in` and closed: to make one takes fifteen times as long."""
        shutil.copytree(kept, path)
        sealed = cls.__new__(cls)
        sealed._at(Office(path), Company.opened(_opened(path)))
        return sealed

    def _at(self, office: Office, company: Company) -> None:
        self.office, self.company = office, company
        self.site, self.warehouse = office.site, company.warehouse
        self.policy: Policy = POLICY

    def manifests(self, system: str) -> list[str]:
        rows = self.warehouse.rows(
            "select manifest_id from manifest.manifests where system = $system order by sequence", {"system": system}
        )
        return [manifest_id for (manifest_id,) in rows]

    def folder(self, system: str, number: int) -> Path:
        return self.site.outbox / system / self.manifests(system)[number]

    def items(self, manifest_id: str) -> list[str]:
        rows = self.warehouse.rows(
            "select item_id from manifest.items where manifest_id = $id order by record_key", {"id": manifest_id}
        )
        return [item_id for (item_id,) in rows]

    def step(self, state: str, *manifests: str) -> None:
        """One step of whole manifests; of all, if none is named."""
        named = manifests or (*self.manifests("crm"), *self.manifests("web"))
        origin = {"approved": "approve", "delivered": "deliver", "cancelled": "cancel"}[state]
        assert record(self.warehouse, [Event(manifest, state, TODAY, origin) for manifest in named]) == []

    def states(self, manifest_id: str) -> list[str]:
        rows = self.warehouse.rows(
            "select state from manifest.item_states where manifest_id = $id order by record_key", {"id": manifest_id}
        )
        return [state for (state,) in rows]


def _opened(path: Path) -> Warehouse:
    return Warehouse.open(Site(path).warehouse, key="sealed", threads=1)


def answer(manifest_id: str, item_id: str, status: str = "done", **more: Any) -> bytes:
    """One line of a receipt."""
    line = {"manifest_id": manifest_id, "item_id": item_id, "status": status, "at": "2025-02-03T10:00:00Z", **more}
    return json.dumps(line).encode() + b"\n"


class Counting:
    """A receiver that can be told to fail; what it got, in order."""

    def __init__(self, *failures: TransportError, receipts: Collection[ReceiptFile] = ()) -> None:
        self.failures = list(failures)
        self.got: list[str] = []
        self.told_cancelled: list[str] = []
        self.tries = 0
        self.receipts = list(receipts)

    def put(self, manifest_folder: Path, manifest_id: str) -> None:
        self._fail()
        assert (manifest_folder / "manifest.json").is_file()
        self.got.append(manifest_id)

    def put_cancelled(self, manifest_folder: Path, manifest_id: str) -> None:
        self._fail()
        self.told_cancelled.append(manifest_id)

    def fetch_receipts(self, seen: Collection[tuple[str, str]]) -> list[ReceiptFile]:
        self._fail()
        return [file for file in self.receipts if (file.name, file.version) not in seen]

    def _fail(self) -> None:
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)


class Ways:
    """Transports by system, given one by one."""

    def __init__(self, **ways: Transport) -> None:
        self.ways = ways

    def of(self, system: str) -> Transport:
        return self.ways[system]
