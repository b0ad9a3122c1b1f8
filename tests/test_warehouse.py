"""The warehouse where a statement holds more than the memory: once more on one thread, or told as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assets.models import Model
from assets.warehouse import TooLittleMemory, Warehouse, WarehouseError

#: Held whole while it is made: no engine can put a list down elsewhere. 80 MB, where the limit is 64.
_TOO_LARGE = "select len(list(n)) as held from range(10_000_000) as numbers (n)"


def tight(threads: int) -> Warehouse:
    return Warehouse.in_memory(threads=threads, memory_limit="64MB")


def holding_more_for_each_thread(warehouse: Warehouse, tried: list[int]) -> Callable[[], int]:
    """What needs more than there is where several threads work, and little where one does."""

    def work() -> int:
        tried.append(warehouse.value("select current_setting('threads')"))
        return int(warehouse.value(_TOO_LARGE if tried[-1] > 1 else "select 5"))

    return work


def test_what_was_too_much_for_two_threads_is_done_by_one() -> None:
    with tight(2) as warehouse:
        tried: list[int] = []
        assert warehouse.sparing(holding_more_for_each_thread(warehouse, tried)) == 5
        assert tried == [2, 1]
        assert warehouse.value("select current_setting('threads')") == 2, "what follows has its threads again"


def test_within_a_transaction_the_failure_stands() -> None:
    with tight(2) as warehouse:
        tried: list[int] = []
        with pytest.raises(TooLittleMemory, match="too little memory"), warehouse.transaction():
            warehouse.sparing(holding_more_for_each_thread(warehouse, tried))
        assert tried == [2]


@pytest.mark.parametrize(("threads", "times"), [(1, 1), (2, 2)])
def test_what_one_thread_cannot_do_is_told(threads: int, times: int) -> None:
    with tight(threads) as warehouse:
        tried = []

        def work() -> None:
            tried.append(1)
            warehouse.value(_TOO_LARGE)

        with pytest.raises(TooLittleMemory, match="too little memory"):
            warehouse.sparing(work)
        assert len(tried) == times


def test_another_failure_is_told_at_once() -> None:
    with tight(2) as warehouse:
        tried = []

        def work() -> None:
            tried.append(1)
            warehouse.run("select * from nowhere")

        with pytest.raises(WarehouseError, match="nowhere"):
            warehouse.sparing(work)
        assert len(tried) == 1


def test_a_table_is_made_once_more_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second part of it is too much for several threads: what the first one wrote is there once."""
    path = tmp_path / "made.sql"
    path.write_text("-- By parts: n of s.numbers.\nselect n from s.numbers\n", encoding="utf-8")
    with tight(2) as warehouse:
        warehouse.run("create schema s")
        warehouse.run("create table s.numbers as select n from range(4) as numbers (n)")
        run = warehouse.run

        def short_of_memory(sql: str, params: object = None) -> None:
            run(sql, params)  # type: ignore[arg-type]
            if sql.startswith("insert into s.made") and warehouse.value("select current_setting('threads')") > 1:
                warehouse.value(_TOO_LARGE)

        monkeypatch.setattr(warehouse, "run", short_of_memory)
        monkeypatch.setattr("expectations.parts.FEW", 1)
        monkeypatch.setattr("expectations.parts.AT_ONCE", 2)
        monkeypatch.setattr("expectations.parts.MOST_AT_ONCE", 2)
        Model("s", path).build(warehouse, {})
        assert warehouse.rows("select n from s.made order by n") == [(0,), (1,), (2,), (3,)]


def test_what_is_done_once_is_done_again_after_it_was_taken_back() -> None:
    with Warehouse.in_memory() as warehouse:
        asked: list[str] = []

        def make(made: Warehouse) -> None:
            asked.append("made")
            made.run("create table if not exists kept (a integer)")

        with warehouse.taken_back():
            warehouse.once(make)
            warehouse.once(make)
        assert not warehouse.exists("main", "kept")
        warehouse.once(make)
        warehouse.once(make)
        assert (warehouse.columns("main", "kept"), len(asked)) == (["a"], 2)


def test_a_table_that_is_not_there_ends_no_transaction_and_a_view_of_what_has_gone_is_there() -> None:
    with Warehouse.in_memory() as warehouse, warehouse.transaction():
        assert not warehouse.exists("main", "nobody")
        assert not warehouse.exists("nowhere", "nobody")
        warehouse.run('create table "odd name" (a integer, "b c" integer)')
        warehouse.run('create view seen as select "b c", a from "odd name"')
        assert warehouse.columns("main", "odd name") == ["a", "b c"]
        assert warehouse.columns("main", "seen") == ["b c", "a"]
        warehouse.run('drop table "odd name"')
        assert (warehouse.exists("main", "odd name"), warehouse.columns("main", "seen")) == (False, ["b c", "a"])
