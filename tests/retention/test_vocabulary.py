"""Closed words and views: what the evaluation keeps as numbers, and what it does not keep at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.contracts.contract import CATEGORIES
from assets.contracts.declarations import canonical
from assets.models import Model
from assets.policy import OwnPurpose, Policy
from assets.vocabulary import CLOCKS, CLOSED_WORDS, DATA_CATEGORIES, RECORD_TYPES
from assets.warehouse import Warehouse, WarehouseError


@pytest.mark.parametrize("column", sorted(CLOSED_WORDS))
def test_words_stand_in_the_order_of_text_so_that_the_greatest_is_that_of_text(column: str) -> None:
    assert list(CLOSED_WORDS[column]) == sorted(set(CLOSED_WORDS[column]))


def test_the_words_are_those_of_the_contracts_and_the_register() -> None:
    assert set(DATA_CATEGORIES) == CATEGORIES
    assert set(RECORD_TYPES) == {contract.record_type for contract in canonical().values()} - {None}
    assert {cover.clock for cover in Policy.load().coverage()} <= set(CLOCKS)


def _model(folder: Path, text: str) -> Model:
    path = folder / "lamps.sql"
    path.write_text(text, encoding="utf-8")
    return Model(schema="things", path=path)


@pytest.fixture
def warehouse() -> Warehouse:
    warehouse = Warehouse.in_memory()
    warehouse.run("create schema things")
    return warehouse


def test_a_closed_word_is_kept_as_a_number_and_read_as_a_word(warehouse: Warehouse, tmp_path: Path) -> None:
    model = _model(tmp_path, "-- Lamps.\n-- Closed words: record_type.\nselect 'order' as record_type, 1 as row_id\n")
    model.build(warehouse, {})
    assert warehouse.rows("select record_type, left(typeof(record_type), 4) from things.lamps") == [("order", "ENUM")]


def test_a_word_outside_the_list_fails_rather_than_getting_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    model = _model(tmp_path, "-- Lamps.\n-- Closed words: record_type.\nselect 'lamp' as record_type\n")
    with pytest.raises(WarehouseError):
        model.build(warehouse, {})


def test_a_view_takes_the_place_of_a_table_that_an_earlier_version_kept(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.run("create table things.lamps as select 1 as row_id")
    model = _model(tmp_path, "-- A view: lamps.\nselect 2 as row_id\n")
    model.build(warehouse, {})
    model.build(warehouse, {})
    assert warehouse.rows("select row_id from things.lamps") == [(2,)]


def test_a_policys_own_purpose_has_one_row_a_record_and_clock(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "lighting.sql"
    path.write_text(
        "select 'customer' as record_type, each.row_id, 'lit' as clock, each.starts_on, each.ends_on, each.ended_by, "
        "cast(null as varchar) as missing from things.lit as each\n",
        encoding="utf-8",
    )
    warehouse.run("create schema purposes")
    warehouse.run(
        "create table things.lit as select * from (values "
        "(1, date '2020-01-01', date '2021-01-01', 'exit'), (1, date '2019-01-01', date '2022-01-01', null), "
        "(2, date '2020-01-01', date '2021-01-01', null), (2, null, date '2023-01-01', 'death'), "
        "(null, null, null, null)) as lit (row_id, starts_on, ends_on, ended_by)"
    )
    OwnPurpose(schema="purposes", path=path).build(warehouse, {})
    found = warehouse.rows("select row_id, cast(starts_on as varchar), cast(ends_on as varchar), ended_by "
                           "from purposes.lighting order by row_id")  # fmt: skip
    assert found == [(1, "2019-01-01", "2022-01-01", None), (2, "2020-01-01", "2023-01-01", "death")]


def test_a_policys_own_purpose_may_have_a_clock_of_its_own(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "lamps.sql"
    path.write_text(
        "-- Lamps, copied from a shipped purpose and changed.\n-- Closed words: record_type, clock.\n"
        "select 'order' as record_type, 1 as row_id, 'warranty' as clock, date '2026-01-01' as starts_on, "
        "date '2027-01-01' as ends_on, cast(null as varchar) as ended_by, cast(null as varchar) as missing\n",
        encoding="utf-8",
    )
    OwnPurpose(schema="things", path=path).build(warehouse, {})
    assert warehouse.rows("select record_type, clock from things.lamps") == [("order", "warranty")]
