"""Which records differ from what they were told is found by sets of records as it is found by each on its own."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from assets.manifests import changes, gate
from tests.manifests.company import DAY, POLICY, RECORDS, Company

PLAINLY = Path(__file__).with_name("changed_records_plainly.sql").read_text(encoding="utf-8")
OUTCOMES = ("retain", "restrict", "restrict", "restrict", "erase", "erase", "review", "review", "never", "not_personal")
#: Some of what was told fell due again on the day; some was taken back.
FALLEN = "insert into manifest.fallen_due by name select item_id, cast(? as date) as as_of from manifest.told " \
    "where hash(item_id) % 7 = 0"  # fmt: skip
RECALLED = "insert into manifest.recalled_orders by name select item_id from manifest.told where hash(item_id) % 4 = 1"
#: The gate asked about every record on its own, whatever was ordered.
EVERYTHING = """
create or replace temp table gate_doubted as
select record_type, row_id >> 5 as part, bit_or(cast(1 as bigint) << (row_id & 31)) as records
from $retention.dispositions as dispositions group by all
"""


@pytest.mark.parametrize("seed", range(3))
def test_sets_of_records_find_what_each_record_shows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 2:
        monkeypatch.setattr(changes, "at_once", lambda *_: 20)  # a set of thirty-two is cut in two
    chance = random.Random(seed)
    company = Company(threads=1)
    warehouse = company.warehouse
    records = [(list(RECORDS)[number % 3], f"K{number}") for number in range(40)]
    for record_type, key in records:
        company.add(record_type, key)
    missed = 0
    for night in range(4):
        day = DAY + timedelta(days=night)
        company.propose(day, {record: _outcome(chance, record[0]) for record in records})
        _tell(chance, company, records, day)
        changes.propose(warehouse, POLICY, day)
        found = sorted(warehouse.rows("from manifest.changed_records"))
        assert found == sorted(warehouse.rows(PLAINLY))
        assert 0 < len(found) < len(records)
        warehouse.run("delete from manifest.proposed where row_id % 3 > 0")
        refused = gate.refusals(warehouse)
        missed += sum(each.count for each in refused if each.rule == "erasure_not_in_one_manifest")
        with monkeypatch.context() as patched:
            patched.setattr(gate, "_DOUBTED", EVERYTHING)
            assert gate.refusals(warehouse) == refused
    assert missed


def _tell(chance: random.Random, company: Company, records: list[tuple[str, str]], day: date) -> None:
    """Let some of the records have been told of some of their fields, by one or two orders each."""
    warehouse = company.warehouse
    whole = dict(warehouse.rows("select record_type, cast(sum(bit) as bigint) from manifest.field_bits group by all"))
    told = [
        (record_type, key, chance.choice(("erase", "restrict")), chance.choice(("erase", "redact")),
         whole[record_type] & chance.choice((-1, chance.getrandbits(12))), 0, f"{day}-{record_type}-{key}-{nth}",
         day)
        for record_type, key in records for nth in range(chance.choice((0, 0, 1, 1, 2)))
    ]  # fmt: skip
    columns = ["record_type", "record_key", "state", "action", "low", "high", "item_id", "as_of"]
    for table in ("told_bits", "fallen_due", "recalled_orders"):
        warehouse.run(f"delete from manifest.{table}")
    warehouse.insert("manifest.told_bits", columns, [each for each in told if each[4]])
    warehouse.run(FALLEN, [day])
    warehouse.run(RECALLED)


def _outcome(chance: random.Random, record_type: str) -> dict[str, str]:
    """What is decided of a record: one word for all of it, or one for each category."""
    if chance.random() < 0.4:
        return dict.fromkeys(RECORDS[record_type][3], "erase")
    return {category: chance.choice(OUTCOMES) for category in RECORDS[record_type][3]}
