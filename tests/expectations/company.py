"""A small company that meets every rule: a row in every table, every kind of disposition. Fictional data only."""

from __future__ import annotations

from datetime import date

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.ledger import issued
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse

FIRST_DAY = date(2026, 6, 1)
SECOND_DAY = date(2026, 7, 1)
AS_OF = date(2026, 11, 25)
Rows = list[dict[str, str | None]]

PRIVATE = {"customer_type": "private"}
EXPORTS: dict[str, Rows] = {
    "crm/customers": [
        {"customer_id": "C1", **PRIVATE, "name": "Active Test", "email": "active@familj.example",
         "phone": "070-1740605", "national_id": "199006022397", "customer_since": "2025-11-01"},
        {"customer_id": "C2", "customer_type": "company", "name": "Testbolaget AB", "org_number": "202100-5489"},
        {"customer_id": "C3", **PRIVATE, "name": "Gone Test", "email": "gone@familj.example",
         "customer_since": "2015-01-01", "relation_ended_at": "2016-01-01"},
        {"customer_id": "C4", "customer_type": "sole_trader", "name": "Trader Test", "org_number": "199107172380",
         "customer_since": "2026-01-01"},
        {"customer_id": "C5", **PRIVATE, "name": "Contested Test", "email": "contested@familj.example",
         "customer_since": "2026-02-01"},
        {"customer_id": "C6", **PRIVATE, "name": "Held Test", "customer_since": "2015-01-01",
         "relation_ended_at": "2016-01-01"},
        {"customer_id": "C7", **PRIVATE, "name": "Undated Test"},
    ],
    "crm/contacts": [
        {"contact_id": "K1", "customer_id": "C2", "name": "Contact Test", "email": "contact@bolag.example"},
        {"contact_id": "K2", "customer_id": "C2", "name": "Former Test", "role_ended_at": "2026-11-10"},
    ],
    "crm/interactions": [
        {"interaction_id": "I1", "customer_id": "C1", "channel": "note", "occurred_at": "2026-10-01", "body": "Hej"},
        {"interaction_id": "I2", "customer_id": "C3", "channel": "phone", "occurred_at": "2015-02-01", "body": "Hej"},
        {"interaction_id": "I3", "customer_id": "C1", "channel": "note", "occurred_at": "2025-06-10", "body": "Hej"},
        {"interaction_id": "I4", "customer_id": "C1", "channel": "note", "occurred_at": "2025-08-10", "body": "Hej"},
    ],
    "crm/quotes": [
        {"quote_id": "Q1", "customer_id": "C1", "requested_at": "2026-10-01", "sent_at": "2026-10-02",
         "status": "sent", "request_text": "En film", "amount": "100"},
        {"quote_id": "Q2", "customer_id": "C2", "contact_id": "K2", "requested_at": "2026-10-01",
         "status": "requested", "request_text": "En film"},
    ],
    "crm/quote_documents": [
        {"document_id": "D1", "quote_id": "Q1", "file_name": "offert.pdf", "added_at": "2026-10-02"},
    ],
    "crm/consents": [
        {"consent_id": "S1", "customer_id": "C1", "email": "active@familj.example", "purpose": "newsletter",
         "given_at": "2026-01-01", "evidence": "form"},
    ],
    "orders/orders": [
        {"order_id": "O1", "customer_id": "C1", "purchase_capacity": "private", "placed_at": "2026-10-05",
         "status": "open", "buyer_name": "Active Test"},
        {"order_id": "O2", "customer_id": "C1", "purchase_capacity": "private", "placed_at": "2026-02-01",
         "status": "closed", "closed_at": "2026-03-01", "buyer_name": "Active Test"},
    ],
    "orders/deliveries": [
        {"delivery_id": "L1", "order_id": "O2", "contact_name": "Active Test", "delivered_at": "2026-02-20"},
    ],
    "orders/order_lines": [
        {"order_line_id": "R1", "order_id": "O2", "delivery_id": "L1", "product": "Film", "quantity": "1"},
    ],
    "orders/proof_approvals": [
        {"proof_id": "P1", "order_id": "O2", "approved_by": "Active Test", "approved_at": "2026-02-05"},
    ],
    "orders/invoices": [
        {"invoice_id": "F1", "order_id": "O2", "customer_id": "C1", "kind": "invoice", "issued_on": "2026-02-21",
         "booked_on": "2026-02-21", "due_on": "2026-03-21", "amount": "100", "buyer_name": "Active Test"},
    ],
    "orders/payments": [
        {"payment_id": "B1", "invoice_id": "F1", "paid_at": "2026-03-01", "amount": "100", "payer_name": "Active Test"},
    ],
    "orders/claim_events": [
        {"claim_event_id": "E1", "invoice_id": "F1", "event": "demand_received", "occurred_at": "2026-02-28"},
    ],
    "orders/complaints": [
        {"complaint_id": "M1", "order_id": "O2", "opened_at": "2026-02-25", "closed_at": "2026-02-26",
         "description": "Repa"},
    ],
    "mailing/subscribers": [
        {"subscriber_id": "N1", "customer_id": "C1", "email": "Active@familj.example", "name": "Active Test",
         "subscribed_at": "2026-01-01", "last_opened_at": "2026-05-01"},
    ],
    "mailing/sends": [
        {"send_id": "U1", "subscriber_id": "N1", "campaign": "vår", "sent_at": "2026-04-01", "opened_at": "2026-05-01"},
    ],
    "web/events": [
        {"event_id": "W1", "customer_id": "C1", "cookie_id": "k1", "ip": "192.0.2.1", "kind": "page",
         "url": "/start", "statistics_consent": "true", "occurred_at": "2026-11-01"},
        {"event_id": "W2", "cookie_id": "k2", "ip": "192.0.2.2", "kind": "page", "url": "/start",
         "statistics_consent": "false", "occurred_at": "2026-11-01"},
        {"event_id": "W3", "customer_id": "C1", "cookie_id": "k1", "ip": "192.0.2.1", "kind": "page",
         "url": "/start", "statistics_consent": "true", "occurred_at": "2026-06-15"},
    ],
    "office/fiscal_years": [
        {"starts_on": "2025-05-01", "ends_on": "2026-04-30"}, {"starts_on": "2026-05-01", "ends_on": "2027-04-30"},
    ],
    "office/partners": [{"partner_id": "T1", "name": "Labbet AB", "role": "processor", "system": "lab"}],
    "office/disclosures": [
        {"disclosure_id": "V1", "partner_id": "T1", "record_type": "customer", "record_key": "C1", "fields": "name",
         "disclosed_at": "2026-10-06"},
    ],
    "office/holds": [
        {"hold_id": "H1", "record_type": "customer", "record_key": "C6", "placed_at": "2016-01-01", "reason": "Tvist"},
    ],
    "office/requests": [
        {"request_id": "A1", "customer_id": "C5", "email": "contested@familj.example", "kind": "restriction",
         "scope": "newsletter", "received_at": "2026-11-20"},
    ],
}  # fmt: skip


