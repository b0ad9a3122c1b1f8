"""How much of a large file is read at once: enough rows to fill a row group, and no line lost between two lots."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.ingest import reading
from assets.ingest.contracts import canonical
from assets.ingest.limits import Limits
from assets.ingest.projecting import Scan
from assets.ingest.reading import Reading
from assets.warehouse import Warehouse

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
