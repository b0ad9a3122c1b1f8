"""The engine: what of Great Expectations has to hold on DuckDB, and that no value leaves it. A canary for upgrades."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from assets.warehouse import Warehouse
from expectations import validation
from expectations.validation import ValidationError, Verdict, run_suite

MARK = "zq-unmistakable-7f3a"
TABLES = ("good", "bad")


def check(kind: str, asset: str, /, name: str = "holds", **kwargs: Any) -> dict[str, Any]:
    meta = {"name": name, "asset": asset, "severity": "critical", "description": "It holds.", "why": "A test."}
    return {"type": kind, "kwargs": kwargs, "meta": meta}


def run(warehouse: Warehouse, *checks: dict[str, Any]) -> list[Verdict]:
    return run_suite(warehouse, "raw", {"expectations": list(checks)})


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """An attached warehouse file with a table that breaks every claim below, and one that breaks none."""
    folder = tmp_path_factory.mktemp("validation")
    with Warehouse.open(folder / "warehouse.duckdb", key="a key for tests", temporary=folder / "tmp") as warehouse:
        warehouse.run("create schema raw")
        columns = "(id bigint, part varchar, name varchar, kind varchar, starts date, ends date)"
        for table in ("good", "bad"):
            warehouse.run(f"create table raw.{table} {columns}")
        warehouse.run(
            "insert into raw.good values (1, 'a', 'x', 'private', '2026-01-01', '2026-01-01'), "
            "(2, 'a', 'y', 'company', '2026-01-01', '2026-02-01')"
        )
        warehouse.run(
            f"insert into raw.bad values (1, '{MARK}', '{MARK}', '{MARK}', '1066-10-14', '1066-01-01'), "
            f"(1, '{MARK}', '{MARK}', 'private', '2026-01-01', '2026-02-01'), "
            f"(null, '{MARK}', '{MARK}', 'private', '2026-01-01', '2026-02-01')"
        )
        yield warehouse


CLAIMS: dict[str, tuple[dict[str, Any], int]] = {
    "expect_column_values_to_not_be_null": ({"column": "id"}, 1),
    "expect_column_values_to_be_unique": ({"column": "name"}, 3),
    "expect_compound_columns_to_be_unique": ({"column_list": ["id", "part"]}, 2),
    "expect_column_values_to_be_in_set": ({"column": "kind", "value_set": ["private", "company"]}, 1),
    "expect_column_values_to_be_between": ({"column": "starts", "min_value": "1900-01-01"}, 1),
    "expect_column_pair_values_a_to_be_greater_than_b": (
        {"column_A": "ends", "column_B": "starts", "or_equal": True},
        1,
    ),
    "expect_table_row_count_to_equal": ({"value": 2}, 1),
    "unexpected_rows_expectation": (
        {"unexpected_rows_query": "select name from {batch} where regexp_matches(name, '-[0-9]f')"},
        3,
    ),
}


@pytest.mark.parametrize("kind", sorted(CLAIMS))
def test_an_expectation_holds_on_duckdb(warehouse: Warehouse, kind: str) -> None:
    kwargs, unexpected = CLAIMS[kind]
    (good,) = run(warehouse, check(kind, "raw.good", **kwargs))
    (bad,) = run(warehouse, check(kind, "raw.bad", **kwargs))
    assert (good.passed, good.evaluated, good.unexpected) == (True, 2, 0)
    assert (bad.passed, bad.evaluated, bad.unexpected) == (False, 3, unexpected)


def test_nothing_is_asked_for_twice(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """One metric that fails has Great Expectations resolve all others of its table once more, and hides it."""
    _engine_class(warehouse)  # which imports them without their warnings
    from great_expectations.exceptions.exceptions import MetricResolutionError

    failures = []
    made = MetricResolutionError.__init__

    def noted(self: Any, message: Any, failed_metrics: Any) -> None:
        failures.append(str(message))
        made(self, message, failed_metrics)

    monkeypatch.setattr(MetricResolutionError, "__init__", noted)
    run(warehouse, *(check(kind, "raw.good", kind, **kwargs) for kind, (kwargs, _) in CLAIMS.items()))
    assert not failures


def test_neither_keys_are_asked_for_nor_the_configuration_saved_with_every_table(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _engine_class(warehouse)  # which imports them without their warnings
    from duckdb_sqlalchemy import Dialect
    from great_expectations.data_context.data_context_variables import DataContextVariables

    asked: list[str] = []
    monkeypatch.setattr(Dialect, "get_pk_constraint", lambda *_, **__: asked.append("keys"))
    save = DataContextVariables.save

    def saved(self: Any) -> Any:
        asked.append("saved")
        return save(self)

    monkeypatch.setattr(DataContextVariables, "save", saved)
    run(warehouse, check("expect_column_values_to_not_be_null", "raw.good", column="id"))
    once = list(asked)
    run(warehouse, *(check("expect_table_row_count_to_equal", f"raw.{table}", table, value=2) for table in TABLES))
    assert "keys" not in asked
    assert asked == once * 2  # what two tables cost is what one does


def test_the_catalog_is_asked_once_for_all_tables_of_a_schema(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _engine_class(warehouse)  # which imports them without their warnings
    from duckdb_sqlalchemy import Dialect

    asked: list[str | None] = []
    ask = Dialect.get_multi_columns

    def noted(self: Any, connection: Any, schema: str | None = None, **more: Any) -> Any:
        asked.append(schema)
        return ask(self, connection, schema, **more)

    monkeypatch.setattr(Dialect, "get_multi_columns", noted)
    run(warehouse, *(check("expect_column_values_to_not_be_null", f"raw.{one}", one, column="id") for one in TABLES))
    assert asked == ["raw"]


def test_verdicts_come_in_the_order_of_the_suite_whatever_their_tables(warehouse: Warehouse) -> None:
    null = "expect_column_values_to_not_be_null"
    found = run(
        warehouse,
        check(null, "raw.bad", name="first", column="name"),
        check(null, "raw.good", name="second", column="id"),
        check(null, "raw.bad", name="third", column="id"),
    )
    assert [(verdict.name, verdict.passed) for verdict in found] == [
        ("first", True),
        ("second", True),
        ("third", False),
    ]


def test_no_value_reaches_results_logs_or_output(
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    plain = _results_of_every_claim(warehouse, monkeypatch)
    output = capfd.readouterr()
    assert MARK not in plain + caplog.text + output.out + output.err
    assert "great_expectations" not in {record.name.partition(".")[0] for record in caplog.records}
    monkeypatch.setattr(validation, "COUNTS_ALONE", {"result_format": "COMPLETE"})
    assert MARK in _results_of_every_claim(warehouse, monkeypatch), "the control: this search would find a value"


def _results_of_every_claim(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that Great Expectations answers about the bad table, serialised."""
    seen: list[str] = []
    original = validation._table_results

    def spied(*arguments: Any) -> dict[str, Any]:
        found = original(*arguments)
        seen.extend(json.dumps(result.to_json_dict()) + repr(result) for result, _ in found.values())
        return found

    with monkeypatch.context() as patch:
        patch.setattr(validation, "_table_results", spied)
        checks = [check(kind, "raw.bad", name=kind, **kwargs) for kind, (kwargs, _) in CLAIMS.items()]
        verdicts = run(warehouse, *checks)
    assert len(seen) == len(CLAIMS)
    return "".join(seen) + repr(verdicts)


