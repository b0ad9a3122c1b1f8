"""Running a stop's suite with Great Expectations on the warehouse's own DuckDB. The only module that imports it.

What the checks are stands in `suites/*.json` and `sql/audits/*.sql`. Great Expectations takes seconds to import, so
that happens inside `validate`, or before it on a second thread (`imported_meanwhile`). It does not work on DuckDB as it
comes, and it likes to quote the values it finds:

* DuckDB drops an open result when its connection rolls back, so the execution engine here keeps one connection;
* an audit is counted, and its rows are never fetched; the other expectations are asked for no examples;
* what it logs is dropped, and when a check cannot run the driver's text stays here: it may quote a value.
"""

from __future__ import annotations

import builtins
import gc
import logging
import os
import sys
import threading
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from expectations.parts import Parts
from expectations.specs import CheckSpec, Severity, specs_of, suite

if TYPE_CHECKING:
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from sqlalchemy.engine.reflection import Inspector

AUDITS = Path(__file__).resolve().parents[1] / "sql" / "audits"
#: What Great Expectations imports for the sake of one expectation that no suite here has: half a second of its two.
PUT_OFF = ("scipy.stats", "altair")
#: How often threads take turns while it is imported: the other one asks DuckDB a thousand short questions meanwhile.
_TURNS = 0.0005
#: Counts alone: no offending value reaches a result.
COUNTS_ALONE = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


class ValidationError(Exception):
    """A check could not be run at all. Names the check and its table, never a value."""


class Connections(Protocol):
    """What `validate` needs of a warehouse: further connections to the same open database."""

    def cursor(self) -> Any:
        """A DuckDB connection that may commit and roll back by itself."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What a check found. `evaluated` counts the rows of its table, `unexpected` those that break the claim.

    `unexpected` is 1 for a failed claim about the table as a whole.
    """

    name: str
    asset: str
    severity: Severity
    passed: bool
    evaluated: int
    unexpected: int
    description: str


def validate(warehouse: Connections, stop: str) -> list[Verdict]:
    """Run every check of a stop; the verdicts come in the order of the suite.

    Reads what is committed: call it outside a transaction.

    Raises:
        ValidationError: a check could not be run, for example because its table is not there. Nothing has passed then.
        SuiteError: the stop has no readable suite.
    """
    return run_suite(warehouse, stop, suite(stop))


def run_suite(warehouse: Connections, stop: str, definition: Mapping[str, Any]) -> list[Verdict]:
    """Run the expectations of a suite, table by table, on one connection; `validate` is this for a stop's suite."""
    checks = specs_of(stop, definition)
    results: dict[str, Any] = {}
    with _quiet(), _source(warehouse) as source:
        for asset in dict.fromkeys(check.asset for check in checks):
            expected = [one for one in definition["expectations"] if one["meta"]["asset"] == asset]
            results |= _table_results(source, stop, asset, expected)
    return [_verdict(check, results.get(check.name)) for check in checks]


# -- one table ---------------------------------------------------------------------------------------------------


def _table_results(source: Any, stop: str, asset: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    """The result of each expectation on a table, by the check's name; the row count is under every result."""
    from great_expectations.core import ExpectationSuite

    schema, _, table = asset.partition(".")
    counting = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 0}, "meta": {"name": ""}}
    try:
        batch = (
            source.add_table_asset(name=asset, table_name=table, schema_name=schema)
            .add_batch_definition_whole_table("all")
            .get_batch()
        )
        outcome = batch.validate(
            ExpectationSuite(name=f"{stop}: {asset}", expectations=[*expected, counting]),
            result_format=COUNTS_ALONE,
            expectation_parameters=_audits(stop, expected),
        )
    except Exception:  # whatever it is, its text may quote a value
        raise ValidationError(f"{stop}: {asset} could not be checked: see that the step before it has run.") from None
    by_name = {result.expectation_config.meta["name"]: result for result in outcome.results}
    rows = by_name.pop("").result.get("observed_value")
    return {name: (result, rows) for name, result in by_name.items()}


def _audits(stop: str, expected: list[dict[str, Any]]) -> dict[str, str]:
    """The SQL of the stop's audits that expectations name as `{"$PARAMETER": "file"}`, by that name.

    Braces are doubled, for Great Expectations formats the text, and its table is named, or it prints that it is not.
    """
    queries = [one["kwargs"].get("unexpected_rows_query") for one in expected]
    names = [query["$PARAMETER"] for query in queries if isinstance(query, dict)]
    texts = {name: (AUDITS / stop / f"{name}.sql").read_text(encoding="utf-8") for name in names}
    return {name: "/* {batch} */ " + text.replace("{", "{{").replace("}", "}}") for name, text in texts.items()}


