"""A small company whose exports the tests write by hand. Fictional people alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from assets.contracts.contract import Contracts
from assets.contracts.declarations import canonical
from assets.ingest.loading import IngestReport, ingest
from assets.site import Site
from assets.warehouse import Warehouse
from tests.manifests.ordered import order_erased

AS_OF = date(2026, 11, 25)


class StandInPolicy:
    """A policy, as far as intake looks at it."""

    def __init__(self, contracts: Contracts) -> None:
        self.contracts = contracts


class Company:
    """A site, its warehouse, and deliveries written as a source system would write them."""

    def __init__(self, folder: Path, contracts: Contracts | None = None) -> None:
        self.site = Site(folder / "site")
        self.site.make()
        self.policy = StandInPolicy(contracts or canonical())
        self.warehouse = Warehouse.in_memory(pseudonym_key=b"test")

    def send(
        self,
        source: str,
        tables: Mapping[str, str | bytes],
        *,
        day: str = "2026-11-25",
        mode: str = "full",
        delivery_id: str | None = None,
        ending: str = "csv",
        rows: int | None = None,
        described: Mapping[str, Any] | None = None,
    ) -> Path:
        """One delivery of whole files by table; `described` replaces keys of delivery.json, `rows` every row count."""
        identity = delivery_id or f"{day}-{mode}"
        folder = self.site.inbox / source / identity
        folder.mkdir(parents=True)
        files = []
        for table, text in tables.items():
            content = text.encode() if isinstance(text, str) else text
            name = f"{table}.{ending}"
            (folder / name).write_bytes(content)
            counted = max(len(content.splitlines()) - (ending == "csv"), 0) if rows is None else rows
            files.append({"name": name, "table": table, "rows": counted, "sha256": hashlib.sha256(content).hexdigest()})
        description = {
            "source": source, "delivery_id": identity, "extracted_at": f"{day}T02:00:00Z", "mode": mode, "files": files,
        }  # fmt: skip
        description.update(described or {})
        (folder / "delivery.json").write_text(json.dumps(description), encoding="utf-8")
        return folder

    def ingest(self, as_of: date = AS_OF) -> IngestReport:
        """Take in what the inbox holds."""
        return ingest(self.warehouse, self.policy, self.site, as_of=as_of)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.warehouse.rows(sql)

    def value(self, sql: str) -> Any:
        """The first value of a query."""
        return self.warehouse.value(sql)

    def order_erased(self, record_type: str, key: str, *fields: str, action: str = "erase") -> None:
        """A sealed manifest has ordered these fields erased, with the whole record or (`redact`) alone."""
        order_erased(self.warehouse, record_type, key, *fields, action=action)

    def blocks(self, source: str) -> list[tuple[str, str]]:
        """(table, reason) of what blocks a source."""
        return self.rows(f"select table_name, reason from intake.blocks where source = '{source}' order by all")
