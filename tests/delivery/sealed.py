"""Sealed manifests to send and to answer, and a way to count what reached a receiver."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from assets.delivery.states import Event, record
from assets.delivery.transports.contract import ReceiptFile, Transport, TransportError
from assets.policy import Policy
from assets.warehouse import Warehouse
from tests.manifests.company import DAY, POLICY, Company, Office, full

NOW = datetime(2025, 2, 2, 3, 0, tzinfo=UTC)
TODAY = date(2025, 2, 2)


class Sealed:
    """A site with two manifests of crm (the second the first's follower) and one of web, all sealed."""

    def __init__(self, path: Path, warehouse: Warehouse | None = None) -> None:
        self.office = Office(path)
        self.site = self.office.site
        self.company = Company(warehouse, threads=1)
        self.warehouse = self.company.warehouse
        self.policy: Policy = POLICY
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
