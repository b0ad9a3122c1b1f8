"""The portable SQL lint: what the evaluation may say, so that it runs unchanged on DuckDB and, transpiled, on Spark.

Each rule forbids a construct that was seen to fail or, worse, to give silently other rows on another engine. What a
formatter can see (case, commas, line length) is sqlfluff's. Run it with
`python -m tests.conventions.portable_sql [FILES or FOLDERS]`; without any, all of the evaluation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError, UnsupportedError

SQL = Path(__file__).resolve().parents[2] / "sql"

#: Folders below `sql/` that evaluate nothing and run on DuckDB alone: what is published and answered, the audits that
#: look for bad rows, the manifests' later life. A new folder is portable until it is named here.
DUCKDB_ALONE = frozenset({"analytics", "audits", "delivery", "erasure", "rights"})

#: Functions that sqlglot does not know and that mean the same on both engines.
SAME_ELSEWHERE = frozenset({"add_months"})

FLOATS = (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)


@dataclass(frozen=True)
class Breach:
    """One construct that a file may not hold."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        """As editors and terminals read it."""
        return f"{self.path}:{self.line}: {self.message}"


Found = Iterator[tuple[exp.Expression, str]]


def _any_of(message: str, *kinds: type[exp.Expression]) -> Callable[[exp.Expression], Found]:
    """A rule that refuses every node of the given kinds."""
    return lambda tree: ((node, message) for node in tree.find_all(*kinds))


def _stars(tree: exp.Expression) -> Found:
    for star in tree.find_all(exp.Star):
        if any(star.args.get(part) for part in ("except_", "except", "replace", "rename")):
            yield star, "`* exclude` and its kin: name the columns"


def _joins(tree: exp.Expression) -> Found:
    for join in tree.find_all(exp.Join):
        words = {str(join.args.get(part) or "").upper() for part in ("method", "kind", "side")}
        if join.args.get("using") or "NATURAL" in words:
            yield join, "join with `using` or `natural`: write `on`"
        if words & {"ASOF", "POSITIONAL"}:
            yield join, "an asof or positional join exists on one engine alone"
        if words & {"ANTI", "SEMI"}:
            yield join, "semi and anti joins: write `exists` or `not exists`"
    for negation in tree.find_all(exp.Not):
        if isinstance(negation.this, exp.In) and negation.this.args.get("query"):
            yield negation, "`not in (select …)`: write `not exists`"


def _unions(tree: exp.Expression) -> Found:
    for union in tree.find_all(exp.SetOperation):
        if union.args.get("by_name"):
            yield union, "`by name`: unite by position"


def _groups(tree: exp.Expression) -> Found:
    for group in tree.find_all(exp.Group):
        if group.args.get("all") is not None:
            yield group, "`group by all`: name the columns"
    for order in tree.find_all(exp.Order):
        if any(term.this.sql().lower() == "all" for term in order.expressions if isinstance(term, exp.Ordered)):
            yield order, "`order by all`: name the columns"
    for distinct in tree.find_all(exp.Distinct):
        if distinct.args.get("on"):
            yield distinct, "`distinct on`: number the rows in a total order"


def _frames(tree: exp.Expression) -> Found:
    for frame in tree.find_all(exp.WindowSpec):
        if str(frame.args.get("kind")).upper() in ("RANGE", "GROUPS"):
            yield frame, "a range frame: use a rows frame"


def _orders(tree: exp.Expression) -> Found:
    for window in tree.find_all(exp.Window):
        ranks = isinstance(window.this, exp.RowNumber | exp.Rank | exp.DenseRank | exp.Lag | exp.Lead | exp.Ntile)
        if ranks and not window.args.get("order"):
            yield window, "a ranking window needs a total order"


def _lists(tree: exp.Expression) -> Found:
    for made in tree.find_all(exp.ArrayAgg):
        top: exp.Expression = made
        while isinstance(top.parent, exp.Filter | exp.Distinct | exp.Paren):
            top = top.parent
        if made.find(exp.Order) or not isinstance(top.parent, exp.ArraySort):
            yield made, "`list(…)` keeps an order on one engine alone: write `list_sort(list(…))`"


def _counts(tree: exp.Expression) -> Found:
    for select in tree.find_all(exp.Select):
        for column in select.expressions:
            value = column.unalias()
            number = value.this if isinstance(value, exp.Window | exp.Filter) else value
            if isinstance(number, exp.Count | exp.CountIf | exp.RowNumber | exp.Rank | exp.DenseRank):
                yield column, "counts and row numbers have another type elsewhere: cast them"


def _floats(tree: exp.Expression) -> Found:
    for kind in tree.find_all(exp.DataType):
        if kind.this in FLOATS:
            yield kind, "a float: money and counts are decimals and integers"
    for literal in tree.find_all(exp.Literal):
        if not literal.is_string and "e" in literal.name.lower():
            yield literal, "a float literal"


def _patterns(tree: exp.Expression) -> Found:
    for literal in tree.find_all(exp.Literal):
        if literal.is_string and "\\d" in literal.name:
            yield literal, "`\\d` is escaped differently elsewhere: write `[0-9]`"


def _unknown(tree: exp.Expression) -> Found:
    for call in tree.find_all(exp.Anonymous):
        if call.name.lower() not in SAME_ELSEWHERE:
            yield call, f"`{call.name}` is not known to mean the same elsewhere"


def _kinds(*names: str) -> tuple[type[exp.Expression], ...]:
    """The sqlglot node types of these names, those that the pinned version has."""
    return tuple(getattr(exp, name) for name in names if hasattr(exp, name))


RULES: tuple[Callable[[exp.Expression], Found], ...] = (
    _any_of("`interval`: periods are whole months and days, `add_months(d, m) + days`", exp.Interval),
    _any_of("a lambda exists on one engine alone", exp.Lambda),
    _any_of("unnesting: keep one row a fact", *_kinds("Unnest", "Explode", "Lateral", "Posexplode")),
    _any_of("`pivot`: write one case expression a column", exp.Pivot),
    _any_of("`qualify`: number the rows in a step of its own", exp.Qualify),
    _any_of(
        "the clock decides nothing: the day of evaluation is a parameter or a one-row table",
        *_kinds("CurrentDate", "CurrentTimestamp", "CurrentTime", "CurrentDatetime", "Localtime", "Localtimestamp"),
    ),
    _any_of(
        "which row it takes is left to chance: use min, max or a numbered row",
        *_kinds("AnyValue", "First", "Last", "FirstValue", "LastValue", "ArgMax", "ArgMin", "Mode", "Rand", "Uuid"),
    ),
    _any_of("text glued over rows: keep a sorted list", *_kinds("GroupConcat", "StringAgg")),
    _any_of("division: a period or a share is not computed here", *_kinds("Div", "IntDiv", "SafeDivide")),
    _any_of(
        "date arithmetic that differs elsewhere: `add_months`, `+ days`, `make_date`, `last_day`",
        *_kinds("DateDiff", "TimestampDiff", "TsOrDsDiff", "DateAdd", "DateSub", "DayOfWeek", "DayOfWeekIso", "Week"),
    ),
    _stars,
    _joins,
    _unions,
    _groups,
    _frames,
    _orders,
    _lists,
    _counts,
    _floats,
    _patterns,
    _unknown,
)


def evaluation_folders() -> list[Path]:
    """The folders of evaluation SQL: all below `sql/` but those that run on DuckDB alone."""
    return sorted(path for path in SQL.iterdir() if path.is_dir() and path.name not in DUCKDB_ALONE)


def _line(node: exp.Expression) -> int:
    """The line a node begins on, as far as the parser remembers it."""
    return min((part.meta["line"] for part in node.walk() if "line" in part.meta), default=1)


def breaches(path: Path, text: str | None = None) -> list[Breach]:
    """What one SQL file holds that it may not; `text` stands in for the file's content."""
    text = path.read_text(encoding="utf-8") if text is None else text
    found = (
        []
        if text.startswith("--")
        else [Breach(path, 1, "no header comment: say what the table is, its grain and why")]
    )
    try:
        trees = [tree for tree in sqlglot.parse(text, read="duckdb") if tree is not None]
    except SqlglotError as error:
        return [*found, Breach(path, 1, f"sqlglot cannot read it: {str(error).splitlines()[0]}")]
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return [*found, Breach(path, 1, "a file holds one SELECT and nothing else")]
    tree = trees[0]
    found += [Breach(path, _line(node), message) for rule in RULES for node, message in rule(tree)]
    try:
        tree.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        found.append(Breach(path, 1, f"not the same in Spark: {error}"))
    return sorted(found, key=lambda breach: (breach.line, breach.message))


def main(arguments: list[str]) -> int:
    """Check the SQL files of the given files and folders; 1 when one of them breaks a rule, else 0."""
    given = [Path(argument) for argument in arguments] or evaluation_folders()
    files = [file for path in given for file in (sorted(path.rglob("*.sql")) if path.is_dir() else [path])]
    found = [breach for file in files for breach in breaches(file)]
    for breach in found:
        print(breach)
    print(
        f"{len(files)} SQL files in the portable subset"
        if not found
        else f"{len(found)} breaches in {len(files)} files"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
