"""What columns are made of is traced once: what is remembered is the same, and taken whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assets.catalogue import tracing
from assets.catalogue.tracing import FILE, parents_of, remembered

SELECT = (
    "select orders.order_id, orders.amount + lines.amount as total from raw.orders as orders join raw.lines as lines"
)
PARENTS = {"order_id": [("raw.orders", "order_id")], "total": [("raw.lines", "amount"), ("raw.orders", "amount")]}


@pytest.fixture(autouse=True)
def _as_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_known", {})
    monkeypatch.setattr(tracing, "_used", set())


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that are traced from here on."""
    names: list[str] = []
    trace = tracing._traced

    def noted(table: str, statement: str) -> tracing.Parents:
        names.append(table)
        return trace(table, statement)

    monkeypatch.setattr(tracing, "_traced", noted)
    return names


def again(folder: Path, statement: str = SELECT) -> tracing.Parents:
    tracing._known.clear()
    with remembered(folder):
        return parents_of("core.totals", statement)


def test_what_was_traced_is_not_traced_again(tmp_path: Path, traced: list[str]) -> None:
    assert again(tmp_path) == PARENTS
    written = (tmp_path / FILE).stat().st_mtime_ns
    assert again(tmp_path) == PARENTS
    assert traced == ["core.totals"]
    assert (tmp_path / FILE).stat().st_mtime_ns == written


def test_another_select_or_program_is_traced_and_what_is_no_longer_asked_is_forgotten(
    tmp_path: Path, traced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again(tmp_path)
    assert again(tmp_path, "select orders.order_id from raw.orders as orders") == {"order_id": PARENTS["order_id"]}
    assert len(json.loads((tmp_path / FILE).read_text(encoding="utf-8"))) == 1
    monkeypatch.setattr(tracing, "_program", lambda: "another")
    again(tmp_path, "select orders.order_id from raw.orders as orders")
    assert len(traced) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {"b": [["c"]]}}', b"\xff"])
def test_a_broken_file_is_no_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert again(tmp_path) == PARENTS


def test_where_nothing_can_be_kept_it_is_traced(tmp_path: Path) -> None:
    assert again(tmp_path / "nowhere") == PARENTS
    assert not (tmp_path / "nowhere").exists()


def test_what_cannot_be_traced_has_no_parents() -> None:
    assert parents_of("core.all", "select * from raw.orders") == {}
    assert parents_of("core.long", "unpivot raw.orders on amount") == {}
