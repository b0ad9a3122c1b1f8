"""Where the columns of a SELECT come from, traced through other SELECTs to tables that none makes, and how masked.

Reads SQL alone: which tables there are, and which columns could name somebody, others say. What cannot be traced
raises: the tracer does not guess. So does what takes a column by anything but its name: a whole row, a place, a
pattern, a list of other names.

A value passes masked when, on its way, it stands inside
- `pseudonym(…)`: a keyed hash; `count(…)`, which is no value, while a sum of one row is that row's; the year alone;
- a condition (`x is not null`, the `when` of a `case`): only whether it holds comes through;
- a `case` that lets through closed values alone: `when x in ('a', 'b') then x`, or words and short codes as a form;
- a group that enough different people share: at least `$smallest_group`, or a number that is no smaller than the
  tracer was told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from assets.errors import CheckFailed

#: How the tables of the published file are called (`published.*` while it is written).
ANALYTICS = "analytics"

#: A form that a few words alone have, or codes too short for a name: `open|closed`, `(?:late|[A-Z]{3})`.
_WORD = r"(?:[A-Za-z0-9_-]+|\[A-Z\](?:\{[1-3](?:,[1-3])?\})?)"
_CLOSED_FORM = re.compile(rf"{_WORD}(?:\|{_WORD})*|\((?:\?:)?{_WORD}(?:\|{_WORD})*\)")


class LineageUnknown(CheckFailed):
    """A column cannot be traced, so nobody can say that it names no one."""


@dataclass(frozen=True, order=True)
class Origin:
    """A column that a published one is made of. `masking` says how it was masked on the way; empty: it was not."""

    table: str
    column: str
    masking: str = ""


class Lineage:
    """The tables that are made by SELECTs, and where their columns come from."""

    def __init__(self, statements: Mapping[str, str], smallest_group: int | None = None) -> None:
        """Trace through `statements` (table name to SELECT); every other table is where a trace ends.

        Args:
            statements: the SELECTs by the tables that they make.
            smallest_group: how many people a SELECT has to ask of a group, where it says a number, for what they share
                to be masked; None: no number is enough.
        """
        self._statements = statements
        self._smallest_group = smallest_group
        self._scopes: dict[str, Scope] = {}
        self._found: dict[tuple[str, str], frozenset[Origin]] = {}

    def columns(self, table: str) -> list[str]:
        """The columns of a table that is made by a SELECT."""
        return [name for name, _ in self._outputs(self._scope(table), table)]

    def origins(self, table: str, column: str) -> frozenset[Origin]:
        """Where a column comes from, to the tables that no SELECT makes.

        Raises:
            LineageUnknown: it cannot be traced.
        """
        if table not in self._statements:
            return frozenset({Origin(table, column)})
        if (table, column) not in self._found:
            self._found[table, column] = frozenset()  # a table that reads itself adds nothing of its own
            self._found[table, column] = frozenset(self._of_scope(self._scope(table), column, table))
        return self._found[table, column]

    def _scope(self, table: str) -> Scope:
        if table not in self._scopes:
            scope = _parsed(self._statements[table])
            if scope is None:
                raise LineageUnknown(f"{table} is not made by a SELECT: its columns cannot be traced.")
            self._scopes[table] = scope
        return self._scopes[table]

    def _of_scope(self, scope: Scope, column: str, table: str, member: str = "") -> Iterator[Origin]:
        """A column of one SELECT, or of every arm of a UNION, by its place; `member` is the struct's part of it."""
        names = [name for name, _ in self._outputs(scope, table)]
        if column not in names:
            raise LineageUnknown(f"{table}: there is no column {column} in a SELECT that is said to have it.")
        yield from self._at(scope, names.index(column), table, member)

    def _outputs(self, scope: Scope, table: str) -> list[tuple[str, exp.Expr]]:
        """The columns that a SELECT gives, each with what makes it; `x.*` as the columns of `x`."""
        if scope.set_operation_scopes:
            return self._outputs(scope.set_operation_scopes[0], table)
        found: list[tuple[str, exp.Expr]] = []
        for projection in scope.expression.selects:  # type: ignore[attr-defined]
            if not projection.is_star:
                found.append((projection.alias_or_name, projection))
                continue
            aliases = [projection.table] if isinstance(projection, exp.Column) else list(scope.sources)
            for alias in aliases:
                found += [(name, exp.column(name, table=alias)) for name in self._of_source(scope, alias, table)]
        return found

    def _of_source(self, scope: Scope, alias: str, table: str) -> list[str]:
        source = scope.sources.get(alias)
        if isinstance(source, Scope):
            return [name for name, _ in self._outputs(source, table)]
        if isinstance(source, exp.Table) and _table_name(source) in self._statements:
            return self.columns(_table_name(source))
        raise LineageUnknown(f"{table}: {alias}.* cannot be traced: name the columns.")

    def _at(self, scope: Scope, place: int, table: str, member: str) -> Iterator[Origin]:
        if scope.set_operation_scopes:
            for arm in scope.set_operation_scopes:
                yield from self._at(arm, place, table, member)
            return
        projection = self._outputs(scope, table)[place][1]
        if projection.find(exp.Subquery, exp.Select):
            raise LineageUnknown(f"{table}: {projection.sql('duckdb')[:60]} cannot be traced: join instead.")
        shared = _is_shared(scope, projection, self._smallest_group)
        for reference in projection.find_all(exp.Column):
            if _is_other_member(reference, member):
                continue
            masking = shared or _masking(reference)
            for origin in self._of_reference(scope, reference, table, member):
                yield replace(origin, masking=origin.masking or masking)

    def _of_reference(self, scope: Scope, reference: exp.Column, table: str, member: str) -> Iterator[Origin]:
        if not reference.table and _is_variable(reference):
            return
        if not reference.table and reference.name in scope.sources:
            raise LineageUnknown(f"{table}: {reference.name} is a whole row: name the columns.")
        alias, column = reference.table, reference.name
        if reference.args.get("db"):  # alias.column.member
            alias, column, member = reference.args["db"].name, reference.table, reference.name
        if not alias and len(scope.sources) == 1:
            alias = next(iter(scope.sources))
        source = scope.sources.get(alias)
        if isinstance(source, Scope):
            yield from self._of_scope(source, column, table, member)
        elif isinstance(source, exp.Table):
            yield from self.origins(_table_name(source), column)
        else:
            raise LineageUnknown(f"{table}: {reference.sql('duckdb')} does not say which source it is of.")


