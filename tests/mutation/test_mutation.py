"""What `python -m tests.mutation` rests on: changes are other statements, and a day notices one that matters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.policy import Policy
from tests.mutation.changes import changes, parsed, written
from tests.mutation.holding import Day, Evaluation, first, notices, restore

ROOT = Path(__file__).resolve().parents[2]
EVALUATION = Evaluation(Policy.load())
QUOTES = ROOT / "sql" / "purposes" / "quote_open.sql"


@pytest.fixture(scope="module")
def days() -> Iterator[list[Day]]:
    model = EVALUATION.model(QUOTES)
    found = first(EVALUATION.of_scenarios([ROOT / "tests" / "scenarios" / "quote_open.yaml"], model.table), 2)
    yield found
    for day in found:
        day.warehouse.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("select 1 from a where a.b <= a.c", {"lte becomes lt: a.b <= a.c", "where is left out: WHERE a.b <= a.c",
                                              "1 becomes one more: SELECT 1 FROM a WHERE a.b <= a.c"}),
        ("select a.b from a where a.b = 'x' and not a.c",
         {"the left of and alone: a.b = 'x' AND NOT a.c", "the right of and alone: a.b = 'x' AND NOT a.c",
          "not is left out: NOT a.c", "an equality always holds: a.b = 'x'", "'x' becomes another word: a.b = 'x'",
          "where is left out: WHERE a.b = 'x' AND NOT a.c"}),
        ("select greatest(a.b, a.c) from a", {"argument 1 of greatest is left out: GREATEST(a.b, a.c)",
                                              "argument 2 of greatest is left out: GREATEST(a.b, a.c)"}),
        ("select add_months(max(a.b), a.c) from a", {"max becomes min: MAX(a.b)"}),
        ("select case when a.b then a.c else a.d end from a",
         {"when 1 is left out: CASE WHEN a.b THEN a.c ELSE a.d END",
          "else is left out: CASE WHEN a.b THEN a.c ELSE a.d END"}),
        ("select a.b from a left join c on a.b = c.b",
         {"left join becomes inner: LEFT JOIN c ON a.b = c.b", "an equality always holds: a.b = c.b"}),
    ],
)  # fmt: skip
def test_every_change_is_told_once_and_is_another_statement(statement: str, said: set[str]) -> None:
    found = changes(statement)
    assert {change.said for change in found} == said
    assert len({change.statement for change in found} | {written(parsed(statement))}) == len(found) + 1
    assert all("as_written_" not in change.statement for change in found)


def test_a_change_that_matters_is_noticed_and_taken_back(days: list[Day]) -> None:
    model = EVALUATION.model(QUOTES)
    after = EVALUATION.after(model)
    assert after[0].table == "purposes.quote_open"
    assert after[-1].table == "retention.dispositions"
    was = model.statement
    assert notices(days, model, after, written(parsed(was))) is None
    never = next(each for each in changes(was) if each.said.startswith("'requested' becomes another word"))
    assert notices(days, model, after, never.statement) is not None
    assert notices(days, model, after, "select no_such_column from core.quotes") is not None, "an error is noticed"
    assert model.statement == was
    restore(days, after)
    assert all(day.is_as_before() for day in days)


def test_a_table_that_decides_nothing_is_refused() -> None:
    with pytest.raises(KeyError):
        EVALUATION.model(ROOT / "sql" / "retention" / "findings.sql")
