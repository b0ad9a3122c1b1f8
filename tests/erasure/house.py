"""A company that lives through nights: exports come in, manifests are sealed, own copies are erased. Fictional people.

`CANARY` stands in every personal text of the people that the tests follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from assets.core.building import build
from assets.erasure.erasing import Erasure, erase_own_copies
from assets.ingest.loading import load_rows
from assets.ledger import issued
from assets.manifests.changes import propose
from assets.manifests.sealing import SealReport, seal
from assets.manifests.signatures import Signer, make_key
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import Warehouse

CANARY = "Kanariefågel-7f3a"
POLICY = Policy.load()
KEY = "5a" * 32
PSEUDONYM_KEY = b"p" * 32

Exports = Mapping[str, Sequence[Mapping[str, Any]]]


class House:
    """A warehouse, with or without a site around it."""

    def __init__(self, warehouse: Warehouse, site: Site | None = None, *, policy: Policy = POLICY) -> None:
        self.warehouse = warehouse
        self.policy = policy
        self.site = site
        self.signer: Signer | None = None
        if site is not None:
            site.make()
            if not (site.keys / "signing.pem").exists():
                make_key(site.keys / "signing.pem", site.keys / "signing.pub.pem")
            self.signer = Signer.load(site.keys / "signing.pem")
        policy.publish(warehouse)
        issued.prepare(warehouse)

    def evaluate(self, day: date, exports: Exports, mode: str = "full") -> None:
        """Take in the exports and decide."""
        load_rows(self.warehouse, self.policy, exports, mode=mode)
        build(self.warehouse)
        evaluate(self.warehouse, self.policy, day)

    def seal(self, day: date, exports: Exports) -> SealReport:
        """Take in, decide and tell the systems."""
        self.evaluate(day, exports)
        propose(self.warehouse, self.policy, day)
        issued_at = datetime.combine(day, time(3), UTC)
        report = seal(self.warehouse, self.policy, self.site, self.signer, as_of=day, issued_at=issued_at)
        assert not report.refusals, report.refusals
        return report

    def night(self, day: date, exports: Exports) -> Erasure:
        """A whole night, own copies included."""
        self.seal(day, exports)
        return self.erase(day)

    def erase(self, day: date, **options: Any) -> Erasure:
        """Erase own copies as of a day."""
        return erase_own_copies(self.warehouse, self.policy, as_of=day, **options)

    def dispositions(self) -> list[tuple[Any, ...]]:
        """What was decided."""
        return self.warehouse.rows(
            "select record_type, row_id, data_category, disposition, keep_until from retention.dispositions "
            "order by all"
        )


def customer(key: str, **values: Any) -> dict[str, Any]:
    """A private person with the canary in every text."""
    return {
        "customer_id": key, "customer_type": "private", "name": f"{CANARY} {key}", "email": f"{key}@{CANARY}.example",
        "phone": "070-1740605", "street": f"{CANARY}gatan 1", "city": CANARY, "customer_since": "2015-01-01", **values,
    }  # fmt: skip


def order(key: str, customer_id: str, day: str, **values: Any) -> dict[str, Any]:
    """A private purchase that was closed on its day."""
    return {
        "order_id": key, "customer_id": customer_id, "purchase_capacity": "private", "placed_at": day,
        "status": "closed", "closed_at": day, "buyer_name": f"{CANARY} {customer_id}", **values,
    }  # fmt: skip


def line(key: str, order_id: str, **values: Any) -> dict[str, Any]:
    """Two pieces at 100."""
    return {"order_line_id": key, "order_id": order_id, "product": f"{CANARY} album", "description": CANARY,
            "quantity": "2", "unit_price": "100", **values}  # fmt: skip


def invoice(key: str, order_id: str, day: str, **values: Any) -> dict[str, Any]:
    """An invoice over 200 that is paid on its day (see `payment`)."""
    return {"invoice_id": key, "invoice_number": key, "order_id": order_id, "kind": "invoice", "issued_on": day,
            "booked_on": day, "due_on": day, "amount": "200", "currency": "SEK", "buyer_name": CANARY,
            **values}  # fmt: skip


def payment(key: str, invoice_id: str, day: str) -> dict[str, Any]:
    """What was owed, paid."""
    return {"payment_id": key, "invoice_id": invoice_id, "paid_at": day, "amount": "200", "payer_name": CANARY}


def company() -> dict[str, list[dict[str, Any]]]:
    """Two people: K1 is long gone in every respect, K2 is a customer of today."""
    return {
        "crm/customers": [customer("K1"), customer("K2", customer_since="2026-01-01")],
        "orders/orders": [order("O1", "K1", "2015-01-10"), order("O2", "K2", "2026-05-01")],
        "orders/order_lines": [line("L1", "O1"), line("L2", "O2", product="album", description="Kvar")],
        "orders/invoices": [invoice("I1", "O1", "2015-01-10"),
                            invoice("I2", "O2", "2026-05-01", buyer_name="Kvar", customer_id="K2")],
        "orders/payments": [payment("P1", "I1", "2015-01-10"), payment("P2", "I2", "2026-05-01")],
        "mailing/subscribers": [{"subscriber_id": "S1", "email": f"k1@{CANARY}.example", "name": CANARY,
                                 "list": "nyhetsbrev", "subscribed_at": "2015-01-01"}],
    }  # fmt: skip


def opened(folder: Path, key: str | None = KEY) -> Warehouse:
    """A warehouse file in a folder of its own."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Warehouse.open(
        folder / "warehouse.duckdb", key=key, pseudonym_key=PSEUDONYM_KEY, temporary=folder / "tmp"
    )  # fmt: skip


def files_with(folder: Path, text: str) -> list[str]:
    """The files below a folder in whose bytes the text stands."""
    wanted = text.encode()
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and wanted in path.read_bytes())
