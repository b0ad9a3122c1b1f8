"""What is proposed a range of records at a time is what is proposed at once: the same rows, the same sealed bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.manifests import changes
from assets.manifests.ranges import ranges
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse
from tests.manifests.company import DAY, RECORDS, Company, Office
from tests.oracle.companies import random_company

WRITTEN = ("changed_records", "held_records", "changed_items", "notice_fields", "proposed")
OUTCOMES = ("retain", "restrict", "erase", "erase", "review", "never", "not_personal")


def written(warehouse: Warehouse) -> dict[str, list[str]]:
    """The rows of what a proposal makes, in any order."""
    return {table: sorted(map(str, warehouse.rows(f"from manifest.{table}"))) for table in WRITTEN}


@pytest.fixture(scope="module")
def engine() -> Iterator[Warehouse]:
    with Warehouse.in_memory(threads=1) as warehouse:
        yield warehouse


@pytest.mark.parametrize("at_once", [1, 2, 7, 10, 16, 17, 100])
@pytest.mark.parametrize("last", [[5, 10, 1], [16], [0, 3], []])
def test_every_number_is_in_one_range(engine: Warehouse, last: list[int], at_once: int) -> None:
    made = ranges(last, at_once)
    held = " + ".join(f"cast({one.holds('number')} as integer)" for one in made)
    highest = max(last, default=0)
    assert engine.rows(f"select distinct {held} from range(-1, {highest} + 3) as numbers(number)") == [(1,)]
    assert made[0].is_first
    assert made[0].is_all == (sum(last) <= at_once)
    assert [one.is_first for one in made].count(True) == 1


def test_ranges_hold_as_many_records_each() -> None:
    made = ranges([1_000, 100, 100], 400)
    bounds = [(one.first or 0, 1_000 if one.end is None else one.end) for one in made]
    records = [sum(min(end, last) - min(first, last) for last in (1_000, 100, 100)) for first, end in bounds]
    assert records == [400, 400, 400]


def test_the_same_is_told_and_sealed_byte_by_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office, by_parts = Office(tmp_path / "whole"), Office(tmp_path / "parts", tmp_path / "whole" / "keys")
    companies = [(Company(threads=1), office, 1_000), (Company(threads=1), by_parts, 8)]
    chance = random.Random(4)
    for number in range(12):
        for company, _, _ in companies:
            company.add(list(RECORDS)[number % 3], f"K{number}")
    told = 0
    for night in range(3):
        day = DAY + timedelta(days=night)
        outcomes = {
            (list(RECORDS)[number % 3], f"K{number}"): {
                category: chance.choice(OUTCOMES) for category in RECORDS[list(RECORDS)[number % 3]][3]
            }
            for number in range(12)
            if chance.random() < 0.7
        }
        rows = []
        for company, place, size in companies:
            monkeypatch.setattr(changes, "at_once", lambda *_, size=size: size)
            company.propose(day, outcomes)
            rows.append(written(company.warehouse))
            assert not company.seal(day, place).refusals
        assert rows[0] == rows[1]
        told += len(rows[0]["proposed"])
    assert office.files() == by_parts.files()
    assert told > 12


def test_the_same_is_proposed_of_a_whole_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    exports, days = random_company(8)
    with Warehouse.in_memory(pseudonym_key=b"ranges", threads=1) as warehouse:
        policy = Policy.load()
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, exports)
        build(warehouse)
        evaluate(warehouse, policy, days[-1])
        changes.propose(warehouse, policy, days[-1])
        whole = written(warehouse)
        records = warehouse.value("select count(*) from retention.records")
        asked: list[int] = []
        monkeypatch.setattr(changes, "at_once", lambda rows, *_: asked.append(rows) or records // 5)
        changes.propose(warehouse, policy, days[-1])
        assert written(warehouse) == whole
    assert asked[0] >= records
    assert {row.split(", ")[1] for row in whole["proposed"]} > {"'customer'", "'order'"}
    assert any("A17NonNecessity" in row and '"until"' in row for row in whole["proposed"])
