"""A small company in memory, evaluated on a day: what the tests of people's rights look at. Everybody is invented."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ledger import issued
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.rights import freetext
from assets.warehouse import Warehouse

DAY = date(2026, 11, 25)
KEY = b"k" * 32
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
Exports = Mapping[str, Sequence[Mapping[str, Any]]]

EXPORTS: dict[str, list[dict[str, Any]]] = {
    "crm/customers": [
        {"customer_id": "C1", "customer_type": "private", "name": "Disa Testman", "email": "disa@hem.example",
         "phone": "070-1740640", "street": "Provvägen 4", "postal_code": "000 04", "city": "Testinge",
         "national_id": "199006022397", "customer_since": "2025-03-01"},
        {"customer_id": "C2", "customer_type": "private", "name": "Egil Fiktivsson", "email": "egil@hem.example",
         "phone": "070-1740641", "customer_since": "2026-03-01"},
        {"customer_id": "C3", "customer_type": "private", "name": "Olle Provsson", "email": "disa@hem.example",
         "phone": "070-1740640", "customer_since": "2026-03-01"},
        {"customer_id": "F", "customer_type": "company", "name": "Påhittade Skolan AB", "customer_since": "2026-01-01"},
    ],
    "crm/contacts": [
        {"contact_id": "K1", "customer_id": "F", "name": "Vega Testman", "email": "vega@skolan.example"},
        {"contact_id": "K2", "customer_id": "F", "name": "Walter Provsson", "email": "walter@skolan.example"},
    ],
    "crm/interactions": [
        {"interaction_id": "T1", "customer_id": "C1", "channel": "phone", "occurred_at": "2026-10-01",
         "subject": "Fråga", "body": "Undrade om fler kopior."},
        {"interaction_id": "T2", "customer_id": "C1", "channel": "note", "occurred_at": "2026-10-02",
         "subject": "Notering", "body": "Vill att vi ringer Egil Fiktivsson i stället."},
        {"interaction_id": "T3", "customer_id": "F", "contact_id": "K1", "channel": "note",
         "occurred_at": "2026-10-03", "subject": "Möte", "body": "Hon är sjukskriven, ring 070-1740642."},
    ],
    "crm/consents": [
        {"consent_id": "S1", "customer_id": "C1", "email": "disa@hem.example", "purpose": "newsletter",
         "given_at": "2026-02-01", "evidence": "formulär"},
    ],
    "orders/orders": [
        {"order_id": "O1", "customer_id": "C1", "purchase_capacity": "private", "placed_at": "2026-09-01",
         "status": "open", "buyer_name": "Disa Testman", "buyer_email": "disa@hem.example"},
        {"order_id": "O2", "customer_id": "C2", "purchase_capacity": "private", "placed_at": "2026-09-01",
         "status": "open", "buyer_name": "Egil Fiktivsson"},
        {"order_id": "O3", "customer_id": "F", "contact_id": "K1", "purchase_capacity": "business",
         "placed_at": "2026-09-01", "status": "open", "buyer_name": "Vega Testman"},
    ],
    "orders/order_lines": [
        {"order_line_id": f"L{number}", "order_id": f"O{number}", "product": "Super 8", "quantity": "2",
         "unit_price": "10"} for number in (1, 2, 3)
    ],
    "orders/deliveries": [
        {"delivery_id": "D1", "order_id": "O1", "partner_id": "P1", "contact_name": "Granne Grannsson",
         "phone": "070-1740643", "street": "Grannvägen 9", "city": "Testinge"},
    ],
    "orders/invoices": [
        {"invoice_id": "I1", "invoice_number": "1", "order_id": "O1", "customer_id": "C1", "kind": "invoice",
         "issued_on": "2025-09-02", "booked_on": "2025-09-02", "due_on": "2025-10-02", "amount": "20",
         "currency": "SEK", "buyer_name": "Disa Testman", "buyer_national_id": "199006022397"},
    ],
    "mailing/subscribers": [
        {"subscriber_id": "N1", "customer_id": "C1", "email": "disa@hem.example", "name": "Disa Testman",
         "subscribed_at": "2026-02-01"},
    ],
    "office/partners": [{"partner_id": "P1", "name": "Fraktbolaget AB", "role": "processor"}],
    "office/disclosures": [
        {"disclosure_id": "U1", "partner_id": "P1", "record_type": "delivery", "record_key": "D1",
         "fields": "contact_name;street", "disclosed_at": "2026-09-05"},
    ],
    "office/holds": [],
    "office/requests": [],
}  # fmt: skip


@cache
def policy() -> Policy:
    return Policy.load()


def company(exports: Exports | None = None) -> Warehouse:
    """The company's rows, loaded; a table of `exports` takes the place of the one here."""
    path = Path(tempfile.mkdtemp(dir=_template().parent)) / "warehouse.duckdb"
    shutil.copyfile(_template(), path)
    warehouse = Warehouse.open(path, key=None, pseudonym_key=KEY)
    if exports:
        load_rows(warehouse, policy(), exports)
    return warehouse


@cache
def _template() -> Path:
    """A file with the company's rows, made once: loading them takes longer than any test here."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with Warehouse.open(folder / "template.duckdb", key=None, pseudonym_key=KEY) as warehouse:
        policy().publish(warehouse)
        load_rows(warehouse, policy(), EXPORTS)
        issued.prepare(warehouse)
    return folder / "template.duckdb"


def evaluated(warehouse: Warehouse, day: date = DAY) -> Warehouse:
    build(warehouse)
    evaluate(warehouse, policy(), day)
    freetext.scan(warehouse)
    return warehouse


def disposition(warehouse: Warehouse, record_type: str, key: str, category: str) -> str | None:
    found: str | None = warehouse.value(
        "select disposition from retention.dispositions as decided inner join retention.records as record "
        "on decided.record_type = record.record_type and decided.row_id = record.row_id "
        "where record.record_type = ? and record.record_key = ? and decided.data_category = ?",
        [record_type, key, category],
    )
    return found
