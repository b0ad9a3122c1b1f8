"""Remembers what was decided on each published day, counted, so that months can be compared. Counts alone."""

from __future__ import annotations

from assets.warehouse import Warehouse


def remember_standing(warehouse: Warehouse) -> None:
    """Make the counts of the last evaluation those of its day in `publication.standings`."""
    with warehouse.transaction():
        warehouse.run("create schema if not exists publication")
        warehouse.run(
            "create table if not exists publication.standings "
            "(as_of date, source varchar, disposition varchar, categories bigint)"
        )
        warehouse.run("delete from publication.standings where as_of in (select as_of from retention.evaluation)")
        warehouse.run(
            """
            insert into publication.standings
            select evaluation.as_of, records.source, dispositions.disposition, count(*)
            from retention.dispositions as dispositions
            inner join retention.records as records
                on dispositions.record_type = records.record_type and dispositions.row_id = records.row_id
            cross join retention.evaluation as evaluation
            group by all
            """
        )
