"""The evaluation SQL keeps to the portable subset, and the lint that says so sees what it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conventions.portable_sql import breaches, evaluation_folders, main

HEADER = "-- A table of the tests.\n"

GOOD = [
    "select o.order_id, add_months(o.closed_on, p.months) + p.days as keep_until from core.orders as o "
    "join policy.periods as p on p.purpose = 'newsletter'",
    "select customer_id, cast(count(*) as integer) as orders from core.orders group by customer_id",
    "select list_sort(list(distinct purpose)) as purposes from retention.claims where is_active",
    "select list_sort(list(purpose) filter (where is_active)) as purposes from retention.claims",
    "select cast(row_number() over (partition by person_id order by starts_on, row_id) as integer) as n from a.b",
    "select make_date(year(issued_on), 12, 31) as year_end, last_day(issued_on) as month_end from core.invoices",
    "select row_id from core.orders as o where not exists (select 1 from core.people as p where p.row_id = o.row_id)",
    "with steps as (select 1 as n union all select 2) select n from steps where n <= $as_of",
    "select sum(amount) over (partition by invoice order by on_day, row_id rows unbounded preceding) as paid from a.b",
    "select coalesce(max(case when kind = 'objection' then received_on end), date '1900-01-01') as d from a.b",
    "select case when regexp_matches(x, '^[0-9]+$') then 1 else 0 end as digits from core.words",
    "select greatest(a, b) as later, least(a, b) as sooner from core.words where a between b and c or a in (1, 2)",
]

BAD = {
    "select d + interval 1 year from t": "interval",
    "select d + interval '30 days' from t": "interval",
    "select * exclude (name) from t": "exclude",
    "select list_transform(x, y -> y + 1) from t": "lambda",
    "select unnest(x) from t": "unnesting",
    "select u.x from t cross join unnest(t.xs) as u(x)": "unnesting",
    "select * from t pivot (sum(amount) for year in (2024, 2025))": "pivot",
    "select * from t asof join u on t.a >= u.a": "asof",
    "select * from t join u using (a)": "using",
    "select * from t natural join u": "natural",
    "select * from t anti join u on t.a = u.a": "not exists",
    "select * from t where a not in (select a from u)": "not exists",
    "select a, row_number() over (order by a) as n from t qualify n = 1": "qualify",
    "select sum(x) over (order by d range between 1 preceding and current row) from t": "range frame",
    "select now()": "`now`",
    "select current_date": "clock",
    "select current_timestamp": "clock",
    "select today()": "clock",
    "select any_value(a) from t": "chance",
    "select first(a) from t": "chance",
    "select last(a) from t": "chance",
    "select arg_max(a, b) from t": "chance",
    "select max_by(a, b) from t": "chance",
    "select random() from t": "chance",
    "select first_value(a) over (order by b) from t": "chance",
    "select list(a) from t": "list_sort",
    "select list(a order by a) from t": "list_sort",
    "select list_sort(list(a order by b)) from t": "list_sort",
    "select array_agg(a) from t": "list_sort",
    "select string_agg(a, ',') from t": "glued",
    "select a / 2 from t": "division",
    "select a // 2 from t": "division",
    "select cast(a as double) from t": "float",
    "select cast(a as real) from t": "float",
    "select 1e3 as a": "float",
    "select date_diff('day', a, b) from t": "date arithmetic",
    "select datediff('day', a, b) from t": "date arithmetic",
    "select dayofweek(a) from t": "date arithmetic",
    "select isodow(a) from t": "",
    "select hash(a) from t": "",
    "select regexp_matches(a, '\\d+') from t": "[0-9]",
    "select cast(row_number() over (partition by a) as integer) from t": "total order",
    "select row_number() over (order by a) as n from t": "cast",
    "select count(*) as n from t": "cast",
    "select count(*) filter (where a) as n from t": "cast",
    "select a, cast(count(*) as integer) from t group by all": "group by all",
    "select a from t order by all": "order by all",
    "select distinct on (a) a, b from t": "distinct on",
    "select a from t union all by name select a from u": "by name",
    "select strptime(a, '%Y') from t where normalised_name(a) = 'x'": "normalised_name",
    "create table t as select 1 as a": "one SELECT",
    "select 1 as a; select 2 as a": "one SELECT",
    "delete from t": "one SELECT",
    "select from from": "sqlglot cannot read it",
}


@pytest.mark.parametrize("sql", GOOD)
def test_portable_sql_is_let_through(sql: str) -> None:
    assert breaches(Path("good.sql"), HEADER + sql) == []


@pytest.mark.parametrize(("sql", "reason"), BAD.items())
def test_a_construct_that_differs_elsewhere_is_refused(sql: str, reason: str) -> None:
    found = breaches(Path("bad.sql"), HEADER + sql)
    assert any(reason in breach.message for breach in found), [str(breach) for breach in found]


def test_a_file_without_a_header_comment_is_refused() -> None:
    assert ["header" in breach.message for breach in breaches(Path("bare.sql"), "select 1 as a")] == [True]


def test_a_breach_names_its_file_and_line() -> None:
    (breach,) = breaches(Path("purposes/newsletter.sql"), HEADER + "select\n    a,\n    hash(b) as h\nfrom t")
    assert str(breach).startswith("purposes/newsletter.sql:4: ")


def test_the_command_fails_on_a_breach_and_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.sql").write_text(HEADER + "select 1 as a")
    assert main([str(tmp_path)]) == 0
    (tmp_path / "bad.sql").write_text(HEADER + "select now() as a")
    assert main([str(tmp_path)]) == 1
    assert "bad.sql:" in capsys.readouterr().out


@pytest.mark.parametrize("folder", evaluation_folders(), ids=lambda folder: folder.name)
def test_the_evaluation_is_portable(folder: Path) -> None:
    assert [str(breach) for file in sorted(folder.rglob("*.sql")) for breach in breaches(file)] == []
