"""Rows that vanish from a source, come back or change: what was read stays read, only a row that is there brings news.

Three deliveries of one company, of which every outcome was worked out by hand from rules.md, *Dates* 6. That obeying a
manifest changes nothing is tested next door, on random companies.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse

Exports = dict[str, list[dict[str, Any]]]
Decisions = dict[tuple[str, str, str], tuple[str, date | None]]

DAY = date(2025, 6, 2)
PRIVATE = {"customer_type": "private", "customer_since": "2025-01-10"}
LEFT = {"customer_type": "private", "relation_ended_at": "2024-02-01"}
DONE = {"placed_at": "2024-01-05", "status": "closed", "closed_at": "2024-01-20"}
OWED = {"kind": "invoice", "issued_on": "2024-01-10", "amount": "100.00"}

FIRST: Exports = {
    "office/fiscal_years": [
        {"starts_on": "2022-07-01", "ends_on": "2023-06-30"},
        {"starts_on": "2023-07-01", "ends_on": "2024-06-30"},
        {"starts_on": "2024-07-01", "ends_on": "2025-06-30"},
    ],
    "office/holds": [
        {"hold_id": "H1", "record_type": "interaction", "record_key": "N1", "placed_at": "2023-06-01"},
        {"hold_id": "H2", "record_type": "interaction", "record_key": "N2", "placed_at": "2023-06-01"},
    ],
    "office/requests": [
        {"request_id": "R3", "customer_id": "C3", "kind": "objection", "received_at": "2025-03-01"},
        {"request_id": "R8", "customer_id": "C8", "kind": "restriction", "received_at": "2025-03-01"},
    ],
    "crm/customers": [
        {"customer_id": "C1", **LEFT},
        {"customer_id": "C2", "customer_type": "sole_trader", "relation_ended_at": "2024-02-01"},
        {"customer_id": "C3", **PRIVATE},
        {"customer_id": "C4", **PRIVATE},
        {"customer_id": "C5", **PRIVATE, "relation_ended_at": "2025-03-01"},
        {"customer_id": "C6", **PRIVATE, "relation_ended_at": "2025-03-01"},
        {"customer_id": "C8", **PRIVATE},
        {"customer_id": "C11", **LEFT},
        {"customer_id": "C12", **LEFT},
        {"customer_id": "F", "customer_type": "company", "customer_since": "2025-01-10"},
        {"customer_id": "G", "customer_type": "company", "customer_since": "2025-01-10"},
    ],
    "crm/contacts": [
        {"contact_id": "K1", "customer_id": "F"},
        {"contact_id": "K2", "customer_id": "G", "role_ended_at": "2025-03-01"},
    ],
    "crm/interactions": [
        {"interaction_id": "N1", "occurred_at": "2023-01-10"},
        {"interaction_id": "N2", "occurred_at": "2023-01-10"},
    ],
    "crm/consents": [
        {"consent_id": "S", "email": "s10@hem.example", "purpose": "newsletter", "withdrawn_at": "2025-03-01"},
        {"consent_id": "T", "email": "t10@hem.example", "purpose": "newsletter", "given_at": "2025-01-10"},
    ],
    "mailing/subscribers": [
        {"subscriber_id": "S3", "customer_id": "C3", "subscribed_at": "2025-01-10"},
        {"subscriber_id": "S4", "customer_id": "C4", "subscribed_at": "2025-01-10", "unsubscribed_at": "2025-03-01"},
        {"subscriber_id": "S10", "email": "s10@hem.example", "subscribed_at": "2025-01-10"},
    ],
    "orders/orders": [
        {"order_id": "O1", "customer_id": "C1", **DONE},
        {"order_id": "O2", "customer_id": "C2", "purchase_capacity": "business", **DONE},
        {"order_id": "O4b", "customer_id": "C4", **DONE, "placed_at": "2025-01-15", "closed_at": "2025-02-01"},
        {"order_id": "O11", "customer_id": "C11", **DONE},
        {"order_id": "O12", "customer_id": "C12", **DONE},
        {"order_id": "O15", "purchase_capacity": "private", **DONE},
    ],
    "orders/deliveries": [
        {"delivery_id": "D1", "order_id": "O1", "delivered_at": "2024-01-10"},
        {"delivery_id": "D2", "order_id": "O2", "delivered_at": "2024-01-10"},
        {"delivery_id": "D11", "order_id": "O11", "delivered_at": "2024-01-10"},
        {"delivery_id": "D12", "order_id": "O12", "delivered_at": "2024-01-10"},
    ],
    "orders/proof_approvals": [{"proof_id": "P2", "order_id": "O2"}],
    "orders/invoices": [
        {"invoice_id": "I1", "order_id": "O1", **OWED},
        {"invoice_id": "I2", "order_id": "O2", **OWED},
        {"invoice_id": "I11", "order_id": "O11", **OWED},
        {"invoice_id": "I12", "order_id": "O12", **OWED},
        {"invoice_id": "V22", "kind": "invoice", "booked_on": "2022-08-01", "amount": "0.00"},
        {"invoice_id": "V24", "kind": "invoice", "booked_on": "2024-08-01", "amount": "0.00"},
    ],
    "orders/payments": [
        {"payment_id": "B1", "invoice_id": "I1", "paid_at": "2024-01-15", "amount": "100.00"},
        {"payment_id": "B11", "invoice_id": "I11", "paid_at": "2024-01-15", "amount": "100.00"},
    ],
    "orders/claim_events": [
        {"claim_event_id": "E12", "invoice_id": "I12", "event": "demand_received", "occurred_at": "2025-04-30"},
    ],
}

# What is no longer in the second delivery, by the first column of its table.
GONE = {
    "office/fiscal_years": ("2022-07-01", "2024-07-01"),
    "office/holds": ("H1",),
    "office/requests": ("R3", "R8"),
    "crm/customers": ("C3", "F"),
    "crm/consents": ("S",),
    "mailing/subscribers": ("S4",),
    "orders/orders": ("O2", "O15"),
    "orders/deliveries": ("D2",),
    "orders/payments": ("B1",),
    "orders/claim_events": ("E12",),
}
# What has changed in it: table, key, column, value.
CHANGED = (
    ("crm/customers", "C5", "relation_ended_at", None),
    ("crm/customers", "C6", "relation_ended_at", "2025-07-01"),
    ("crm/contacts", "K2", "role_ended_at", None),
    ("orders/payments", "B11", "amount", "40.00"),
    ("office/fiscal_years", "2023-07-01", "ends_on", "2024-12-31"),
)


def key_of(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values())))


def second() -> Exports:
    """The next full delivery of everything: without what is gone, with what has changed."""
    exports = copy.deepcopy(FIRST)
    for table, keys in GONE.items():
        exports[table] = [row for row in exports[table] if key_of(row) not in keys]
    for table, key, column, value in CHANGED:
        (row,) = (each for each in exports[table] if key_of(each) == key)
        row[column] = value
    exports["office/fiscal_years"].append({"starts_on": "2025-01-01", "ends_on": "2025-12-31"})
    return exports


def decided(warehouse: Warehouse, policy: Policy) -> Decisions:
    build(warehouse)
    evaluate(warehouse, policy, DAY)
    rows = warehouse.rows(
        """
        select record.record_type, record.record_key, decided.data_category, decided.disposition, decided.keep_until
        from retention.dispositions as decided
        inner join retention.records as record
            on decided.record_type = record.record_type and decided.row_id = record.row_id
        """
    )
    return {(kind, key, category): (found, until) for kind, key, category, found, until in rows}


@pytest.fixture(scope="module")
def deliveries() -> tuple[Decisions, Decisions, Decisions]:
    """What is decided on one day after the first, the second and the third delivery."""
    policy = Policy.load()
    again = {**FIRST["orders/orders"][-1], "status": "open", "closed_at": None, "placed_at": "2025-05-01"}
    with Warehouse.in_memory(pseudonym_key=b"gone", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        found = []
        for exports in (FIRST, second(), {"orders/orders": [*second()["orders/orders"], again]}):
            assert load_rows(warehouse, policy, exports).rows_quarantined == 0
            found.append(decided(warehouse, policy))
    first, then, last = found
    return first, then, last


@pytest.mark.parametrize(
    ("record", "before", "after"),
    [
        pytest.param(("customer", "C1", "phone"), "erase", "erase", id="a payment that is gone has still been made"),
        pytest.param(("customer", "C2", "phone"), "restrict 2034-01-10", "restrict 2034-01-10",
                     id="a debt keeps the delivery and the capacity of an order that is gone"),
        pytest.param(("proof_approval", "P2", "identity"), "restrict 2026-01-10", "restrict 2026-01-10",
                     id="no proof becomes an orphan"),
        pytest.param(("contact", "K1", "phone"), "retain 2028-01-10", "retain 2028-01-10", id="nor does a contact"),
        pytest.param(("subscriber", "S3", "email"), "erase", "erase",
                     id="the word of a customer who is gone, from a request that is gone"),
        pytest.param(("customer", "C4", "email"), "erase", "erase", id="who unsubscribed and was cleared out"),
        pytest.param(("customer", "C4", "phone"), "retain 2028-01-15", "retain 2028-01-15", id="and has said no more"),
        pytest.param(("customer", "C5", "phone"), "erase", "retain 2028-01-10", id="an exit that was taken back"),
        pytest.param(("customer", "C6", "phone"), "erase", "retain 2028-01-10", id="an exit that is still to come"),
        pytest.param(("interaction", "N1", "content"), "restrict open", "restrict open",
                     id="a hold that was never released"),
        pytest.param(("interaction", "N2", "content"), "restrict open", "restrict open", id="as one that is there"),
        pytest.param(("customer", "C8", "phone"), "restrict open", "restrict open",
                     id="a restriction that was never answered"),
        pytest.param(("contact", "K2", "phone"), "erase", "retain 2028-01-10", id="a role that was taken up again"),
        pytest.param(("subscriber", "S10", "email"), "erase", "erase", id="a withdrawal whose consent is gone"),
        pytest.param(("customer", "C11", "phone"), "erase", "restrict 2027-01-15",
                     id="a payment that was smaller than first said"),
        pytest.param(("customer", "C12", "phone"), "restrict 2028-04-30", "restrict 2028-04-30",
                     id="a demand that is gone has still been received"),
        pytest.param(("invoice", "V22", "identity"), "restrict 2030-12-31", "restrict 2030-12-31",
                     id="a fiscal year that nobody lists any more still ended when it did"),
        pytest.param(("invoice", "V24", "identity"), "restrict 2032-12-31", "restrict 2031-12-31",
                     id="a fiscal year that was lengthened takes the place of the next"),
    ],
)  # fmt: skip
def test_what_is_gone_stays_known_and_what_changed_is_news(
    deliveries: tuple[Decisions, Decisions, Decisions], record: tuple[str, str, str], before: str, after: str
) -> None:
    first, then, _ = deliveries
    assert [said(first[record]), said(then[record])] == [before, after]


def said(decision: tuple[str, date | None]) -> str:
    disposition, until = decision
    return disposition if disposition == "erase" else f"{disposition} {until or 'open'}"


def test_nothing_is_decided_about_a_row_that_is_gone(deliveries: tuple[Decisions, Decisions, Decisions]) -> None:
    first, then, _ = deliveries
    gone = {(kind, key) for kind, key, _ in first} - {(kind, key) for kind, key, _ in then}
    assert gone == {
        ("customer", "C3"), ("customer", "F"), ("consent", "S"), ("subscriber", "S4"), ("order", "O2"),
        ("order", "O15"), ("delivery", "D2"), ("payment", "B1"), ("claim_event", "E12"),
    }  # fmt: skip


def test_a_row_that_is_there_again_brings_its_news(deliveries: tuple[Decisions, Decisions, Decisions]) -> None:
    first, _, last = deliveries
    assert said(first["order", "O15", "phone"]) == "erase"
    assert said(last["order", "O15", "phone"]) == "retain open"