def _verdict(check: CheckSpec, found: tuple[Any, int | None] | None) -> Verdict:
    """What a result says about its check.

    Great Expectations leaves out an expectation that it cannot read, and records an error of the driver as a failure:
    both are refused here, so that nothing passes unseen.
    """
    result, rows = found or (None, None)
    if result is None or rows is None or _raised(result.exception_info):
        raise ValidationError(
            f"{check.stop}: {check.name} could not be run on {check.asset}: its columns or its query do not fit, "
            "or the memory that the warehouse may have (memory_limit) is too little for it."
        )
    counts = result.result
    unexpected = counts.get("unexpected_count")
    if unexpected is None and result.expectation_config.type == "unexpected_rows_expectation":
        unexpected = counts["observed_value"]
    return Verdict(
        name=check.name,
        asset=check.asset,
        severity=check.severity,
        passed=bool(result.success),
        evaluated=rows,
        unexpected=int(not result.success) if unexpected is None else int(unexpected),
        description=check.description,
    )


def _raised(information: Any) -> bool:
    """Whether an exception was recorded: for the expectation as a whole, or for one of its metrics."""
    if not isinstance(information, Mapping):
        return False
    return bool(information.get("raised_exception")) or any(_raised(part) for part in information.values())


# -- Great Expectations on DuckDB --------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what Great Expectations logs and warns of: with an exception it logs the driver's text, values included.

    Some of its modules set their own level, so what they log is stopped on its way up instead.
    """
    loggers = [logging.getLogger(name) for name in ("great_expectations", "sqlalchemy", "duckdb_sqlalchemy")]
    propagated = [logger.propagate for logger in loggers]
    silence = logging.NullHandler()
    for logger in loggers:
        logger.propagate = False
        logger.addHandler(silence)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, propagates in zip(loggers, propagated, strict=True):
            logger.removeHandler(silence)
            logger.propagate = propagates


@contextmanager
def imported_meanwhile() -> Iterator[None]:
    """Import Great Expectations on a second thread while the caller works; the first check waits until that is done.

    What goes wrong there is told by the check that then imports it itself.
    """
    # Python's lists of what to warn of are all threads' alone: this one is widened here, and not swapped over there.
    warnings.filterwarnings("ignore", module=r"great_expectations\.")
    loading = threading.Thread(target=_load_ahead, name="importing great_expectations")
    turns = sys.getswitchinterval()
    sys.setswitchinterval(_TURNS)
    loading.start()
    try:
        yield
    finally:
        loading.join()
        sys.setswitchinterval(turns)


def _load_ahead() -> None:
    with suppress(Exception):
        _load()


_loading = threading.Lock()


def _load() -> None:
    """Import all of Great Expectations that checks need, once. Nothing of it is garbage, so that none is looked for."""
    with _loading:
        collects = gc.isenabled()
        gc.disable()
        try:
            _extend_great_expectations()
        finally:
            if collects:
                gc.enable()


@contextmanager
def _source(warehouse: Connections) -> Iterator[Any]:
    """A data source of a context that lives in memory alone, over cursors that are closed at the end.

    Without a pool, whoever asks for a connection gets a cursor of its own. A pool for databases in memory hands the one
    of the thread out twice; the second fails to begin a transaction, and Great Expectations asks for everything again.
    """
    _load()
    import great_expectations
    from duckdb_sqlalchemy import ConnectionWrapper
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from sqlalchemy.pool import NullPool

    cursors: list[Any] = []

    def connect() -> ConnectionWrapper:
        cursors.append(warehouse.cursor())
        return ConnectionWrapper(cursors[-1])

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source: Any = context.data_sources.add_duckdb(
        name="warehouse",
        connection_string="duckdb:///:memory:",
        kwargs={"creator": connect, "poolclass": NullPool},
    )
    try:
        yield source
    finally:
        source.get_execution_engine().close()
        source.get_engine().dispose()
        for cursor in cursors:
            cursor.close()


def _put_off(name: str) -> None:
    """Import a module when it is used. Until then one stands in its place that turns into it when asked (PEP 562)."""
    if name in sys.modules:
        return
    stand_in = ModuleType(name)

    def asked(attribute: str) -> Any:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    stand_in.__dict__["__getattr__"] = asked
    sys.modules[name] = stand_in


@cache
def _extend_great_expectations() -> None:
    """Teach Great Expectations DuckDB, through its own extension points; once, since it registers classes by name."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    for name in PUT_OFF:
        _put_off(name)
    import duckdb_sqlalchemy  # noqa: F401  # when a source is made; here, so that it is loaded ahead too
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource

    engine = _warehouse_engine()

    class WarehouseDatasource(SQLDatasource):
        """`context.data_sources.add_duckdb`. Keeps the tables that it is given to itself.

        The original reads a row of each, and has the context write down its whole configuration anew. A table that is
        not there is told by the first question about it.
        """

        type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]

        @property
        def execution_engine_type(self) -> builtins.type[SqlAlchemyExecutionEngine]:
            return engine

        def _add_asset(self, asset: Any, connect_options: dict[str, Any] | None = None) -> Any:
            asset._datasource = self
            self.assets.append(asset)
            return asset

        def add_batch_definition(self, batch_definition: Any) -> Any:
            return batch_definition

    _count_audits(engine)


