"""Remembers what was decided on each published day, counted, so that months can be compared. Counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from assets.warehouse import Warehouse


class Standing(NamedTuple):
    """How many categories of a source's records have a disposition."""

    source: str
    disposition: str
    categories: int


def standing(warehouse: Warehouse) -> list[Standing]:
    """The counts of the evaluation that is there now."""
    found = warehouse.rows(
        """
        select records.source, counted.disposition, cast(sum(counted.categories) as bigint)
        from (
            select record_type, disposition, count(*) as categories from retention.dispositions group by all
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
        "(as_of date, source varchar, disposition varchar, categories bigint)"
    )


def _write(warehouse: Warehouse, day: date, found: Sequence[Standing]) -> None:
    columns = ("as_of", "source", "disposition", "categories")
    warehouse.insert("publication.standings", columns, [(day, *each) for each in found])
