"""What the office's registers give a person to look at: words that reach nobody, and days that are still to come."""

from __future__ import annotations

from datetime import date

import pytest

from assets.core.building import build
from assets.core.changing import rebuild
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.retention.incremental import evaluate_night
from assets.warehouse import Warehouse
from tests.retention.nights import differences

RECEIVED = {"received_at": "2025-02-10"}
REQUESTS = [
    {"request_id": "known", "kind": "objection", "customer_id": "C1", **RECEIVED},
    {"request_id": "mistyped", "kind": "objection", "customer_id": "C404", **RECEIVED},
    {"request_id": "mistyped, with the address", "kind": "objection", "customer_id": "C404", "email": "a@hem.example",
     **RECEIVED},
    {"request_id": "mistyped, with an unknown address", "kind": "restriction", "customer_id": "C404",
     "email": "b@hem.example", **RECEIVED},
    {"request_id": "unknown contact", "kind": "restriction", "contact_id": "K404", **RECEIVED},
    {"request_id": "of a company", "kind": "erasure", "customer_id": "F", **RECEIVED,
     "identity_verified_at": "2025-02-11"},
    {"request_id": "of a company, not verified", "kind": "erasure", "customer_id": "F", **RECEIVED},
    {"request_id": "names nobody", "kind": "withdrawal", **RECEIVED},
    {"request_id": "a stranger's address", "kind": "objection", "email": "c@hem.example", **RECEIVED},
    {"request_id": "withdrawn by a mistyped address", "kind": "withdrawal", "email": "c@hem.example", **RECEIVED},
    {"request_id": "restricted by a mistyped address", "kind": "restriction", "email": "c@hem.example", **RECEIVED},
    {"request_id": "leaves by a mistyped address", "kind": "termination", "email": "c@hem.example", **RECEIVED},
    {"request_id": "erasure by a mistyped address", "kind": "erasure", "email": "c@hem.example",
     "identity_verified_at": "2025-02-11", **RECEIVED},
    {"request_id": "withdrawn by address", "kind": "withdrawal", "email": "a@hem.example", **RECEIVED},
    {"request_id": "answered", "kind": "objection", "customer_id": "C404", "answered_at": "2025-02-20", **RECEIVED},
    {"request_id": "tomorrow", "kind": "objection", "customer_id": "C1", "received_at": "2025-03-02"},
    {"request_id": "to be verified", "kind": "erasure", "customer_id": "C1", "identity_verified_at": "2025-03-03",
     **RECEIVED},
    {"request_id": "to come", "kind": "objection", "customer_id": "C404", "received_at": "2025-12-01"},
    {"request_id": "a company leaves", "kind": "termination", "customer_id": "F", **RECEIVED},
    {"request_id": "leaves by address", "kind": "termination", "email": "a@hem.example", **RECEIVED},
    {"request_id": "leaves, mistyped", "kind": "termination", "customer_id": "C404", **RECEIVED},
    {"request_id": "a contact leaves", "kind": "termination", "contact_id": "K1", **RECEIVED},
    {"request_id": "objected, undated", "kind": "objection", "customer_id": "C1"},
    {"request_id": "objected, undated, answered", "kind": "objection", "customer_id": "C1",
     "answered_at": "2025-02-20"},
    {"request_id": "erasure, verified, undated", "kind": "erasure", "customer_id": "C1",
     "identity_verified_at": "2025-02-11"},
    {"request_id": "restricted, undated", "kind": "restriction", "customer_id": "C1"},
    {"request_id": "restricted, undated, answered", "kind": "restriction", "customer_id": "C1",
     "answered_at": "2025-02-20"},
    {"request_id": "of no kind", "customer_id": "C1", **RECEIVED},
    {"request_id": "of no kind, answered", "customer_id": "C1", "answered_at": "2025-02-20", **RECEIVED},
    {"request_id": "answered before it came", "kind": "restriction", "customer_id": "C1", "answered_at": "2024-02-20",
     **RECEIVED},
    {"request_id": "extended before it came", "kind": "access", "customer_id": "C1", "extended_at": "2024-02-20",
     **RECEIVED},
    {"request_id": "extended before it came, answered", "kind": "access", "customer_id": "C1",
     "extended_at": "2024-02-20", "answered_at": "2025-02-10", **RECEIVED},
    {"request_id": "mistyped, answered before it came", "kind": "restriction", "customer_id": "C404",
     "answered_at": "2024-02-20", **RECEIVED},
]  # fmt: skip
HOLDS = [
    {"hold_id": "placed", "record_type": "customer", "record_key": "C1", "placed_at": "2025-02-10"},
    {"hold_id": "mistyped", "record_type": "customer", "record_key": "C1", "placed_at": "2052-02-10"},
    {"hold_id": "to end", "record_type": "customer", "record_key": "C1", "released_at": "2025-03-03"},
    {"hold_id": "of nobody", "record_type": "customer", "record_key": "C404"},
    {"hold_id": "released before it was placed", "record_type": "customer", "record_key": "C1",
     "placed_at": "2025-02-10", "released_at": "2024-02-20"},
    {"hold_id": "released on the day", "record_type": "customer", "record_key": "C1", "placed_at": "2025-02-10",
     "released_at": "2025-02-10"},
]  # fmt: skip


