"""How much of a large file is read at once: enough rows to fill a row group, and no line lost between two lots."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from assets.contracts.declarations import canonical
from assets.ingest import reading
from assets.ingest.limits import Limits
from assets.ingest.loading import ingest
from assets.ingest.projecting import Scan
from assets.ingest.reading import Reading
from assets.warehouse import Warehouse
from tests.ingest.company import AS_OF, Company

_ROWS = 20_000
_CONTRACT = canonical()["orders", "payments"]
_LIMITS = Limits(line_bytes=4096)


def _scan(warehouse: Warehouse, folder: Path) -> Scan:
    names = [column.name for column in _CONTRACT.columns]
    path = folder / "payments.csv"
    rows = (f"B{number},F{number},2026-01-02T10:00:00Z,{number},{'x' * (number % 50)}" for number in range(_ROWS))
    path.write_text("\n".join([",".join(names), *rows]) + "\n", encoding="utf-8")
    with Reading(warehouse, None, _LIMITS) as opened:
        return opened.scan(path, _CONTRACT, deletions=False)


@pytest.mark.parametrize("rows_at_once", [*range(300, 305), 1000])
def test_no_line_is_lost_however_many_are_read_at_once(
    rows_at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", rows_at_once)
    with Warehouse.in_memory() as warehouse:
        scan = _scan(warehouse, tmp_path)
        assert scan.params["at_once"] > 4 * rows_at_once * 40
        assert warehouse.rows(f"select count(*), count(distinct payment_id) from {scan.relation}", scan.params) == [
            (_ROWS, _ROWS)
        ]


def test_the_reader_keeps_its_own_choice_where_that_is_enough_or_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Warehouse.in_memory(memory_limit="512MB") as warehouse:
        assert "at_once" not in _scan(warehouse, tmp_path).params
        monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 100)
        assert "at_once" not in _scan(warehouse, tmp_path).params


def _texts_over_several_lines(seed: int) -> tuple[str, int]:
    """A file of 1,500 records, and how many of them have too few columns or too many."""
    chance, bad = random.Random(seed), 0
    rows = [",".join(column.name for column in _CONTRACT.columns)]
    for number in range(1500):
        if chance.random() < 0.01:
            bad += 1
            rows.append(f"B{number},bad" + ",1" * chance.choice((0, 7)))
            continue
        name = "x" * chance.choice((1, 20, 60, 300))
        if chance.random() < 0.5:
            name = f'"{name}' + chance.choice((', "" ', "\n", ",", '\n,\n""\n')) + '"'
        rows.append(f"B{number},F{number},2026-01-02T10:00:00Z,{number},{name}")
    return "\n".join(rows) + "\n", bad


@pytest.mark.parametrize("seed", [7, 17])
def test_a_file_of_which_lines_get_lost_between_two_lots_is_read_in_one_piece(
    seed: int, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 50)
    limits = Limits(line_bytes=1024)
    text, bad = _texts_over_several_lines(seed)
    sent = company.send("orders", {"payments": text}, rows=1500)

    with Reading(company.warehouse, None, limits) as opened:
        scan = opened.scan(sent / "payments.csv", _CONTRACT, deletions=False)
        shared_out = company.warehouse.rows(f"select count(*) from {scan.relation}", scan.params)
        assert shared_out != [(1500 - bad,)], "nothing gets lost any more: see whether files need be read twice"
        assert opened.count(sent / "payments.csv", _CONTRACT, deletions=False) == 1500

    (delivery,) = ingest(company.warehouse, company.policy, company.site, as_of=AS_OF, limits=limits).deliveries
    assert (delivery.status, delivery.reason) == ("loaded", None)
    assert [(file.rows_in, file.loaded, file.quarantined) for file in delivery.files] == [(1500, 1500 - bad, bad)]
