"""What a client of the served copy may run."""

from __future__ import annotations

import pytest

from assets.publication.serving import Doorkeeper


@pytest.fixture(scope="module")
def keeper() -> Doorkeeper:
    return Doorkeeper(frozenset({"what_holds"}))


@pytest.mark.parametrize(
    "sql",
    [
        "from about",
        "select count(*) from retention.claims group by all",
        "from what_holds('customer', 'K1')",
        "with due as (from retention.claims) select max(keep_until) from due",
        "pivot retention.claims on class in ('use', 'duty') using count(*)",
        "describe retention.claims",
        "summarize about",
        "show tables",
        "select table_name, comment from duckdb_tables()",
        "from range(3)",
        "select unnest(deliveries) from about; select 1",
    ],
)
def test_reading_is_let_through(keeper: Doorkeeper, sql: str) -> None:
    assert keeper.may_run(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "create table mine (a int)", "create temp table mine as select 1", "insert into about from about",
        "delete from about", "update about set policy = 'x'", "drop table about", "copy about to 'out.csv'",
        "attach 'other.duckdb'", "detach analytics", "set threads = 1", "reset threads", "load httpfs", "checkpoint",
        "pragma enable_profiling", "call quack_stop('quack:localhost:9494')", "begin", "use memory",
        "create macro f() as 1", "export database 'x'", "prepare p as select 1", "explain analyze select 1",
        "select 1; drop table about", "not SQL at all", "", "vacuum", "create secret (type s3)", "import database 'x'",
    ],
)  # fmt: skip
def test_what_is_no_select_is_refused(keeper: Doorkeeper, sql: str) -> None:
    assert not keeper.may_run(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "from read_text('/etc/hostname')", "from read_csv('x.csv')", "from glob('*')", "from duckdb_secrets()",
        "from duckdb_settings()", "from quack_server_list()", "from quack_active_connections()",
        "from quack_stop('quack:localhost:9494')", "from quack_query('quack:elsewhere.example', 'select 1')",
        "from system.main.quack_server_list()", "select (select count(*) from quack_server_list())",
        "with seen as (from quack_server_list()) from seen", "describe from quack_server_list()",
        "from about where exists (from QUACK_SERVER_LIST())", "from query('from quack_' || 'server_list()')",
        "from query_table('about')", "select current_setting('home_directory')", "select getvariable('x')",
        "from range(3) positional join quack_server_list()", "from whoami()", "from enable_logging()",
        "from json_execute_serialized_sql('{}')", "from a_function_that_nobody_knows()",
    ],
)  # fmt: skip
def test_what_reaches_further_is_refused(keeper: Doorkeeper, sql: str) -> None:
    assert not keeper.may_run(sql)


@pytest.mark.parametrize("depth", [100, 5_000, 100_000])
def test_no_depth_hides_anything(keeper: Doorkeeper, depth: int) -> None:
    assert not keeper.may_run("select " + "abs(" * depth + "quack_check_token('', '', '')" + ")" * depth)