@pytest.fixture(scope="module")
def found() -> set[tuple[str, str]]:
    """(finding, request or hold) as of 2025-03-01."""
    policy = Policy.load()
    exports = {
        "crm/customers": [
            {"customer_id": "C1", "customer_type": "private", "name": "Ask Testman", "email": "a@hem.example"},
            {"customer_id": "F", "customer_type": "company"},
        ],
        "crm/contacts": [{"contact_id": "K1", "customer_id": "F"}],
        "office/requests": REQUESTS,
        "office/holds": HOLDS,
    }
    with Warehouse.in_memory(pseudonym_key=b"findings", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        build(warehouse)
        evaluate(warehouse, policy, date(2025, 3, 1))
        return set(
            warehouse.rows(
                "select findings.finding, coalesce(requests.request_id, holds.hold_id) from retention.findings "
                "left join raw.office_requests as requests "
                "on findings.record_type = 'request' and findings.row_id = requests.row_id "
                "left join raw.office_holds as holds "
                "on findings.record_type = 'hold' and findings.row_id = holds.row_id "
                "where findings.record_type in ('request', 'hold')"
            )
        )


def test_a_word_that_reaches_nobody_is_told(found: set[tuple[str, str]]) -> None:
    assert {request for finding, request in found if finding == "request_without_person"} == {
        "mistyped", "mistyped, with an unknown address", "unknown contact", "of a company", "names nobody",
        "leaves, mistyped", "withdrawn by a mistyped address", "restricted by a mistyped address",
        "leaves by a mistyped address", "erasure by a mistyped address", "mistyped, answered before it came",
    }, "an objection alone does something at a stranger's address: it joins the suppression list"  # fmt: skip


def test_a_restriction_whose_person_has_left_every_source_is_told() -> None:
    """What is open about them nobody would see: the letter waits for a person. What they ended stays ended."""
    customer = {"customer_type": "private", "customer_since": "2024-01-10"}
    left = [{"customer_id": key, **customer} for key in ("C1", "C2", "C3", "C4")]
    exports = {
        "crm/customers": [*left, {"customer_id": "C5", **customer}],
        "office/requests": [
            {"request_id": "restriction", "kind": "restriction", "customer_id": "C1", **RECEIVED},
            {"request_id": "rectification", "kind": "rectification", "customer_id": "C2",
             "identity_verified_at": "2025-02-11", **RECEIVED},
            {"request_id": "answered", "kind": "restriction", "customer_id": "C3", "answered_at": "2025-02-20",
             **RECEIVED},
            {"request_id": "objection", "kind": "objection", "customer_id": "C4", **RECEIVED},
            {"request_id": "there", "kind": "restriction", "customer_id": "C5", **RECEIVED},
        ],
    }  # fmt: skip
    policy = Policy.load()
    with Warehouse.in_memory(pseudonym_key=b"findings", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        load_rows(warehouse, policy, {"crm/customers": exports["crm/customers"][-1:]})
        build(warehouse)
        evaluate(warehouse, policy, date(2025, 3, 1))
        assert warehouse.rows(
            "select requests.request_id from retention.findings inner join raw.office_requests as requests "
            "on findings.row_id = requests.row_id "
            "where findings.finding = 'request_without_person' and findings.record_type = 'request' order by all"
        ) == [("rectification",), ("restriction",)]


def test_a_word_that_counts_for_nothing_for_want_of_its_day_or_kind_is_told(found: set[tuple[str, str]]) -> None:
    """Rule 4 gives it no effect; a restriction that was answered would have none any more."""
    assert {request for finding, request in found if finding == "request_without_day"} == {
        "objected, undated", "objected, undated, answered", "erasure, verified, undated", "restricted, undated",
    }  # fmt: skip
    assert {request for finding, request in found if finding == "request_without_kind"} == {"of no kind"}


def test_a_contact_who_ends_a_relation_is_for_a_person_to_decide(found: set[tuple[str, str]]) -> None:
    assert {request for finding, request in found if finding == "termination_by_contact"} == {"a contact leaves"}


def test_an_end_before_its_beginning_is_told(found: set[tuple[str, str]]) -> None:
    """It counts as none: what it would lift must not go in silence, nor stay so."""
    assert {entry for finding, entry in found if finding == "contradicting_days"} == {
        "answered before it came", "extended before it came", "mistyped, answered before it came",
        "released before it was placed",
    }  # fmt: skip


def test_a_day_more_than_one_ahead_is_told(found: set[tuple[str, str]]) -> None:
    """A hold whose year was mistyped holds nothing yet: whoever placed it must hear of it."""
    assert {entry for finding, entry in found if finding == "date_ahead"} == {
        "to be verified", "to come", "mistyped", "to end"
    }  # fmt: skip


def test_a_finding_names_the_days_alone_that_are_ahead() -> None:
    ahead, past = "2026-01-01", "2020-01-01"
    exports = {
        "crm/customers": [
            {"customer_id": "C1", "customer_type": "private", "customer_since": past, "relation_ended_at": ahead},
            {"customer_id": "C2", "customer_type": "private", "customer_since": ahead, "deceased_on": ahead},
        ],
        "orders/orders": [{"order_id": "O1", "customer_id": "C1", "placed_at": ahead}],
        "office/holds": [{"hold_id": "H1", "record_type": "customer", "record_key": "C1", "placed_at": ahead}],
    }
    policy = Policy.load()
    with Warehouse.in_memory(pseudonym_key=b"findings", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        build(warehouse)
        evaluate(warehouse, policy, date(2025, 3, 1))
        told = warehouse.rows("select record_type, detail from retention.findings where finding = 'date_ahead'")
    assert sorted(told) == [
        ("customer", "customer_since, deceased_on"), ("customer", "relation_ended_on"), ("hold", "placed_on"),
        ("order", "placed_on"),
    ]  # fmt: skip


def test_a_hold_on_nobody_is_told(found: set[tuple[str, str]]) -> None:
    assert {hold for finding, hold in found if finding == "hold_without_record"} == {"of nobody"}


def test_a_consent_of_nobody_that_a_word_from_its_address_does_not_end_is_told() -> None:
    """A request by address reaches rows of people (rules.md): two have this one, so that the consent is nobody's."""
    given = {"purpose": "newsletter", "given_at": "2025-01-01"}
    private = {"customer_type": "private"}
    exports = {
        "crm/customers": [
            private | {"customer_id": "C1", "name": "Ask Testman", "email": "delad@hem.example"},
            private | {"customer_id": "C2", "name": "Bo Testman", "email": "delad@hem.example"},
            private | {"customer_id": "C3", "name": "Cia Testman", "email": "c@hem.example"},
        ],
        "crm/consents": [
            given | {"consent_id": "of nobody", "email": "Delad@hem.example"},
            given | {"consent_id": "of no address of a person", "email": "ensam@hem.example"},
            given | {"consent_id": "for statistics", "email": "delad@hem.example", "purpose": "web_statistics"},
            given | {"consent_id": "given later", "email": "delad@hem.example", "given_at": "2025-02-20"},
            given | {"consent_id": "of C1", "email": "delad@hem.example", "customer_id": "C1"},
            given | {"consent_id": "of C3", "email": "c@hem.example"},
            given | {"consent_id": "not verified", "email": "doubt@hem.example"},
        ],
        "office/requests": [
            {"request_id": "R1", "kind": "withdrawal", "scope": "newsletter", "email": "delad@hem.example", **RECEIVED},
            {"request_id": "R2", "kind": "objection", "email": "c@hem.example", **RECEIVED},
            {"request_id": "R3", "kind": "withdrawal", "email": "ensam@hem.example", "answered_at": "2025-02-20",
             **RECEIVED},
            {"request_id": "R4", "kind": "erasure", "email": "doubt@hem.example", **RECEIVED},
            {"request_id": "R5", "kind": "objection", "customer_id": "C2", "email": "delad@hem.example", **RECEIVED},
        ],
    }  # fmt: skip
    policy = Policy.load()

    def told(day: date) -> list[str]:
        evaluate(warehouse, policy, day)
        return [
            key for (key,) in warehouse.rows(
                "select consent.consent_id from retention.findings inner join raw.crm_consents as consent "
                "on findings.row_id = consent.row_id where finding = 'consent_word_by_address' order by all"
            )
        ]  # fmt: skip

    with Warehouse.in_memory(pseudonym_key=b"findings", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        build(warehouse)
        assert told(date(2025, 2, 9)) == []
        assert told(date(2025, 3, 1)) == ["of no address of a person", "of nobody"]
        # whose it is has been decided in the source, or nothing is kept of it any more
        named = exports["crm/consents"][0] | {"customer_id": "C2"}
        load_rows(warehouse, policy, {"crm/consents": [named, *exports["crm/consents"][1:]]})
        build(warehouse)
        assert told(date(2025, 3, 1)) == ["of no address of a person"]
        assert told(date(2027, 1, 2)) == []


def test_a_finding_of_a_consent_ends_with_it_by_night_too() -> None:
    """Nobody objected: a withdrawal by an address of two people is what the finding is about."""
    policy, people = Policy.load(), [
        {"customer_id": key, "customer_type": "private", "name": f"{key} Testman", "email": email}
        for key, email in (("Ask", "delad@hem.example"), ("Bo", "delad@hem.example"),
                           *((f"X{number}", f"x{number}@hem.example") for number in range(60)))
    ]  # fmt: skip
    exports = {
        "crm/customers": people,
        "crm/consents": [{"consent_id": "S1", "email": "delad@hem.example", "purpose": "newsletter",
                          "given_at": "2025-01-01"}],
        "office/requests": [{"request_id": "R1", "kind": "withdrawal", "scope": "newsletter",
                             "email": "delad@hem.example", **RECEIVED}],
    }  # fmt: skip
    with Warehouse.in_memory(pseudonym_key=b"findings", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        rebuild(warehouse, policy, full=True)
        found = []
        for day in (date(2027, 1, 1), date(2027, 1, 2)):
            evaluate_night(warehouse, policy, day)
            assert differences(warehouse, policy, day) == []
            found.append(
                warehouse.value("select count(*) from retention.findings where finding = 'consent_word_by_address'")
            )
    assert found == [1, 0]
