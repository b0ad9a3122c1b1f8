"""What is read by parts is what is read at once: each row once, none left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from assets.models import Models
from assets.warehouse import Warehouse
from expectations import parts
from expectations.parts import Parts
from expectations.validation import AUDITS
from tests.expectations.test_validation import check, run

SELECT = "-- By parts: id of raw.left_rows, raw.right_rows.\nselect l.id, r.word\n{from_both}"
FROM_BOTH = "from raw.left_rows as l\nleft join raw.right_rows as r on l.id = r.id"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("parts")
    with Warehouse.open(folder / "warehouse.duckdb", key="a key for tests", temporary=folder / "tmp") as warehouse:
        chance = random.Random(7)
        warehouse.run("create schema raw")
        for side in ("left", "right"):
            warehouse.run(f"create table raw.{side}_rows (id bigint, word varchar)")
            rows = [(chance.choice((None, *range(40))), chance.choice("abc")) for _ in range(60)]
            warehouse.insert(
                f"raw.{side}_rows", ["id", "word"], [*rows, (39, "last"), (None, "nothing"), (-1, "before")]
            )
        yield warehouse


def small_parts(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Parts of so many numbers, though there are few and there is memory for all."""
    monkeypatch.setattr(parts, "FEW", 0)
    monkeypatch.setattr(parts, "AT_ONCE", at_once)
    monkeypatch.setattr(parts, "BYTES_EACH", 2**62)


@pytest.mark.parametrize("at_once", [1, 7, 40, 41, 1000])
def test_every_row_is_in_one_part(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    whole = SELECT.format(from_both=FROM_BOTH)
    small_parts(monkeypatch, at_once)
    by = Parts.of(whole)
    assert by == Parts("id", ("raw.left_rows", "raw.right_rows"))
    selects = list(by.selects(whole, warehouse.value))
    assert len(selects) == -(-40 // at_once)
    assert sorted(map(str, (row for one in selects for row in warehouse.rows(one)))) == sorted(
        map(str, warehouse.rows(whole))
    )


def test_few_rows_are_read_at_once(warehouse: Warehouse) -> None:
    whole = SELECT.format(from_both=FROM_BOTH)
    assert list(Parts("id", ("raw.left_rows",)).selects(whole, warehouse.value)) == [whole]


def test_the_memory_allows_larger_parts(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch, 5)
    monkeypatch.setattr(parts, "BYTES_EACH", 9_000_000)
    by, whole = Parts("id", ("raw.left_rows",)), SELECT.format(from_both=FROM_BOTH)
    made = {}
    for limit in ("40MB", "100MB", "200MB", "1GB"):
        with warehouse.settings(memory_limit=limit):
            made[limit] = len(list(by.selects(whole, warehouse.value)))
    assert made == {"40MB": 8, "100MB": 4, "200MB": 2, "1GB": 1}


def test_a_file_that_says_nothing_of_parts_has_none() -> None:
    assert Parts.of("-- Closed words: disposition.\nselect 1 as one") is None


def test_what_says_that_it_can_be_made_by_parts() -> None:
    said = {model.table for model in Models.of("core", "triggers", "purposes", "retention").ordered if model.parts}
    audits = {path.stem for path in AUDITS.glob("*/*.sql") if Parts.of(path.read_text(encoding="utf-8"))}
    assert said == {
        "retention.dispositions", "triggers.invoice_balances", "triggers.order_states", "triggers.settlements",
    }  # fmt: skip
    assert audits == {"not_borne_out"}


def test_an_audit_is_counted_by_parts(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    query = (
        "-- By parts: id of raw.left_rows.\nselect found.id /* {batch} */ "
        "from raw.left_rows as found where found.word = 'a'"
    )
    audit = check("unexpected_rows_expectation", "raw.left_rows", unexpected_rows_query=query)
    (whole,) = run(warehouse, audit)
    small_parts(monkeypatch, 7)
    made: list[int] = []
    original = Parts.selects

    def spied(self: Parts, select: str, count: Callable[[str], int]) -> list[str]:
        selects = list(original(self, select, count))
        made.append(len(selects))
        return selects

    monkeypatch.setattr(Parts, "selects", spied)
    (by_parts,) = run(warehouse, audit)
    assert whole.unexpected == by_parts.unexpected > 0
    assert made == [6]
