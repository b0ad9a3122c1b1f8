"""Which records differ from what they were told is found by sets of records as it is found by each on its own."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from assets.manifests import changes
from tests.manifests.company import DAY, RECORDS, Company

PLAINLY = Path(__file__).with_name("changed_records_plainly.sql").read_text(encoding="utf-8")
OUTCOMES = ("retain", "restrict", "erase", "erase", "erase", "review", "never", "not_personal")
#: Some of what was told fell due again on the day; some was taken back.
FALLEN = "insert into manifest.fallen_due by name select item_id, cast(? as date) as as_of from manifest.told " \
    "where hash(item_id, ?) % 5 = 0"  # fmt: skip
RECALLED = "insert into manifest.recalled_orders by name select distinct item_id from manifest.told " \
    "where hash(item_id, ?) % 4 = 0"  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_sets_of_records_find_what_each_record_shows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 2:
        monkeypatch.setattr(changes, "at_once", lambda *_: 20)  # a set of thirty-two is cut in two
    chance = random.Random(seed)
    company = Company(threads=1)
    warehouse = company.warehouse
    records = [(list(RECORDS)[number % 3], f"K{number}") for number in range(40)]
    for record_type, key in records:
        fields = [field for names in RECORDS[record_type][3].values() for field in names]
        company.add(record_type, key, **{field: None for field in fields if chance.random() < 0.1})
    differed = told = 0
    for night in range(3):
        day = DAY + timedelta(days=night)
        outcomes = {record: _outcome(chance, record[0]) for record in records if chance.random() < 0.6}
        company.propose(day, outcomes)
        if night:
            warehouse.run(FALLEN, [day, seed])
            warehouse.run("delete from manifest.recalled_orders")
            warehouse.run(RECALLED, [seed + night])
            company.propose(day, outcomes)
        found = sorted(warehouse.rows("from manifest.changed_records"))
        assert found == sorted(warehouse.rows(PLAINLY))
        told += warehouse.value("select count(*) from manifest.told")
        differed += len(found)
        company.seal(day)
    assert 0 < differed < 3 * len(records)
    assert told > len(records)


def _outcome(chance: random.Random, record_type: str) -> dict[str, str]:
    """What is decided of a record: one word for all of it, or one for each category."""
    if chance.random() < 0.4:
        return dict.fromkeys(RECORDS[record_type][3], "erase")
    return {category: chance.choice(OUTCOMES) for category in RECORDS[record_type][3]}
