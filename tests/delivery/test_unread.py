"""Rows that were set aside: an order about a record that one of them may keep waits for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.contracts.raw_tables import RAW_LINKS
from assets.delivery.approving import approve, approve_automatically
from assets.delivery.concerns import concerns
from assets.ingest.loading import load_rows
from assets.manifests.unread import UPWARDS, concerned_records
from assets.warehouse import Warehouse
from tests.delivery.nights import POLICY, Nights, Rules, System, instant, name_of
from tests.manifests.company import DAY

PAST = {"customer_type": "private", "customer_since": "2020-01-01", "relation_ended_at": "2022-01-01"}


def with_an_unread_order(path: Path) -> Nights:
    """T1 and T2 left long ago; that night T1 orders again, and the day of the order cannot be read."""
    made = Nights(path, System("crm"), System("orders"))
    for key in ("T1", "T2"):
        made.systems["crm"].add("customers", key, name=name_of(key), **PAST)
    made.systems["orders"].add("orders", "O9", customer_id="T1", placed_at="i dag", status="open")
    return made


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    made = with_an_unread_order(tmp_path)
    yield made
    made.warehouse.close()


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """The first night of such a company."""
    made = with_an_unread_order(tmp_path_factory.mktemp("first-night"))
    made.night(DAY, *made.systems)
    made.keep()
    return made


@pytest.fixture
def after(first_night: Nights, tmp_path: Path) -> Iterator[Nights]:
    """The company after that night."""
    begun = first_night.begun(tmp_path)
    yield begun
    begun.warehouse.close()


def waiting(nights: Nights) -> dict[str, list[str]]:
    return {each.system: [concern.code for concern in each.concerns] for each in nights.decided}


def test_an_order_about_the_customer_of_an_order_that_was_set_aside_waits(after: Nights) -> None:
    (decision,) = after.decided
    assert (decision.decision, decision.items) == ("waits", 2)
    ((code, text),) = [(each.code, each.text) for each in decision.concerns]
    assert code == "other_rows_unread"
    assert text.startswith("1 other records")
    assert not any(name in text for name in ("T1", "O9"))
    assert after.states("T1") == after.states("T2") == ["issued"]


def test_once_the_row_is_read_its_customer_is_kept_and_the_rest_goes(after: Nights) -> None:
    after.systems["orders"].tables["orders"]["O9"]["placed_at"] = DAY.isoformat()
    after.night(DAY + timedelta(days=1), *after.systems)
    assert waiting(after) == {"crm": []}
    assert after.states("T1") == ["cancelled"]
    assert after.states("T2") == ["cancelled", "done"]


def test_a_person_who_looked_at_it_lets_it_go(after: Nights) -> None:
    (decision,) = after.decided
    approve(after.warehouse, decision.manifest_id, by="A. Prover", reason="asked the shop", on_day=DAY,
            at=instant(DAY, 5))  # fmt: skip
    after.deliver(DAY)
    assert after.states("T1") == after.states("T2") == ["delivered"]


def test_an_approval_does_not_go_over_to_what_such_a_row_bears_on(nights: Nights) -> None:
    """T2 was approved beside T1, who is to be kept now. What is sealed anew holds T2, whose order came unreadable."""
    nights.systems["orders"].tables["orders"].clear()
    nights.rules = Rules(mode="required")
    nights.night(DAY, *nights.systems)
    (decision,) = nights.decided
    approve(nights.warehouse, decision.manifest_id, by="A. Prover", reason="x", on_day=DAY, at=instant(DAY, 5))
    nights.systems["crm"].tables["customers"]["T1"]["relation_ended_at"] = ""
    nights.systems["crm"].tables["customers"]["T1"]["customer_since"] = DAY.isoformat()
    nights.systems["orders"].add("orders", "O9", customer_id="T2", placed_at="i dag", status="open")
    for source in ("crm", "orders"):
        nights.export(source, DAY, hour=6)
    nights.take_in(DAY)
    nights.decide(DAY)
    (anew,) = approve_automatically(nights.warehouse, Rules(mode="required"), on_day=DAY, at=instant(DAY, 7))
    assert (anew.items, anew.decision) == (1, "waits")
    assert [each.code for each in anew.concerns] == ["approval_required", "other_rows_unread"]
    nights.warehouse.run("delete from intake.quarantined")
    (anew,) = approve_automatically(nights.warehouse, Rules(mode="required"), on_day=DAY, at=instant(DAY, 7))
    assert (anew.decision, anew.by_whom) == ("approved", "A. Prover"), "else the approval would have gone over"


def test_restrictions_do_not_wait_for_it(after: Nights) -> None:
    (decision,) = after.decided
    after.warehouse.run("update manifest.items set action = 'restrict' where record_key = 'T1'")
    assert concerns(after.warehouse, Rules(), decision.manifest_id) == []


# -- on what a row bears -----------------------------------------------------------------------------------------------

ROWS: dict[str, list[dict[str, Any]]] = {
    "crm/customers": [{"customer_id": key, "customer_type": "private"} for key in ("T1", "T2")] + [
        {"customer_id": "T3", "customer_type": "private", "email": "ada@exempel.example"},
    ],
    "crm/contacts": [{"contact_id": "K1", "customer_id": "T1"}, {"contact_id": "K2", "customer_id": "T2"}],
    "crm/interactions": [{"interaction_id": "A1", "customer_id": "T1"}],
    "crm/quotes": [{"quote_id": "Q1", "customer_id": "T1", "status": "sent"}],
    "crm/quote_documents": [{"document_id": "QD1", "quote_id": "Q1"}],
    "crm/consents": [{"consent_id": "N1", "customer_id": "T1", "purpose": "newsletter"},
                     {"consent_id": "N3", "email": "ada@exempel.example", "purpose": "newsletter"}],
    "mailing/subscribers": [{"subscriber_id": "S1", "customer_id": "T1"}],
    "mailing/sends": [{"send_id": "SE1", "subscriber_id": "S1"}],
    "web/events": [{"event_id": "W1", "customer_id": "T1"}],
    "orders/orders": [{"order_id": key, "customer_id": of, "status": "open"}
                      for key, of in (("O1", "T1"), ("O3", "T2"))]
    + [{"order_id": "O2", "customer_id": "T1", "contact_id": "K1", "status": "open"}],
    "orders/order_lines": [{"order_line_id": f"L{n}", "order_id": f"O{n}"} for n in (1, 2, 3)],
    "orders/deliveries": [{"delivery_id": "D1", "order_id": "O1"}],
    "orders/invoices": [{"invoice_id": f"I{n}", "order_id": f"O{n}", "kind": "invoice", "amount": "10"}
                        for n in (1, 2)],
    "orders/payments": [{"payment_id": f"P{n}", "invoice_id": f"I{n}", "amount": "1"} for n in (1, 2)],
}  # fmt: skip
PERSON = {"T1", "K1", "S1", "N1"}
FIRST_ORDER = {"O1", "L1", "D1", "I1", "P1"}


@pytest.fixture(scope="module")
def stored() -> Iterator[Warehouse]:
    warehouse = Warehouse.in_memory(pseudonym_key=b"unread", threads=1)
    POLICY.publish(warehouse)
    load_rows(warehouse, POLICY, ROWS)
    yield warehouse
    warehouse.close()


@pytest.mark.parametrize(
    ("table", "row", "own", "others"),
    [
        ("orders/orders", {"order_id": "O9", "customer_id": "T1", "status": "?"}, {"O9"}, PERSON),
        ("orders/orders", {"order_id": "O9", "contact_id": "K1", "status": "?"}, {"O9"}, PERSON),
        ("orders/orders", {"customer_id": "T1", "status": "open"}, set(), PERSON),
        ("orders/orders", {"order_id": "O9", "status": "?"}, {"O9"}, set()),
        ("orders/orders", {"order_id": "O9", "customer_id": "T8", "status": "?"}, {"O9"}, {"T8"}),
        ("orders/orders", {"order_id": "O1", "status": "?"}, {"O1"}, PERSON | FIRST_ORDER),
        ("orders/invoices", {"invoice_id": "I9", "order_id": "O1", "kind": "?"}, {"I9"}, PERSON | FIRST_ORDER),
        ("orders/invoices", {"invoice_id": "I9", "refers_to_invoice_id": "I1", "kind": "?"}, {"I9"},
         PERSON | FIRST_ORDER),
        ("orders/payments", {"payment_id": "P9", "invoice_id": "I1", "paid_at": "?"}, {"P9"}, PERSON | FIRST_ORDER),
        ("orders/claim_events", {"claim_event_id": "E9", "invoice_id": "I1", "occurred_at": "?"}, {"E9"},
         PERSON | FIRST_ORDER),
        ("orders/complaints", {"complaint_id": "R9", "order_id": "O1", "opened_at": "?"}, {"R9"}, PERSON | FIRST_ORDER),
        ("crm/quotes", {"quote_id": "Q9", "customer_id": "T1", "status": "?"}, {"Q9"}, PERSON),
        ("crm/quotes", {"quote_id": "Q1", "status": "?"}, {"Q1"}, PERSON | {"QD1"}),
        ("mailing/subscribers", {"subscriber_id": "S9", "email": " Ada@Exempel.example", "subscribed_at": "?"},
         {"S9"}, {"N3", "T3"}),
        ("mailing/sends", {"send_id": "SE9", "subscriber_id": "S1", "opened_at": "?"}, {"SE9"}, PERSON | {"SE1"}),
        ("crm/customers", {"customer_id": "T1", "customer_type": "?"}, {"T1"},
         PERSON | FIRST_ORDER | {"O2", "L2", "I2", "P2", "A1", "Q1", "QD1", "W1", "SE1"}),
        ("crm/contacts", {"contact_id": "K2", "role_ended_at": "?"}, {"K2"}, {"T2"}),
        ("crm/customers", {"customer_id": "T3", "customer_type": "?"}, {"T3"}, {"N3"}),
        ("web/events", {"event_id": "W9", "occurred_at": "?"}, {"W9"}, set()),
    ],
)  # fmt: skip
def test_a_row_bears_on_what_it_names_and_what_hangs_together_with_that(
    stored: Warehouse, table: str, row: Mapping[str, str], own: set[str], others: set[str]
) -> None:
    try:
        with stored.transaction():
            (delivery,) = load_rows(stored, POLICY, {table: [row]}, mode="delta").loaded
            assert delivery.files[0].quarantined == 1
            found = stored.rows(f"select record_key, is_own from ({concerned_records(stored)})")
            assert {key for key, is_own in found if is_own} == own
            assert {key for key, is_own in found if not is_own} == others - own
            assert len(found) == len(dict(found))
            raise _Undone
    except _Undone:
        pass


class _Undone(Exception):
    """Takes back what a test did to the warehouse that the others share."""


def test_every_reference_of_the_contracts_is_followed() -> None:
    """Each leads further up, so that none is left out by the order in which the tables are read."""
    for contract in POLICY.contracts.values():
        for column in contract.columns:
            if contract.record_type is not None and column.name in RAW_LINKS and column.name != contract.key:
                order = [UPWARDS.index(contract.record_type), UPWARDS.index(RAW_LINKS[column.name])]
                assert order == sorted(order), (contract.raw_table, column.name)
    assert set(UPWARDS) == {contract.record_type for contract in POLICY.contracts.values() if contract.record_type}


def test_only_a_full_delivery_after_it_settles_what_a_row_bears_on(stored: Warehouse) -> None:
    def concerned() -> list[str]:
        return [key for (key,) in stored.rows(f"select record_key from ({concerned_records(stored)}) order by all")]

    orders = ROWS["orders/orders"]
    try:
        with stored.transaction():
            load_rows(stored, POLICY, {"orders/orders": [{"order_id": "O9", "customer_id": "T2", "status": "?"}]},
                      mode="delta")  # fmt: skip
            assert concerned() == ["K2", "O9", "T2"]
            load_rows(stored, POLICY, {"orders/orders": [{"order_id": "O9", "customer_id": "T2", "status": "open"}]},
                      mode="delta")  # fmt: skip
            assert concerned() == ["K2", "O9", "T2"], "a delta says nothing of the row that was set aside"
            load_rows(stored, POLICY, {"orders/order_lines": ROWS["orders/order_lines"]})
            assert concerned() == ["K2", "O9", "T2"], "another table"
            load_rows(
                stored, POLICY, {"orders/orders": [*orders, {"order_id": "O8", "customer_id": "T1", "status": "?"}]}
            )
            assert concerned() == ["K1", "N1", "O8", "S1", "T1"], "another row was set aside there"
            load_rows(stored, POLICY, {"orders/orders": orders})
            assert concerned() == []
            raise _Undone
    except _Undone:
        pass


def test_a_row_names_its_customer_though_its_text_is_not_kept(stored: Warehouse) -> None:
    """Of a record with a field ordered erased no text is kept: what it bears on is known all the same."""
    try:
        with stored.transaction():
            stored.run("insert into intake.quarantined by name select source, delivery_id, 'orders' as table_name, "
                       "'O2' as record_key, map(['customer_id'], ['T2']) as refers_to from intake.deliveries "
                       "where source = 'orders'")  # fmt: skip
            found = {key for (key,) in stored.rows(f"select record_key from ({concerned_records(stored)})")}
            assert {"T1", "T2", "O2", "L2"} <= found, "the customer that was known, and the one that is named now"
            raise _Undone
    except _Undone:
        pass


def test_a_record_that_was_merged_bears_on_the_one_that_is_left(stored: Warehouse) -> None:
    try:
        with stored.transaction():
            stored.run("insert into intake.quarantined by name select source, delivery_id, 'customers' as table_name, "
                       "'T9' as record_key, map(['merged_into'], ['T2']) as refers_to from intake.deliveries "
                       "where source = 'crm'")  # fmt: skip
            found = stored.rows(f"select record_key from ({concerned_records(stored)}) order by all")
            assert [key for (key,) in found] == ["K2", "T2", "T9"]
            raise _Undone
    except _Undone:
        pass
