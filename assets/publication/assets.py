"""`analytics.duckdb`, one asset a published table, and the retention report that is made from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from dagster import (
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    ResourceParam,
    TableColumn,
    TableSchema,
    asset,
    multi_asset,
)

from assets.catalogue.assets import OWNERS, POOL, clear_failures, key_of, lineage_of, materialized, sql_source
from assets.catalogue.published import PublishedTable, published_tables
from assets.errors import CheckFailed
from assets.policy import Policy
from assets.publication.analytics import as_many_threads_as_pay, publish
from assets.publication.report.building import build_report
from assets.site import Site
from assets.warehouse import Warehouse

GROUP = "7_publication"
REPORT = "reports.retention"
#: Views that are no assets of their own, and the asset that they are part of: publication waits for it.
_PART_OF = {"manifest.common_states": "manifest.item_states", "manifest.own_states": "manifest.item_states"}


def publication_assets(made: Collection[AssetKey]) -> list[AssetsDefinition]:
    """Every table of `sql/analytics/`, as analysts see it. `made`: the assets of the stops before.

    A source that no stop makes yet is published empty, and no dependency.
    """
    tables = published_tables()
    specs = [_spec(table, made) for table in tables]
    made_of = {table.name: lineage_of(f"analytics.{table.name}", table.model.statement) for table in tables}

    @multi_asset(name="publication", specs=specs, description="The analysts' copy, swapped in whole.", pool=POOL)
    def publication(
        warehouse: ResourceParam[Warehouse],
        policy: ResourceParam[Policy],
        site: ResourceParam[Site],
        as_of: ResourceParam[date],
        smallest_group: ResourceParam[Any],
    ) -> Iterator[MaterializeResult[Any]]:
        with clear_failures():
            _require_day(warehouse, as_of)
            published = publish(warehouse, policy, site, smallest_group=smallest_group)
        for table in tables:
            told: dict[str, Any] = {
                "dagster/row_count": published.rows[table.name],
                "dagster/column_lineage": made_of[table.name],
            }
            yield materialized(_key(table), told)

    @asset(
        key=key_of(REPORT),
        group_name=GROUP,
        description="The retention report for the data protection officer, in English and Swedish, and the Art 30 "
        "register as CSV and JSON-LD: files in the site's reports folder, made from the analysts' copy alone.",
        deps=[_key(table) for table in tables],
        kinds={"html"},
        owners=OWNERS,
        pool=POOL,
    )
    def retention_report(warehouse: ResourceParam[Warehouse], site: ResourceParam[Site]) -> MaterializeResult[Any]:
        with clear_failures(), as_many_threads_as_pay(warehouse):
            report = build_report(site, warehouse)  # one DuckDB, and one limit of memory, for the whole run
        return MaterializeResult(metadata={
            "as_of": report.as_of.isoformat(), "files": [f"reports/{path.name}" for path in report.files]
        })  # fmt: skip

    return [publication, retention_report]


def _require_day(warehouse: Warehouse, as_of: date) -> None:
    """Refuse to publish another day than the one that the run is about."""
    known = warehouse.exists("retention", "evaluation")
    evaluated = warehouse.value("select as_of from retention.evaluation") if known else None
    if evaluated != as_of:
        what = f"is evaluated as of {evaluated}" if evaluated else "has not been evaluated"
        raise CheckFailed(f"The warehouse {what}, the run is as of {as_of}: run `gallring run --as-of {as_of}` first.")


def _key(table: PublishedTable) -> AssetKey:
    return key_of(f"analytics.{table.name}")


def _spec(table: PublishedTable, made: Collection[AssetKey]) -> AssetSpec:
    columns = [TableColumn(column.name, column.type, column.comment) for column in table.columns]
    names = sorted({_PART_OF.get(name, name) for name in table.model.references})
    sources = [key for key in map(key_of, names) if key in made]
    return AssetSpec(
        _key(table),
        group_name=GROUP,
        description=table.comment,
        deps=[*sources, *(key_of(f"analytics.{name}") for name in sorted(table.earlier))],
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        metadata={"dagster/column_schema": TableSchema(columns=columns), **sql_source(table.model.path)},
    )
