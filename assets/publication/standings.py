"""Remembers what was decided on each published day, counted, so that months can be compared. Counts alone.

An empty field is decided on like any other, and nothing is left to do about it: what holds a value is counted beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from assets.manifests.fields import find_held_parts
from assets.warehouse import Warehouse

#: Which records hold a value in which data category: nothing that has to be kept.
HELD_PARTS = "publication.held_parts"


class Standing(NamedTuple):
    """How many categories of a source's records have a disposition, and how many of these hold a value."""

    source: str
    disposition: str
    categories: int
    with_value: int


def standing(warehouse: Warehouse) -> list[Standing]:
    """The counts of the evaluation that is there now. Leaves `HELD_PARTS` there, which they were made with."""
    warehouse.run("create schema if not exists publication")
    find_held_parts(warehouse, HELD_PARTS)
    found = warehouse.rows(
        f"""
        select records.source, counted.disposition, cast(sum(counted.categories) as bigint),
            cast(sum(counted.with_value) as bigint)
        from (
            select decided.record_type, decided.disposition, count(*) as categories,
                count(*) filter ((held.records >> (decided.row_id & 31)) & 1 = 1) as with_value
            from retention.dispositions as decided
            left join policy.categories as categories
                on decided.record_type = categories.record_type and decided.data_category = categories.data_category
            left join {HELD_PARTS} as held
                on categories.category_id = held.category_id and decided.row_id >> 5 = held.part
            group by all
        ) as counted
        inner join policy.records as records on counted.record_type = records.record_type
        group by all
        order by all
        """
    )
    return [Standing(*row) for row in found]


def remember_standing(warehouse: Warehouse) -> None:
    """Make the counts of the last evaluation those of its day in `publication.standings`."""
    day = warehouse.value("select as_of from retention.evaluation")
    with warehouse.transaction():
        _prepare(warehouse)
        warehouse.run("delete from publication.standings where as_of = $day", {"day": day})
        _write(warehouse, day, standing(warehouse))


def remember_standing_of(warehouse: Warehouse, day: date, found: Sequence[Standing]) -> bool:
    """Make `found` the counts of a day that has none; returns whether it had none."""
    with warehouse.transaction():
        _prepare(warehouse)
        if warehouse.value("select count(*) from publication.standings where as_of = $day", {"day": day}):
            return False
        _write(warehouse, day, found)
    return True


def _prepare(warehouse: Warehouse) -> None:
    warehouse.run("create schema if not exists publication")
    warehouse.run(
        "create table if not exists publication.standings "
        "(as_of date, source varchar, disposition varchar, categories bigint, with_value bigint)"
    )
    warehouse.run("alter table publication.standings add column if not exists with_value bigint")


def _write(warehouse: Warehouse, day: date, found: Sequence[Standing]) -> None:
    columns = ("as_of", "source", "disposition", "categories", "with_value")
    warehouse.insert("publication.standings", columns, [(day, *each) for each in found])
