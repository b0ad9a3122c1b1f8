"""Each reading of a restricted person's data is told in the evidence, and whose it was is not."""

from __future__ import annotations

import json

import pytest

from assets.evidence.entries import facts_fit
from assets.evidence.recording import _office
from assets.rights import requests
from assets.rights.people import find_person, records_of
from assets.rights.readings import any_restricted, note_reading, records_named
from assets.warehouse import Warehouse
from tests.rights.company import DAY, NOW, company, evaluated


@pytest.fixture
def warehouse() -> Warehouse:
    found = company()
    requests.add(found, "restriction", received_on=DAY, at=NOW, customer="C1")
    return evaluated(found)


def readings(warehouse: Warehouse) -> list[tuple[str, str | None]]:
    told = list(_office(warehouse))
    assert all(facts_fit(kind, facts) for kind, _, facts in told)
    assert not any(word in json.dumps(told) for word in ("Disa", "disa", "C1", "O1", "Egil"))
    return [(facts["event"], facts["entry"]) for _, _, facts in told if facts["register"] == "readings"]


def test_a_restricted_persons_record_is_noted_and_another_is_not(warehouse: Warehouse) -> None:
    for name, noted in ((("customer", "C1"), True), (("order", "O1"), True), (("customer", "C2"), False),
                        (("order", "O3"), False), (("order", "O99"), False)):  # fmt: skip
        about = records_named(warehouse, [name])
        assert note_reading(warehouse, "explained", "/".join(name), about, NOW) is noted
    assert readings(warehouse) == [("explained", None), ("explained", None)]


def test_a_whole_person_is_restricted_when_one_of_the_records_is(warehouse: Warehouse) -> None:
    assert any_restricted(warehouse, records_of(warehouse, find_person(warehouse, customer="C1")))
    assert not any_restricted(warehouse, records_of(warehouse, find_person(warehouse, customer="C2")))
    assert not any_restricted(warehouse, [])


def test_nothing_is_noted_once_the_restriction_is_lifted(warehouse: Warehouse) -> None:
    requests.answered(warehouse, "site-r1", DAY, NOW, notice_given_on=DAY)
    evaluated(warehouse)
    about = records_named(warehouse, [("customer", "C1")])
    assert not note_reading(warehouse, "explained", "customer/C1", about, NOW)
    assert readings(warehouse) == []


def test_before_anything_was_decided_nothing_is_restricted() -> None:
    assert not any_restricted(company(), [("customer", 1)])