@cache
def _parsed(statement: str) -> Scope | None:
    tree = sqlglot.parse_one(statement, read="duckdb")
    for name in tree.find_all(exp.Identifier):  # DuckDB takes NAME, name and "Name" for the same
        name.set("this", name.name.lower())
    unnamed = next((node for node in tree.walk() if _is_unnamed(node)), None)
    if unnamed is not None:
        raise LineageUnknown(f"{unnamed.sql('duckdb')[:60]} cannot be traced: call each column by its own name.")
    return build_scope(tree)


def _is_unnamed(node: exp.Expr) -> bool:
    """Whether columns are taken by a pattern or a place, or get their names from a list or by a UNION."""
    return (
        isinstance(node, exp.Columns | exp.PositionalColumn)
        or (isinstance(node, exp.UDTF) and isinstance(node.parent, exp.From | exp.Join))
        or (isinstance(node, exp.TableAlias) and bool(node.columns))
        or (isinstance(node, exp.SetOperation) and bool(node.args.get("by_name")))
    )


def _is_variable(reference: exp.Column) -> bool:
    """Whether a name is a lambda's own variable."""
    return any(
        reference.name in {variable.name for variable in parent.expressions}
        for parent in _ancestors(reference)
        if isinstance(parent, exp.Lambda)
    )


def _is_other_member(reference: exp.Column, member: str) -> bool:
    """Whether a reference makes another member of a struct than the one that is asked for."""
    if not member:
        return False
    made = next((parent for parent in _ancestors(reference) if isinstance(parent, exp.PropertyEQ)), None)
    return made is not None and made.name != member


def _table_name(table: exp.Table) -> str:
    if table.catalog != "published":
        return f"{table.db}.{table.name}"
    return f"{ANALYTICS}.{table.name}" if table.db == "main" else f"{ANALYTICS}.{table.db}.{table.name}"


# -- maskings ------------------------------------------------------------------------------------------------------


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    parent = node.parent
    while parent is not None and not isinstance(parent, exp.Select):
        yield parent
        parent = parent.parent


def _masking(reference: exp.Column) -> str:
    """How a column is masked inside the expression that makes a published one; empty: not at all."""
    child: exp.Expr = reference
    for parent in _ancestors(reference):
        found = next((name for name, masks in _MASKINGS.items() if masks(parent, child, reference)), "")
        if found:
            return found
        child = parent
    return ""


