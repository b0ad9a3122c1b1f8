"""One hold or request that two people enter at once: both count, and the second is told of the first."""

from __future__ import annotations

from typing import Any

import pytest

from assets.rights import holds, requests
from assets.rights.holds import Record, held_already
from assets.rights.requests import asked_already
from assets.warehouse import Warehouse
from orchestration.cli.desk import warn_of_twins
from tests.rights.company import DAY, NOW, company


def placed(warehouse: Warehouse, *records: Record, **more: Any) -> list[str]:
    return holds.place(warehouse, records, reason="court", reviewer="jurist", placed_on=DAY, at=NOW, **more)


def test_a_second_hold_on_the_same_is_told_of_the_first_until_that_is_released() -> None:
    warehouse = company()
    first = placed(warehouse, Record("order", "O1"))
    assert held_already(warehouse, first) == []
    second = placed(warehouse, Record("order", "O1"), Record("order", "O2"))
    assert held_already(warehouse, second) == first
    assert held_already(warehouse, placed(warehouse, Record("order", "O1"), fields=["buyer_name"])) == []
    assert held_already(warehouse, placed(warehouse, Record("customer", "C1"))) == []
    holds.release(warehouse, first[0], DAY, NOW)
    assert held_already(warehouse, second) == []


def test_an_exported_hold_is_the_same_however_it_writes_the_record_type() -> None:
    exported = {"hold_id": "H7", "record_type": "Order", "record_key": "O1", "placed_at": DAY, "reason": "court"}
    warehouse = company({"office/holds": [exported]})
    assert held_already(warehouse, placed(warehouse, Record("order", "O1"))) == ["H7"]


def test_a_second_request_of_the_same_is_told_of_the_first_until_that_is_answered() -> None:
    warehouse = company()

    def asked(kind: str = "objection", **named: Any) -> str:
        return requests.add(warehouse, kind, received_on=DAY, at=NOW, **(named or {"customer": "C1"}))

    first = asked()
    assert asked_already(warehouse, first, DAY) == []
    second = asked()
    assert asked_already(warehouse, second, DAY) == [first]
    others = [asked(email="egil@hem.example"), asked("access"), asked("withdrawal", customer="C1", scope="newsletter")]
    assert [asked_already(warehouse, each, DAY) for each in others] == [[], [], []]
    assert asked_already(warehouse, asked(email=" EGIL@hem.example"), DAY) == [others[0]]
    requests.answered(warehouse, first, DAY, NOW)
    assert asked_already(warehouse, second, DAY) == []


def test_what_stands_already_is_named_with_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_twins("site-h9", [], "released")
    warn_of_twins("site-h9", ["site-h1"], "released")
    warn_of_twins("site-r9", [f"site-r{number}" for number in range(1, 8)], "answered")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "gallring: site-h1 stands already for the same, and site-h9 beside: each counts until it is released itself.",
        "gallring: site-r1, site-r2, site-r3, site-r4, site-r5 and 2 more stand already for the same, and site-r9 "
        "beside: each counts until it is answered itself.",
    ]
