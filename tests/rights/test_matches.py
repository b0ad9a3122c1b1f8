"""Possible matches are shown with their evidence, decided by a person, and never act by themselves."""

from __future__ import annotations

import json

import pytest

from assets.core.building import build
from assets.core.changing import rebuild
from assets.errors import BadInput
from assets.ingest.loading import load_rows
from assets.retention.incremental import evaluate_night
from assets.rights import matching
from assets.rights.matches import decide, find_match, matches, side_by_side, undecided_pairs
from assets.rights.people import find_person
from assets.warehouse import Warehouse, WarehouseError
from tests.rights.company import DAY, EXPORTS, NOW, company, evaluated, policy


def customer(key: str, **more: str) -> dict[str, str]:
    return {"customer_id": key, "customer_type": "private", **more}


def people() -> Warehouse:
    found = company({
        "crm/customers": [
            customer("A1", name="Nora Provsson", email="nora@hem.example", phone="070-1740660"),
            customer("A2", name="Olle Provsson", email="nora@hem.example"),  # one address, two names
            customer("A3", name="Ursula Avlägsen", email="nora@hem.example"),  # and a third that nothing else joins
            customer("B1", name="Kristina Testman", email="k1@hem.example", phone="070-1740661"),
            customer("B2", name="Christina Testman", email="k2@hem.example", phone="+46 70 174 06 61"),  # near
            customer("C1", name="Per Fiktivsson", birth_date="1980-02-03"),
            customer("C2", name="Pär Fiktivsson", birth_date="1980-02-03"),  # near, born the same day
            customer("D1", name="Helt Annan", phone="070-1740662"),
            customer("D2", name="Ursula Låtsasberg", phone="070-1740662"),  # one phone, names far apart
            customer("E1", name="Samma Namn", email="s@hem.example"),
            customer("E2", name="samma  namn", email="S@hem.example"),  # certain: no match to look at
            customer("G1", name="Göran Ek", national_id="199006022397"),
            customer("G2", name="Goran Ek", birth_date="1990-06-02"),
            # one home, two people
            customer("F1", name="Sven Provlund", phone="070-1740665", street="Provvägen 1", postal_code="000 01"),
            customer("F2", name="Stina Provlund", phone="070-1740665", street="Provvägen 1", postal_code="000 01"),
            customer("H1", name="Tage Ensamsson", birth_date="1990-06-02"),  # born that day too, and no more
        ],
        "mailing/subscribers": [],
    })  # fmt: skip
    evaluated(found)
    return found


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    """For tests that only look."""
    return people()


@pytest.fixture
def own() -> Warehouse:
    """For tests that decide."""
    return people()


def test_the_pairs_and_their_evidence(warehouse: Warehouse) -> None:
    found = {match.pair: match for match in matches(warehouse)}
    assert set(found) == {
        "customer/A1+customer/A2", "customer/A1+customer/A3", "customer/A2+customer/A3", "customer/B1+customer/B2",
        "customer/C1+customer/C2", "customer/G1+customer/G2",
    }  # fmt: skip
    first = found["customer/A1+customer/A2"]
    assert (first.strength, first.speaks_for, first.speaks_against) == (
        "possible", ("same e-mail", "same family name"), ("other given name",),
    )  # fmt: skip
    near = found["customer/B1+customer/B2"]
    assert near.speaks_for == ("same phone", "given names alike", "same family name")
    assert near.speaks_against == ("other e-mail",)
    assert found["customer/G1+customer/G2"].speaks_for[-1] == "born the same day"  # told by a personnummer
    told = json.dumps([[vars(match), match.speaks_for, match.speaks_against] for match in found.values()],
                      ensure_ascii=False)  # fmt: skip
    assert not any(value in told for value in ("Nora", "nora", "1740661", "1980", "9006"))


def test_one_address_under_two_names_is_told_whatever_the_names(warehouse: Warehouse) -> None:
    alone = next(match for match in matches(warehouse) if match.pair == "customer/A1+customer/A3")
    assert (alone.strength, alone.weight < 0) == ("same e-mail alone", True)


def test_a_household_is_no_match(warehouse: Warehouse) -> None:
    assert not any("F1" in match.pair for match in matches(warehouse))


def test_the_likeliest_come_first_and_twice_the_same(warehouse: Warehouse) -> None:
    found = matches(warehouse)
    assert [match.weight for match in found] == sorted((match.weight for match in found), reverse=True)
    assert found == matches(warehouse)


def test_nothing_of_the_comparison_stays(warehouse: Warehouse) -> None:
    matches(warehouse)
    warehouse.checkpoint()
    assert warehouse.path is not None
    written = warehouse.path.read_bytes()
    before = warehouse.rows("select database_name, schema_name, table_name from duckdb_tables() order by all")
    matches(warehouse)
    assert warehouse.rows("select database_name, schema_name, table_name from duckdb_tables() order by all") == before
    assert "matching" not in {name for (name,) in warehouse.rows("select schema_name from duckdb_schemas()")}
    warehouse.checkpoint()
    assert warehouse.path.read_bytes() == written, "the file of the warehouse is as it was"