def evaluated_warehouse() -> Warehouse:
    """The company as of `AS_OF`: two earlier days sealed in the ledger, and today's proposal standing."""
    policy = Policy.load(None)
    warehouse = Warehouse.in_memory(pseudonym_key=b"validation", threads=1)
    issued.prepare(warehouse)
    policy.publish(warehouse)
    prepare(warehouse, policy)
    load_rows(warehouse, policy, EXPORTS)
    _note_deliveries(warehouse)
    build(warehouse)
    for day in (FIRST_DAY, SECOND_DAY):
        evaluate(warehouse, policy, day)
        propose(warehouse, policy, day)
        seal(warehouse, policy, None, None, as_of=day, issued_at=None)
    evaluate(warehouse, policy, AS_OF)
    propose(warehouse, policy, AS_OF)
    return warehouse


def _note_deliveries(warehouse: Warehouse) -> None:
    """The registers of intake, as if each source's rows had come in one delivery that morning."""
    sources = sorted({table.split("/")[0] for table in EXPORTS})
    warehouse.insert(
        "intake.deliveries",
        ["sequence", "source", "delivery_id", "mode", "extracted_at", "status"],
        [(number, source, "today", "full", f"{AS_OF} 01:00:00", "loaded") for number, source in enumerate(sources)],
    )
    warehouse.insert(
        "intake.files",
        ["source", "delivery_id", "table_name", "file_name", "rows_in", "rows_loaded", "rows_quarantined",
         "rows_out_of_scope", "status"],
        [(*table.split("/")[:1], "today", table.split("/")[1], f"{table.split('/')[1]}.csv", len(rows), len(rows), 0, 0,
          "loaded") for table, rows in EXPORTS.items()],
    )  # fmt: skip
