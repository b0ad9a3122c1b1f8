"""Who received a record's data, and of which of it they were told, over a scenario of the rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.ledger.issued import recipients
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.rehearsal import scenarios
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse

SCENARIOS = Path(__file__).parents[1] / "scenarios"


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with Warehouse.in_memory(pseudonym_key=b"recipients", threads=1) as opened:
        yield opened


def nights(warehouse: Warehouse, scenario: str) -> Iterator[date]:
    """Seal the days of a shipped scenario, one after the other."""
    policy, told = Policy.load(), scenarios.read(SCENARIOS / f"{scenario}.yaml")
    policy.publish(warehouse)
    prepare(warehouse, policy)
    load_rows(warehouse, policy, told.exports)
    build(warehouse)
    for step in told.steps:
        evaluate(warehouse, policy, step.as_of)
        propose(warehouse, policy, step.as_of)
        seal(warehouse, policy, None, None, as_of=step.as_of, issued_at=None)
        yield step.as_of


def listed(warehouse: Warehouse, record_type: str, key: str) -> list[tuple[str, tuple[str, ...], bool]]:
    """Partner, fields, and whether it was told of them."""
    found = recipients(warehouse, record_type, key)
    return [(each.partner_id, each.fields, each.manifest_id is not None) for each in found]


def test_what_a_partner_was_told_of_and_what_not_yet_stand_apart(warehouse: Warehouse) -> None:
    """A listed field that the record does not hold is the office's word that the partner has it."""
    seen = {str(day): listed(warehouse, "order", "O1") for day in nights(warehouse, "partners-are-told-of-each-field")}
    apart = [("TRY", ("buyer_email", "buyer_name"), False), ("TRY", ("buyer_phone",), True)]
    assert [sorted(each) for each in seen.values()] == [
        [("TRY", ("buyer_email", "buyer_name", "buyer_phone"), False)],
        apart,
        apart,
        [("TRY", ("buyer_email",), False), ("TRY", ("buyer_name",), True), ("TRY", ("buyer_phone",), True)],
    ]


def test_of_a_direct_delivery_what_holds_nothing_was_not_given(warehouse: Warehouse) -> None:
    """Before anything was told it lists what such a delivery gives: the register of fields, not of values."""
    seen = [listed(warehouse, "delivery", "D1") for _ in nights(warehouse, "partners-are-told")]
    given = ("city", "contact_name", "phone", "postal_code", "street")
    assert seen[0] == [("TRY", given, False)]
    assert seen[-1] == [("TRY", ("contact_name", "phone", "street"), True)]


def test_an_entry_that_a_full_export_no_longer_lists_goes_on_until_it_is_withdrawn(warehouse: Warehouse) -> None:
    """A partner keeps its copy, whatever a shorter list says: a deletion alone takes an entry back."""
    policy = Policy.load()
    policy.publish(warehouse)
    entry = {"disclosure_id": "D1", "partner_id": "P1", "record_type": "customer", "record_key": "K1",
             "fields": "name", "disclosed_at": "2024-01-01"}  # fmt: skip
    exports = {"crm/customers": [{"customer_id": "K1", "customer_type": "private", "name": "Ada Ek",
                                  "customer_since": "2015-01-01", "relation_ended_at": "2016-01-01"}],
               "office/partners": [{"partner_id": "P1", "name": "Tryck", "role": "processor"}]}  # fmt: skip
    told = {}
    for what, rows, mode in (
        ("listed", [entry], "full"),
        ("no longer listed", [], "full"),
        ("withdrawn", [{**entry, "_deleted": "true"}], "delta"),
        ("entered anew", [entry], "delta"),
    ):
        load_rows(warehouse, policy, {**exports, "office/disclosures": rows}, mode=mode)
        build(warehouse)
        evaluate(warehouse, policy, date(2026, 11, 25))
        propose(warehouse, policy, date(2026, 11, 25))
        told[what] = warehouse.rows("select record_key, fields from manifest.proposed where system = 'partner:P1'")
    assert told == {
        "listed": [("K1", ["name"])], "no longer listed": [("K1", ["name"])], "withdrawn": [],
        "entered anew": [("K1", ["name"])],
    }  # fmt: skip