BROKEN: dict[str, dict[str, Any]] = {
    "a cast that quotes the value": check(
        "unexpected_rows_expectation",
        "raw.bad",
        unexpected_rows_query="select * from {batch} where cast(name as integer) = 1",
    ),
    "a table that is not there": check("expect_column_values_to_not_be_null", "raw.absent", column="id"),
    "a column that is not there": check("expect_column_values_to_not_be_null", "raw.bad", column="absent"),
    "an audit that is not there": check(
        "unexpected_rows_expectation", "raw.bad", unexpected_rows_query={"$PARAMETER": "absent"}
    ),
    "an expectation that does not exist": check("expect_nothing_in_particular", "raw.bad"),
    "an expectation with a wrong argument": check("expect_column_values_to_be_in_set", "raw.bad", column=["id"]),
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_a_check_that_cannot_run_passes_nothing_and_quotes_nothing(
    warehouse: Warehouse, what: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ValidationError) as caught:
        run(warehouse, BROKEN[what])
    output = capfd.readouterr()
    shown = "".join(traceback.format_exception(caught.value))
    assert MARK not in shown + caplog.text + output.out + output.err
    assert "raw: " in str(caught.value)


def test_validating_leaves_the_writers_transaction_and_the_loggers_alone(warehouse: Warehouse) -> None:
    logger = logging.getLogger("great_expectations")
    before = (logger.propagate, list(logger.handlers))
    with warehouse.transaction():
        warehouse.run("create table raw.uncommitted (id bigint)")
        run(warehouse, check("expect_column_values_to_not_be_null", "raw.good", column="id"))
        assert warehouse.exists("raw", "uncommitted")
    assert warehouse.exists("raw", "uncommitted")
    assert (logger.propagate, logger.handlers) == before
    warehouse.run("drop table raw.uncommitted")
    warehouse.checkpoint()


def test_an_audit_runs_its_query_once(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    query = "select id from {batch} where id < 1000"
    engine = _engine_class(warehouse)
    original = engine.execute_query

    def spied(self: Any, query: Any) -> Any:
        statements.append(str(query))
        return original(self, query)

    monkeypatch.setattr(engine, "execute_query", spied)
    run(warehouse, check("unexpected_rows_expectation", "raw.bad", unexpected_rows_query=query))
    assert len([one for one in statements if "id < 1000" in one]) == 1


def test_what_was_put_off_is_loaded_when_an_expectation_uses_it() -> None:
    _succeeds("""
import sys
from expectations.validation import _extend_great_expectations
_extend_great_expectations()
assert "scipy.stats._stats_py" not in sys.modules and "altair.vegalite" not in sys.modules
from great_expectations.expectations.core.expect_column_kl_divergence_to_be_less_than import alt, stats
assert abs(stats.entropy([1, 1]) - 0.6931) < 0.001
from scipy.stats import entropy, norm
import scipy.stats.distributions
assert scipy.stats.entropy is entropy is stats.entropy and sys.modules["scipy.stats"].norm is norm
import altair.vegalite
assert alt.Chart is altair.Chart
""")


def test_the_import_on_a_second_thread_is_waited_for_and_leaves_the_process_as_it_was() -> None:
    _succeeds(
        """
import gc, sys, threading
from assets.warehouse import Warehouse
from expectations.validation import imported_meanwhile, run_suite
turns = sys.getswitchinterval()
def loading():
    return [thread.name for thread in threading.enumerate()].count("importing great_expectations")
meta = {"name": "holds", "asset": "raw.any", "severity": "critical", "description": "It holds.", "why": "A test."}
kwargs = {"column": "id"}
check = {"type": "expect_column_values_to_not_be_null", "kwargs": kwargs, "meta": meta}
with Warehouse.in_memory() as warehouse:
    warehouse.run("create schema raw")
    warehouse.run("create table raw.any as select 1 as id")
    with imported_meanwhile():
        assert loading() == 1
        (verdict,) = run_suite(warehouse, "raw", {"expectations": [check]})
        assert verdict.passed
    assert loading() == 0
assert gc.isenabled() and sys.getswitchinterval() == turns
""",
        "-W",
        "error",
    )


def test_an_import_that_fails_on_the_second_thread_is_told_by_the_check(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise ImportError("no such module")

    monkeypatch.setattr(validation, "_extend_great_expectations", fails)
    with pytest.raises(ImportError, match="no such module"), validation.imported_meanwhile():
        run(warehouse, check("expect_column_values_to_not_be_null", "raw.good", column="id"))


def _succeeds(program: str, *options: str) -> None:
    """A program of its own comes to its end."""
    done = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _engine_class(warehouse: Warehouse) -> Any:
    with validation._quiet(), validation._source(warehouse) as source:
        return source.execution_engine_type
