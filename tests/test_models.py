"""A SELECT file that is read over something else than the tables it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.models import Model


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
