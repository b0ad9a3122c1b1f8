"""How much of a large file is read at once: enough rows to fill a row group, and no line lost between two lots."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

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


_NAMES = ",".join(column.name for column in _CONTRACT.columns)
_QUOTED = ",".join(f'"{column.name}"' for column in _CONTRACT.columns)


@pytest.mark.parametrize(
    ("text", "rowless"),
    [
        (_NAMES, True), (f"{_NAMES}\n", True), (f"{_NAMES}\r\n", True), (f"{_QUOTED}\n", True),
        (f'{_NAMES},"of its\nown"\n', True), (f"{_NAMES}\n\n", False), (f"{_NAMES}\nB1,F1,2026-01-02,1,x", False),
        (f"{_NAMES}\nB1", False), (f"{_NAMES}\n\0", False), (f"{_NAMES},{'x' * 4096}\n", False),
    ],
)  # fmt: skip
def test_of_a_file_that_ends_with_its_heading_the_reader_finds_no_row(text: str, rowless: bool, tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_bytes(text.encode())
    with Warehouse.in_memory() as warehouse, Reading(warehouse, None, _LIMITS) as opened:
        scan = opened.scan(path, _CONTRACT, deletions=False)
        assert scan.rowless == rowless
        if rowless:
            assert warehouse.rows(f"from {scan.relation}", scan.params) == []
            assert warehouse.rows(f"from {scan.rejects}") == []


def test_a_file_that_ends_with_its_heading_is_not_read_again_and_empties_its_table(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    run = Warehouse.run

    def noting(self: Warehouse, sql: str, *params: Any) -> None:
        read.append(sql)
        run(self, sql, *params)

    with monkeypatch.context() as patched:
        patched.setattr(Warehouse, "run", noting)
        company.send("orders", {"payments": f"{_NAMES}\n"}, rows=0, day="2026-11-23")
        company.ingest()
    assert company.rows("select status, rows_in from intake.files") == [("loaded", 0)]
    assert [sql for sql in read if "read_csv(" in sql or "staged_rows" in sql] == []
    company.send("orders", {"payments": f"{_NAMES}\nB1,,2026-01-02T10:00:00Z,1,x\n"}, rows=1, day="2026-11-24")
    company.ingest()
    assert company.rows("select in_source from raw.orders_payments") == [(True,)]
    company.send("orders", {"payments": f"{_NAMES}\n"}, rows=0)
    company.ingest()
    assert company.rows("select status, rows_in from intake.files order by delivery_id") == [
        ("loaded", 0), ("loaded", 1), ("loaded", 0),
    ]  # fmt: skip
    assert company.rows("select in_source from raw.orders_payments") == [(False,)]


def test_a_file_that_ends_with_its_heading_where_rows_are_stated_is_refused(company: Company) -> None:
    company.send("orders", {"payments": f"{_NAMES}\n"}, rows=1)
    (delivery,) = company.ingest().deliveries
    assert delivery.status == "rejected"
    assert "holds 0 rows where delivery.json states 1" in str(delivery.reason)