def _count_audits(engine: type[SqlAlchemyExecutionEngine]) -> None:
    """Teach Great Expectations to count the rows of an audit on this engine, and no more."""
    from great_expectations.expectations.metrics.metric_provider import metric_value
    from great_expectations.expectations.metrics.query_metrics.query_row_count.unexpected_rows_query_row_count import (
        UnexpectedRowsQueryRowCount,
    )
    from great_expectations.expectations.metrics.query_metrics.query_table.unexpected_rows_query_table import (
        UnexpectedRowsQueryTable,
    )
    from sqlalchemy import text

    class UnfetchedRows(UnexpectedRowsQueryTable):
        """The rows of an audit stay in the warehouse: their count is another metric, and the only one wanted."""

        @metric_value(engine=engine)
        def _sqlalchemy(cls: Any, *_: Any, **__: Any) -> list[dict[str, Any]]:
            return []

    plain: Any = UnexpectedRowsQueryRowCount._sqlalchemy

    class CountedByParts(UnexpectedRowsQueryRowCount):
        """The rows of an audit, counted by parts when it says that it can be and there is much."""

        @metric_value(engine=engine)
        def _sqlalchemy(  # type: ignore[override]
            cls: Any, execution_engine: Any, metric_value_kwargs: Any, **more: Any
        ) -> int:
            def count(select: str) -> int:
                return int(execution_engine.execute_query(text(select)).scalar_one())

            def unexpected(query: str) -> int:
                asked = {cls.query_param_name: query}
                rows: int = plain(cls, execution_engine=execution_engine, metric_value_kwargs=asked, **more)
                return rows

            query = metric_value_kwargs[cls.query_param_name]
            parts = Parts.of(query)
            return sum(map(unexpected, parts.selects(query, count) if parts else [query]))


def _warehouse_inspector() -> type[Inspector]:
    """What tells Great Expectations the columns of a table."""
    from sqlalchemy.engine.interfaces import ReflectedPrimaryKeyConstraint
    from sqlalchemy.engine.reflection import Inspector, ObjectKind
    from sqlalchemy.exc import NoSuchTableError

    class WarehouseInspector(Inspector):
        """Asks the catalog once for all tables of a schema: for each question DuckDB binds every view there is.

        No table here declares a primary key.
        """

        def get_columns(self, table_name: str, schema: str | None = None, **_: Any) -> list[Any]:
            asked = ("every column", schema)
            if asked not in self.info_cache:
                self.info_cache[asked] = self.get_multi_columns(schema=schema, kind=ObjectKind.ANY)
            known: dict[Any, list[Any]] = self.info_cache[asked]
            if (schema, str(table_name)) not in known:
                raise NoSuchTableError(table_name)
            return known[schema, str(table_name)]

        def get_pk_constraint(self, *_: Any, **__: Any) -> ReflectedPrimaryKeyConstraint:
            return {"constrained_columns": [], "name": None}

    return WarehouseInspector


def _warehouse_engine() -> type[SqlAlchemyExecutionEngine]:
    """What runs the queries of Great Expectations."""
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

    inspector = _warehouse_inspector()

    class WarehouseExecutionEngine(SqlAlchemyExecutionEngine):
        """Keeps one connection, where the original hands out a pooled one that rolls back before its rows are read."""

        _kept_inspector: Any = None

        @contextmanager
        def get_connection(self) -> Generator[Any, None, None]:
            if self._connection is None:
                self._connection = self.engine.connect()
            yield self._connection

        def close(self) -> None:
            if self._connection is not None:
                self._connection.close()
            self.engine.dispose()

        def get_inspector(self) -> Any:
            """One for all tables of a stop, none of which changes meanwhile; the original forgets it with each."""
            self._inspector = self._kept_inspector = self._kept_inspector or self._new_inspector()
            return self._inspector

        def _new_inspector(self) -> Any:
            dialect: Any = self.engine.dialect
            dialect.inspector = inspector
            return super().get_inspector()

    return WarehouseExecutionEngine
