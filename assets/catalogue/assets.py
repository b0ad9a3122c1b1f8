"""How a table of the warehouse becomes a Dagster asset: its description, what it is built from, what is told of it.

What a stop shares with the others. Tells numbers, column names and types; never a value that a row holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from graphlib import TopologicalSorter
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    AssetSpec,
    Failure,
    MaterializeResult,
    ResourceParam,
    TableColumn,
    TableSchema,
    multi_asset_check,
)

from assets.errors import GallringError
from assets.models import Model
from assets.publication.quality import record_verdicts
from assets.warehouse import Warehouse, identifier
from expectations.specs import specs

#: Everything that writes the warehouse is in this pool: one at a time.
POOL = "warehouse"
OWNERS = ["team:data-engineering"]


def key_of(table: str) -> AssetKey:
    """The asset of `schema.table`."""
    return AssetKey(table.split("."))


def table_spec(
    table: str, *, group: str, description: str, deps: Iterable[str] = (), kinds: Iterable[str] = ("duckdb",),
    tags: Mapping[str, str] | None = None, metadata: Mapping[str, Any] | None = None,
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
        kinds=("duckdb", "sql"),
        tags=tags,
        metadata={"sql": f"{model.path.parent.name}/{model.path.name}"},
    )


def told_of(warehouse: Warehouse, made: Sequence[AssetSpec]) -> Iterator[MaterializeResult[Any]]:
    """One result for each table that a step has made, each after those it is built from: its rows and columns."""
    by_key = {spec.key: spec for spec in made}
    sorter = TopologicalSorter(
        {key: {dep.asset_key for dep in spec.deps} & by_key.keys() for key, spec in by_key.items()}
    )
    for key in sorter.static_order():
        schema, table = key.path
        yield MaterializeResult(asset_key=key, metadata=numbers(warehouse, schema, table))


def numbers(warehouse: Warehouse, schema: str, table: str) -> dict[str, Any]:
    """A table's row count and columns."""
    rows = warehouse.value(f"select count(*) from {identifier(schema)}.{identifier(table)}")
    columns = warehouse.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_catalog = ? and table_schema = ? and table_name = ? order by ordinal_position",
        [warehouse.catalog, schema, table],
    )
    shape = TableSchema(columns=[TableColumn(name=name, type=kind.lower()) for name, kind in columns])
    return {"dagster/row_count": int(rows), "dagster/column_schema": shape}


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn an error that is someone's to mend into Dagster's own failure: its sentence, and no traceback of ours."""
    try:
        yield
    except GallringError as error:
        raise Failure(error.message, metadata={"exit_code": error.exit_code}, allow_retries=False) from None


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

    @multi_asset_check(name=f"{stop}_checks", specs=checks, description=f"What must be true of {stop}.", pool=POOL)
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