def _is_year(parent: exp.Expr, *_: exp.Expr) -> bool:
    unit = parent.args.get("unit") or (parent.this if isinstance(parent, exp.Extract) else None)
    return isinstance(parent, exp.Year) or (
        isinstance(parent, exp.DateTrunc | exp.TimestampTrunc | exp.Extract) and unit is not None
        and unit.name.lower() == "year"
    )  # fmt: skip


def _is_condition(parent: exp.Expr, child: exp.Expr, _: exp.Expr) -> bool:
    if isinstance(parent, exp.Filter):
        return child is not parent.this
    if isinstance(parent, exp.If):
        return child is parent.this
    return isinstance(parent, exp.Predicate) and not isinstance(parent, exp.SubqueryPredicate)


def _is_closed(parent: exp.Expr, child: exp.Expr, reference: exp.Expr) -> bool:
    """`case when x in (…) then x`: what comes through is one of our own words."""
    if not isinstance(parent, exp.If) or child is not parent.args.get("true"):
        return False
    return _closes(parent.this, reference)


def _closes(condition: exp.Expr, reference: exp.Expr) -> bool:
    """Whether a condition holds for closed values of `reference` alone."""
    match condition:
        case exp.Paren():
            return _closes(condition.this, reference)
        case exp.Or():
            return _closes(condition.left, reference) and _closes(condition.right, reference)
        case exp.And():
            return _closes(condition.left, reference) or _closes(condition.right, reference)
        case exp.Is():
            return condition.this == reference and isinstance(condition.expression, exp.Null)
        case exp.In():
            words = condition.expressions
            return condition.this == reference and bool(words) and all(isinstance(word, exp.Literal) for word in words)
        case exp.RegexpFullMatch():
            return _fixes_form(condition, reference)
    return False


def _fixes_form(call: exp.Expr, reference: exp.Expr) -> bool:
    """`regexp_full_match(x, '[A-Z]{3}')`: a form of words and short codes, without options that would widen it."""
    if call.this != reference or call.args.get("options"):
        return False
    pattern = call.args["expression"]
    return isinstance(pattern, exp.Literal) and _CLOSED_FORM.fullmatch(pattern.name) is not None


_MASKINGS: dict[str, Callable[[exp.Expr, exp.Expr, exp.Expr], bool]] = {
    "pseudonym": lambda parent, *_: isinstance(parent, exp.Anonymous) and parent.name.lower() == "pseudonym",
    "count": lambda parent, *_: isinstance(parent, exp.Count),
    "year": _is_year,
    "condition": _is_condition,
    "closed values": _is_closed,
}


def _is_shared(scope: Scope, projection: exp.Expr, smallest_group: int | None) -> str:
    """Whether a projection is the same for a whole group, of a SELECT whose groups hold enough different people."""
    group, having = scope.expression.args.get("group"), scope.expression.args.get("having")
    if group is None or having is None or not _is_of_group(projection.unalias(), group.expressions):
        return ""
    conditions = having.this.flatten() if isinstance(having.this, exp.And) else [having.this]
    return "shared by many" if any(_counts_enough(condition, smallest_group) for condition in conditions) else ""


def _is_of_group(value: exp.Expr, keys: list[exp.Expr]) -> bool:
    """A key of the group, or the one value that a group by its keyed hash has: `min(x)` in `group by x_key`."""
    if value in keys:
        return True
    column = value.this if isinstance(value, exp.Min | exp.Max) else None
    return isinstance(column, exp.Column) and any(
        isinstance(key, exp.Column) and (key.table, key.name) == (column.table, f"{column.name}_key") for key in keys
    )


def _counts_enough(condition: exp.Expr, smallest_group: int | None) -> bool:
    """`count(distinct …) >= $smallest_group`, or a number that is no smaller."""
    if not isinstance(condition, exp.GTE) or not isinstance(condition.this, exp.Count):
        return False
    bound = condition.expression
    enough = (isinstance(bound, exp.Parameter | exp.Placeholder) and bound.name == "smallest_group") or (
        smallest_group is not None
        and isinstance(bound, exp.Literal)
        and bound.name.isdigit()
        and int(bound.name) >= smallest_group
    )
    return enough and isinstance(condition.this.this, exp.Distinct)
