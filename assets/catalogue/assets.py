"""How a table of the warehouse becomes a Dagster asset: its description, what it is built from, what is told of it.

What a stop shares with the others. Tells numbers, column names and types; never a value that a row holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetSpec,
    Failure,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    TableColumn,
    TableColumnDep,
    TableColumnLineage,
    TableRecord,
    TableSchema,
    multi_asset_check,
)

from assets.catalogue.tracing import parents_of
from assets.catalogue.verdicts import record_verdicts
from assets.errors import GallringError, is_of_the_machine, told_by_the_system
from assets.models import Model
from assets.warehouse import Warehouse, identifier
from expectations.specs import specs

#: Everything that writes the warehouse is in this pool: one at a time.
POOL = "warehouse"
OWNERS = ["team:data-engineering"]
#: The most rows of a table whose columns are counted for its preview.
MOST_PREVIEWED = 200_000
#: The most rows of any table up to which those of a view are counted: it is put together for nothing else.
MOST_COUNTED = 5_000_000
#: Of an asset that stores nothing.
VIEW = "view"
#: How the name of a step of checks ends.
CHECKS = "_checks"
SCHEMA, LINEAGE = "dagster/column_schema", "dagster/column_lineage"


def key_of(table: str) -> AssetKey:
    """The asset of `schema.table`."""
    return AssetKey(table.split("."))


def table_spec(
    table: str, *, group: str, description: str, deps: Iterable[str] = (), kinds: Iterable[str] = ("duckdb",),
    tags: Mapping[str, str] | None = None, metadata: Mapping[str, Any] | None = None,
    freshness: FreshnessPolicy | None = None,
) -> AssetSpec:  # fmt: skip
    """The asset of a table that Python fills, built from the tables of `deps`."""
    return AssetSpec(
        key_of(table),
        group_name=group,
        description=description,
        deps=[key_of(dep) for dep in sorted(set(deps) - {table})],
        kinds=set(kinds),
        owners=OWNERS,
        tags=dict(tags or {}),
        metadata=dict(metadata or {}),
        freshness_policy=freshness,
    )


def model_spec(
    model: Model, *, group: str, tags: Mapping[str, str] | None = None, without: Iterable[str] = ()
) -> AssetSpec:
    """The asset of a SELECT file: its header is the description, what it reads is what it depends on.

    `without` names tables that it reads as an earlier run left them: in the graph they would make a circle.
    """
    return table_spec(
        model.table,
        group=group,
        description=model.header or f"Built by {model.path.name}.",
        deps=model.references - set(without),
        kinds=("duckdb", "sql", *((VIEW,) if model.is_view else ())),
        tags=tags,
        metadata={LINEAGE: lineage_of(model.table, model.statement), **sql_source(model.path)},
    )


def sql_source(path: Path) -> dict[str, Any]:
    """The SQL file of an asset: its place below `sql/` or the policy folder, and what it says."""
    statement = path.read_text(encoding="utf-8")
    return {"sql": f"{path.parent.name}/{path.name}", "sql_source": MetadataValue.md(f"```sql\n{statement}\n```")}


@cache
def lineage_of(table: str, statement: str) -> TableColumnLineage:
    """What each column of a SELECT is made of, one step back; empty where that cannot be traced."""
    return TableColumnLineage({
        column: [TableColumnDep(key_of(parent), name) for parent, name in parents]
        for column, parents in parents_of(table, statement).items()
    })  # fmt: skip


def told_of(
    warehouse: Warehouse, made: Sequence[AssetSpec], more: Mapping[AssetKey, Mapping[str, Any]] | None = None
) -> Iterator[MaterializeResult[Any]]:
    """One result for each table that a step has made, each after those it is built from: its rows and columns.

    `more`: what else is told of some of them.
    """
    by_key = {spec.key: spec for spec in made}
    sorter = TopologicalSorter(
        {key: {dep.asset_key for dep in spec.deps} & by_key.keys() for key, spec in by_key.items()}
    )
    stored = _stored_columns(warehouse, {key.path[0] for key in by_key})
    sizes = _sizes(warehouse)
    for key in sorter.static_order():
        told = _numbers_of(warehouse, by_key[key], stored.get(tuple(key.path), []), sizes)
        yield materialized(key, {**told, **(more or {}).get(key, {})})


def materialized(key: AssetKey, metadata: Mapping[str, Any]) -> MaterializeResult[Any]:
    """The result of a table that the step has made, with what is told of it.

    Told to the step, and not with the result: what comes with a result is written of the output too, once more.
    """
    AssetExecutionContext.get().add_asset_metadata(metadata, key)
    return MaterializeResult(asset_key=key)


def _stored_columns(warehouse: Warehouse, schemas: Iterable[str]) -> dict[tuple[str, ...], list[tuple[str, str]]]:
    """The columns of the tables and views of some schemas with their types, in order.

    To look anything up in the catalog DuckDB binds every view there is: one question for fifty tables costs what one
    for a single table does.
    """
    rows = warehouse.rows(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() where database_name = $catalog "
        "and list_contains($schemas, schema_name) order by column_index",
        {"catalog": warehouse.catalog, "schemas": sorted(schemas)},
    )
    found: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for schema, name, column, kind in rows:
        found.setdefault((schema, name), []).append((column, kind))
    return found


def _sizes(warehouse: Warehouse) -> dict[tuple[str, ...], int]:
    """How many rows the catalog knows of in each stored table, those that were deleted of late perhaps among them."""
    known = "select schema_name, table_name, estimated_size from duckdb_tables() where database_name = ?"
    return {(schema, table): int(rows) for schema, table, rows in warehouse.rows(known, [warehouse.catalog])}


def _numbers_of(
    warehouse: Warehouse, spec: AssetSpec, columns: Sequence[tuple[str, str]], sizes: Mapping[tuple[str, ...], int]
) -> dict[str, Any]:
    """A table's row count and columns, and its preview: in how many rows each column holds something.

    And what its definition says of its columns. Of a view nothing is counted where the warehouse is large.
    """
    told: dict[str, Any] = {}
    largest = max(sizes.values(), default=0)
    if VIEW not in spec.kinds or largest <= MOST_COUNTED:
        known = sizes.get(tuple(spec.key.path), max(largest, 1))  # a view may have a row of tables without any
        told["dagster/row_count"], held = _held(warehouse, spec.key, [name for name, _ in columns], known)
        told |= {"preview": _preview(held)} if held else {}
    said = spec.metadata.get(SCHEMA)
    described = {column.name: column for column in said.columns} if said else {}
    told[SCHEMA] = TableSchema(columns=[_column(name, kind.lower(), described.get(name)) for name, kind in columns])
    lineage = spec.metadata.get(LINEAGE)
    return {**told, LINEAGE: lineage} if lineage is not None else told


def _column(name: str, kind: str, said: TableColumn | None) -> TableColumn:
    """A column as the warehouse has it, with what its definition says of it."""
    return TableColumn(name, kind, said.description if said else None, tags=said.tags if said else {})


def _held(warehouse: Warehouse, key: AssetKey, columns: Sequence[str], known: int) -> tuple[int, dict[str, int]]:
    """How many rows a table has, and how many of them hold something in each column, where they are not too many.

    `known`: no fewer rows than it has, by the catalog. Where that is none, nothing is asked.
    """
    if not known:
        return 0, dict.fromkeys(columns, 0)
    relation = ".".join(identifier(part) for part in key.path)
    if known > MOST_PREVIEWED and (rows := int(warehouse.value(f"select count(*) from {relation}"))) > MOST_PREVIEWED:
        return rows, {}
    counts = ", ".join(["count(*)", *(f"count({identifier(name)})" for name in columns)])
    ((rows, *held),) = warehouse.rows(f"select {counts} from {relation}")
    return int(rows), dict(zip(columns, held, strict=True))


def _preview(held: Mapping[str, int]) -> MetadataValue[Any]:
    records = [TableRecord({"column": name, "rows that hold it": count}) for name, count in held.items()]
    shape = TableSchema(columns=[TableColumn("column", "string"), TableColumn("rows that hold it", "int")])
    return MetadataValue.table(records, schema=shape)


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn an error that is someone's to mend into Dagster's own failure: its sentence, and no traceback of ours."""
    try:
        yield
    except GallringError as error:
        raise Failure(error.message, metadata={"exit_code": error.exit_code}, allow_retries=error.retryable) from None
    except OSError as error:
        if not is_of_the_machine(error):
            raise
        told = told_by_the_system(error)
        raise Failure(told, metadata={"exit_code": GallringError.exit_code}, allow_retries=False) from None