def test_a_failing_comparison_tells_no_value(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {**matching.model(), "blocking_rules_to_generate_predictions": ["cast(l.given_name as date) = r.born"]}
    monkeypatch.setattr(matching, "model", lambda: broken)
    with pytest.raises(WarehouseError) as raised:
        matches(warehouse)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert not any(name in str(raised.value) for name in ("Nora", "Kristina", "given_name"))
    assert "matching" not in {name for (name,) in warehouse.rows("select schema_name from duckdb_schemas()")}


def test_a_pair_is_shown_side_by_side_without_its_numbers(warehouse: Warehouse) -> None:
    rows = side_by_side(warehouse, find_match(warehouse, "customer/G1+customer/G2"))
    assert ("name", "Göran Ek", "Goran Ek") in rows
    assert not any("199006022397" in str(row) for row in rows)


def test_a_decision_is_remembered_and_changes_nobody(own: Warehouse) -> None:
    resolved = "select node_id, person_id from core.people order by all"
    before = own.rows(resolved)
    decide(own, "customer/A1+customer/A2", same=False, on=DAY, at=NOW)
    decide(own, "customer/A1+customer/A2", same=True, on=DAY, at=NOW)
    evaluated(own)
    assert own.rows(resolved) == before
    assert "customer/A1+customer/A2" not in {match.pair for match in matches(own)}
    assert [match.decided for match in matches(own, every=True)].count("yes") == 1
    assert own.value("select count(*) from office.events where register = 'matches'") == 2


def test_a_decision_holds_for_the_people_whichever_rows_stand_for_them(own: Warehouse) -> None:
    decide(own, "customer/B1+customer/B2", same=False, on=DAY, at=NOW)
    load_rows(own, policy(), {"mailing/subscribers": [
        {"subscriber_id": "AAA", "customer_id": "B1", "email": "k1@hem.example", "name": "Christina Testman"},
    ]})  # fmt: skip
    build(own)
    assert not any("B2" in match.pair for match in matches(own))
    assert [match.decided for match in matches(own, every=True) if "B2" in match.pair] == ["no"]


def test_the_nights_finding_lists_nobody_of_whom_everything_is_decided(own: Warehouse) -> None:
    def found() -> list[str]:
        rebuild(own, policy())
        evaluate_night(own, policy(), DAY)
        return [key for (key,) in own.rows(
            "select record_key from retention.findings inner join retention.records using (record_type, row_id) "
            "where finding = 'possible_match' order by all"
        )]  # fmt: skip

    assert found() == ["A1", "A2", "A3"]
    decide(own, "customer/A1+customer/A2", same=False, on=DAY, at=NOW)
    assert found() == ["A1", "A2", "A3"]  # the third is of nobody known to be another
    decide(own, "customer/A1+customer/A3", same=True, on=DAY, at=NOW)
    assert found() == ["A2", "A3"]
    decide(own, "customer/A2+customer/A3", same=False, on=DAY, at=NOW)
    assert found() == []


def test_a_pair_that_is_none_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(BadInput):
        decide(warehouse, "customer/A1+customer/D1", same=True, on=DAY, at=NOW)


def test_the_pairs_of_one_person_are_told_until_they_are_decided() -> None:
    warehouse = evaluated(company())
    one, contact = (find_person(warehouse, **who) for who in ({"customer": "C3"}, {"contact": "K1"}))
    assert undecided_pairs(warehouse, [one, contact]) == ["customer/C1+customer/C3"]
    assert find_match(warehouse, "customer/C1+customer/C3").decided is None
    decide(warehouse, "customer/C1+customer/C3", same=True, on=DAY, at=NOW)
    assert undecided_pairs(warehouse, [one]) == []
    assert undecided_pairs(company(), [one]) == []


def test_every_pair_that_a_draft_warns_of_can_be_settled() -> None:
    """A row that has left its source speaks still, and so does an address that more than fifty rows share."""
    office = [{"contact_id": f"K{number}", "customer_id": "F", "name": f"Provsson {number}",
               "email": "kontor@skolan.example"} for number in range(10, 62)]  # fmt: skip
    warehouse = company({"crm/contacts": office})
    kept = [row for row in EXPORTS["crm/customers"] if row["customer_id"] != "C1"]
    load_rows(warehouse, policy(), {"crm/customers": kept, "mailing/subscribers": []})
    evaluated(warehouse)
    left = find_person(warehouse, customer="C3")
    assert undecided_pairs(warehouse, [left]) == ["customer/C1+customer/C3"]
    found = find_match(warehouse, "customer/C1+customer/C3")
    assert (found.decided, found.strength, found.speaks_for) == (None, "same e-mail alone", ("same e-mail",))
    assert ("name", None, "Olle Provsson") in side_by_side(warehouse, found)
    decide(warehouse, "customer/C1+customer/C3", same=False, on=DAY, at=NOW)
    assert undecided_pairs(warehouse, [left]) == []
    assert find_match(warehouse, "customer/C1+customer/C3").decided == "no"

    shared = find_person(warehouse, contact="K10")
    pairs = undecided_pairs(warehouse, [shared])
    assert len(pairs) == 51
    decide(warehouse, pairs[0], same=False, on=DAY, at=NOW)
    assert undecided_pairs(warehouse, [shared]) == pairs[1:]
    with pytest.raises(BadInput):
        decide(warehouse, "contact/K10+customer/C3", same=False, on=DAY, at=NOW)
