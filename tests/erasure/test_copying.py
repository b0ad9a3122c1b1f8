"""A copy of the warehouse holds what it should, and one that does not is thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.warehouse import RewriteFailed, Warehouse
from tests.erasure.house import KEY, opened


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    warehouse = opened(tmp_path / "house")
    warehouse.run("create schema raw")
    warehouse.run("create table raw.pairs as select range as a, range % 3 as b, [range] as c from range(9)")
    warehouse.run("create table raw.twins as select 'same' as word from range(4)")
    warehouse.run("create table raw.working as select 1 as number")
    warehouse.run("create view raw.seen as select a from raw.pairs")
    return warehouse


def read(path: Path, sql: str) -> list[tuple[object, ...]]:
    with Warehouse.open(path, key=KEY) as copy:
        return copy.rows(sql)


def test_a_copy_holds_every_table_and_view_but_what_it_is_told_to_leave_out(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    path = tmp_path / "copy.duckdb"
    selections = {
        "raw.pairs": ["select a, b, c from raw.pairs where a = 8", "select a, b, c from raw.pairs where a = 7"]
    }
    written = warehouse.copy_to(path, selections=selections, emptied=["raw.working", "raw.never"])
    assert (written.tables, written.rows) == (3, 6)
    assert read(path, "from raw.pairs order by a") == [(7, 1, [7]), (8, 2, [8])]
    assert read(path, "select (select count(*) from raw.working), (select count(*) from raw.seen)") == [(0, 2)]
    assert warehouse.value("select count(*) from raw.working") == 1
    assert list(tmp_path.glob("copy*")) == [path], "no write-ahead log is left, or ever was"


@pytest.mark.parametrize(
    ("table", "damage"),
    [
        ("pairs", "update copied.raw.pairs set a = b, b = a where a = 7"),
        ("pairs", "update copied.raw.pairs set c = [9] where a = 7"),
        ("pairs", "update copied.raw.pairs set b = null where a = 7"),
        ("twins", "delete from copied.raw.twins where rowid in (0, 1)"),
        ("twins", "update copied.raw.twins set word = 'else' where rowid in (0, 1)"),
        ("working", "insert into copied.raw.working values (1)"),
    ],
)
def test_a_copy_that_differs_in_one_value_is_thrown_away(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, damage: str
) -> None:
    path = tmp_path / "copy.duckdb"
    whole = Warehouse._fill

    def damaged(self: Warehouse, path: Path, key: str | None, *rest: object) -> dict[str, tuple[int, int]]:
        expected = whole(self, path, key, *rest)  # type: ignore[arg-type]
        self.run(f"attach '{path}' as copied (encryption_key '{key}')")
        self.run(damage)
        self.run("detach copied")
        return expected

    monkeypatch.setattr(Warehouse, "_fill", damaged)
    with pytest.raises(RewriteFailed, match=table):
        warehouse.copy_to(path, emptied=["raw.working"])
    assert list(tmp_path.glob("copy*")) == []


def test_large_tables_are_written_by_all_threads_and_the_others_by_one(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assets.warehouse._WORTH_SHARING", 9)
    warehouse.run("set threads = 2")
    selections = {
        f"raw.{table}": [f"select * replace (current_setting('threads') as {column}) from raw.{table}"]
        for table, column in (("pairs", "b"), ("twins", "word"), ("working", "number"))
    }
    monkeypatch.setattr(Warehouse, "_read_back", lambda *_: 0)  # what is asked there is answered otherwise by then
    path = tmp_path / "copy.duckdb"
    warehouse.copy_to(path, selections=selections)
    assert read(path, "select distinct b from raw.pairs") == [(2,)]
    assert read(path, "select distinct word, number from raw.twins, raw.working") == [("1", 1)]
    assert warehouse.value("select current_setting('threads')") == 2


def test_a_copy_that_the_memory_is_too_little_for_says_so(warehouse: Warehouse, tmp_path: Path) -> None:
    """Room on the disk would not help."""
    glued = "select 0 as a, 0 as b, [length(string_agg(md5(range::varchar), ','))] as c from range(1000000)"
    with (
        warehouse.settings(memory_limit="16MB"),
        pytest.raises(RewriteFailed, match=r"raise \[warehouse\] memory_limit"),
    ):
        warehouse.copy_to(tmp_path / "copy.duckdb", selections={"raw.pairs": [glued]})
    assert list(tmp_path.glob("copy*")) == []