def checks_of(stop: str) -> AssetChecksDefinition:
    """The suite of a stop as one step with a Dagster check an expectation.

    A critical one is blocking: what comes after its table does not run in the same run. Great Expectations is
    imported when the step runs.
    """
    checks = [
        AssetCheckSpec(
            check.name,
            asset=key_of(check.asset),
            description=check.description,
            blocking=check.severity == "critical",
            metadata={"severity": check.severity, "stop": check.stop},
        )
        for check in specs(stop)
    ]

    @multi_asset_check(name=f"{stop}{CHECKS}", specs=checks, description=f"What must be true of {stop}.", pool=POOL)
    def validated(warehouse: ResourceParam[Warehouse], as_of: ResourceParam[date]) -> Iterator[AssetCheckResult]:
        from expectations.validation import ValidationError, validate

        try:
            verdicts = validate(warehouse, stop)
        except ValidationError as error:
            raise Failure(str(error), metadata={"exit_code": GallringError.exit_code}, allow_retries=False) from None
        with clear_failures():
            record_verdicts(warehouse, stop, verdicts, as_of)
        for verdict in verdicts:
            yield AssetCheckResult(
                asset_key=key_of(verdict.asset),
                check_name=verdict.name,
                passed=verdict.passed,
                severity=AssetCheckSeverity.ERROR if verdict.severity == "critical" else AssetCheckSeverity.WARN,
                metadata={"evaluated": verdict.evaluated, "unexpected": verdict.unexpected},
            )

    return validated
