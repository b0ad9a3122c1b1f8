"""A SELECT file that is read over something else than the tables it names; views, and what stands in their place."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from assets.models import Model, make_view
from assets.warehouse import Warehouse, WarehouseError


def model(folder: Path, statement: str) -> Model:
    path = folder / "asked.sql"
    path.write_text(statement, encoding="utf-8")
    return Model("main", path)


def test_other_selects_come_in_the_place_of_tables(tmp_path: Path) -> None:
    asked = model(
        tmp_path,
        "-- Of m.items.\nselect * from m.items inner join m.items as others on items.a is not distinct from others.a\n"
        "left join m.item_states as s on s.a = items.a\n",
    )
    assert asked.over({"m.items": "select 1 as a"}) == (
        "select * from (select 1 as a) as items inner join (select 1 as a) as others "
        "on items.a is not distinct from others.a\nleft join m.item_states as s on s.a = items.a"
    )


@pytest.mark.parametrize("read", ["m.others", "m.others, m.items", "m.items where m.items.a = 1", "m.item_states"])
def test_a_table_that_would_go_on_being_read_whole_is_a_defect(tmp_path: Path, read: str) -> None:
    with pytest.raises(ValueError, match=r"asked\.sql does not read m\.items"):
        model(tmp_path, f"select 1 from {read}").over({"m.items": "select 1 as a"})


@pytest.mark.parametrize("in_a_transaction", [True, False])
@pytest.mark.parametrize("in_a_file", [True, False])
def test_a_table_of_an_earlier_version_makes_way_for_the_view(
    tmp_path: Path, in_a_file: bool, in_a_transaction: bool
) -> None:
    path = tmp_path / "warehouse.duckdb"
    with Warehouse.open(path, key="5a" * 32) if in_a_file else Warehouse.in_memory() as warehouse:
        warehouse.run("create schema s")
        warehouse.run("create table s.seen as select 1 as a")
        with warehouse.transaction() if in_a_transaction else nullcontext():
            warehouse.run("create table s.made_before as select 5 as a")
            make_view(warehouse, "s.seen", "select 2 as a")
            make_view(warehouse, "s.seen", "select 3 as a")
        assert warehouse.rows("select * from s.seen, s.made_before") == [(3, 5)]


def test_a_view_that_cannot_be_made_leaves_the_one_that_is_there() -> None:
    with Warehouse.in_memory() as warehouse:
        warehouse.run("create schema s")
        make_view(warehouse, "s.seen", "select 2 as a")
        with pytest.raises(WarehouseError, match="nowhere"):
            make_view(warehouse, "s.seen", "select * from s.nowhere")
        assert warehouse.rows("from s.seen") == [(2,)]


@pytest.mark.parametrize("in_a_transaction", [True, False])
def test_a_view_of_an_earlier_version_makes_way_for_the_table(tmp_path: Path, in_a_transaction: bool) -> None:
    with Warehouse.in_memory() as warehouse:
        warehouse.run("create view asked as select 1 as a")
        with warehouse.transaction() if in_a_transaction else nullcontext():
            for number in (2, 3):
                model(tmp_path, f"select {number} as a").build(warehouse, {})
        assert warehouse.rows("from asked") == [(3,)]
        assert warehouse.value("select count(*) from duckdb_views() where view_name = 'asked'") == 0


def test_a_table_that_cannot_be_made_leaves_the_view_that_is_there(tmp_path: Path) -> None:
    with Warehouse.in_memory() as warehouse:
        warehouse.run("create view asked as select 1 as a")
        with pytest.raises(WarehouseError):
            model(tmp_path, "select * from nowhere").build(warehouse, {})
        assert warehouse.rows("from asked") == [(1,)]
