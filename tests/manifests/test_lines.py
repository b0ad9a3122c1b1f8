"""What is put in order by parts is what is put in order at once: the same items, the same bytes, none lost or twice."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from assets.ledger import issued
from assets.manifests import gate, left_out, lines
from assets.manifests.gate import Refusal
from tests.manifests.company import DAY, RECORDS, Company, Office
from tests.manifests.in_parts import in_small_parts

KEYS = ["", "0", "Z", "a", "aa", "ab", "b", "B", "å", "😀", "'", "$low", *(f"K{number}" for number in range(30))]
VALUES = {"system": "partner:P1", "previous": None, "as_of": DAY, "respond_by": DAY}


def _company() -> Company:
    """Three record types with the same keys, proposed in no order: five items each, but for one type of few."""
    company = Company(threads=4)
    for record_type in RECORDS:
        for key in KEYS if record_type != "customer" else KEYS[:3]:
            company.add(record_type, key)
    company.propose(DAY, {})
    company.warehouse.run(
        "create or replace table manifest.proposed as select 'partner:P1' as system, record_type, record_key, row_id, "
        "action, cast([] as varchar[]) as fields, cast('[]' as json) as because, cast('[]' as json) as kept "
        "from retention.records cross join (select unnest($actions) as action) order by hash(record_key, action)",
        {"actions": list(issued.ACTIONS)},
    )
    return company


def _in_order(company: Company, told: str = "true") -> tuple[int, list[tuple[Any, ...]]]:
    """In how many parts the items are put in order, and what comes of it."""
    types = lines.proposed(company.warehouse, told)["partner:P1"]
    lines.put_in_order(company.warehouse, types, VALUES, told)
    made = len(list(lines._parts(company.warehouse, types, {"system": "partner:P1"})))
    return made, company.warehouse.rows("select * from being_sealed order by rowid")


@pytest.mark.parametrize("at_once", [1, 3, 10, 40, 230, 400])
def test_parts_stand_in_the_order_of_the_lines(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    company = _company()
    whole, expected = _in_order(company)
    in_small_parts(monkeypatch, at_once)
    parts, rows = _in_order(company)
    assert (whole, len(expected)) == (1, 5 * (3 + 2 * len(KEYS)))
    assert parts > 1
    assert rows == expected
    if at_once == 230:  # the few items of the first type, and each of the others
        assert parts == 3


@pytest.mark.parametrize("at_once", [0, 1, 3])
def test_an_item_without_a_key_is_counted(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Sealing refuses it, and has to see it for that."""
    company = _company()
    company.warehouse.run("update manifest.proposed set record_key = null where record_key = 'K7' and action = 'lift'")
    if at_once:
        in_small_parts(monkeypatch, at_once)
    _, rows = _in_order(company)
    assert len(rows) == 5 * (3 + 2 * len(KEYS))
    assert sum(row[0] is None for row in rows) == 2


@pytest.mark.parametrize("at_once", [0, 3, 40])
def test_of_records_that_are_left_out_only_what_spares_stands_in_the_list(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """The others are in order as before; one without a key is still counted."""
    company = _company()
    company.warehouse.run("update manifest.proposed set record_key = null where record_key = 'K7' and action = 'erase'")
    _, whole = _in_order(company)
    company.warehouse.run("create table manifest.left_out (system varchar, record_type varchar, record_key varchar)")
    company.warehouse.insert(
        "manifest.left_out", ["system", "record_type", "record_key"],
        [("crm", "customer", KEYS[0]), ("web", "web_event", KEYS[1])],
    )  # fmt: skip
    if at_once:
        in_small_parts(monkeypatch, at_once)
    _, rows = _in_order(company, left_out.TOLD)
    out = {("customer", KEYS[0]), ("web_event", KEYS[1])}
    names = [each for (each,) in company.warehouse.rows("select column_name from (describe being_sealed)")]
    record_type, key, action = (names.index(name) for name in ("record_type", "record_key", "action"))
    expected = [
        row for row in whole
        if row[action] in ("restrict", "lift") or (str(row[record_type]), row[key]) not in out
    ]  # fmt: skip
    assert rows == expected
    assert len(whole) - len(rows) == 2 * (len(issued.ACTIONS) - 2)
    assert sum(row[0] is None for row in rows) == 2


@pytest.mark.parametrize("at_once", [0, 1, 7, 100])
def test_every_id_is_counted_once(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    company = _company()
    _, rows = _in_order(company)
    company.warehouse.run("insert into being_sealed select * from being_sealed where record_key = 'K7'")
    if at_once:
        in_small_parts(monkeypatch, at_once)
    assert lines.different_ids(company.warehouse, len(rows) + 10) == len(rows)


@pytest.mark.parametrize("seed", range(3))
def test_small_parts_seal_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    files = []
    for at_once in (0, 1, 5):
        if at_once:
            in_small_parts(monkeypatch, at_once)
        company, office = Company(threads=2), Office(tmp_path / f"site{at_once}", keys)
        chance = random.Random(seed)
        records = [(record_type, f"{record_type[0]}{number}") for record_type in RECORDS for number in range(9)]
        for record_type, key in records:
            company.add(record_type, key)
        for night in range(2):
            outcomes = {
                (record_type, key): {
                    category: chance.choice(["erase", "never", "restrict", "retain"])
                    for category in RECORDS[record_type][3]
                }
                for record_type, key in records
            }
            company.night(DAY.replace(day=1 + night), outcomes, office)
        told = company.warehouse.rows("select * from manifest.told order by all")
        files.append((office.files(), told, company.warehouse.rows("select * from manifest.items order by all")))
    assert files[0][0]
    assert files[0] == files[1] == files[2]


def _scattered() -> Company:
    """A proposal that tells about two records by the key of one of them, and names one field for both."""
    company = Company()
    for number in range(6):
        company.add("customer", f"C{number}")
    company.propose(DAY, {("customer", f"C{number}"): {"phone": "erase"} for number in range(6)})
    company.warehouse.run("update manifest.proposed set record_key = 'C0' where record_key = 'C5'")
    return company


def test_a_record_told_about_at_two_numbers_is_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    company = _scattered()
    expected = gate.refusals(company.warehouse)
    assert Refusal("told_twice", "crm", 1, "C0") in expected
    in_small_parts(monkeypatch, 1)
    assert gate.refusals(company.warehouse) == expected
    monkeypatch.setattr(gate, "_is_scattered", lambda _: False)
    found = gate.refusals(company.warehouse)
    assert Refusal("told_twice", "crm", 1, "C0") not in found  # the ranges are small enough to tell
    assert [refusal for refusal in expected if refusal.rule != "told_twice"] == found


def test_what_has_no_number_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    company = _scattered()
    company.warehouse.run("update manifest.proposed set row_id = null, record_key = 'C5' where row_id = 6")
    expected = gate.refusals(company.warehouse)
    assert {"foreign_record", "items_differ_from_decisions"} <= {refusal.rule for refusal in expected}
    in_small_parts(monkeypatch, 1)
    assert gate.refusals(company.warehouse) == expected
