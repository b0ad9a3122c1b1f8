"""Possible matches are shown with their evidence, decided by a person, and never act by themselves."""

from __future__ import annotations

import json

import pytest

from assets.core.building import build
from assets.errors import BadInput
from assets.rights.matches import decide, matches
from assets.warehouse import Warehouse
from tests.rights.company import DAY, NOW, company, evaluated


def customer(key: str, **more: str) -> dict[str, str]:
    return {"customer_id": key, "customer_type": "private", **more}


@pytest.fixture
def warehouse() -> Warehouse:
    found = company({
        "crm/customers": [
            customer("A1", name="Nora Provsson", email="nora@hem.example", phone="070-1740660"),
            customer("A2", name="Olle Provsson", email="nora@hem.example"),  # one address, two names
            customer("B1", name="Kristina Testman", email="k1@hem.example", phone="070-1740661"),
            customer("B2", name="Christina Testman", email="k2@hem.example", phone="+46 70 174 06 61"),  # near
            customer("C1", name="Per Fiktivsson", birth_date="1980-02-03"),
            customer("C2", name="Pär Fiktivsson", birth_date="1980-02-03"),  # near, born the same day
            customer("D1", name="Helt Annan", phone="070-1740662"),
            customer("D2", name="Ursula Låtsasberg", phone="070-1740662"),  # one phone, names far apart
            customer("E1", name="Samma Namn", email="s@hem.example"),
            customer("E2", name="samma  namn", email="S@hem.example"),  # certain: no match to look at
        ],
        "mailing/subscribers": [],
    })  # fmt: skip
    build(found)
    return found


def test_the_pairs_and_their_evidence(warehouse: Warehouse) -> None:
    found = {match.pair: match for match in matches(warehouse)}
    assert set(found) == {
        "customer/A1+customer/A2", "customer/B1+customer/B2", "customer/C1+customer/C2",
    }  # fmt: skip
    first = found["customer/A1+customer/A2"]
    assert (first.same_email, first.same_phone, first.same_birth_date) == (True, None, None)
    assert found["customer/B1+customer/B2"].same_phone
    assert not found["customer/B1+customer/B2"].same_email
    told = json.dumps([vars(match) for match in found.values()], ensure_ascii=False)
    assert not any(value in told for value in ("Nora", "nora", "1740661", "1980"))


def test_a_decision_is_remembered_and_changes_nobody(warehouse: Warehouse) -> None:
    people = "select node_id, person_id from core.people order by all"
    before = warehouse.rows(people)
    decide(warehouse, "customer/A1+customer/A2", same=False, on=DAY, at=NOW)
    decide(warehouse, "customer/A1+customer/A2", same=True, on=DAY, at=NOW)
    evaluated(warehouse)
    assert warehouse.rows(people) == before
    assert "customer/A1+customer/A2" not in {match.pair for match in matches(warehouse)}
    assert [match.decided for match in matches(warehouse, every=True)].count("yes") == 1
    assert warehouse.value("select count(*) from office.events where register = 'matches'") == 2


def test_a_pair_that_is_none_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(BadInput):
        decide(warehouse, "customer/A1+customer/D1", same=True, on=DAY, at=NOW)
