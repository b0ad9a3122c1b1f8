"""Which periods a purpose's own SQL asks `policy.periods` for, however it joins them. Reads text; runs nothing.

Follows what is asked of the columns `purpose` and `clock` through subqueries, common table expressions, `using`, and
rows of constants. What stands in no constant it does not guess: a clock that a row says is told as None, a purpose
that a row says not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, build_scope

#: A column of something that a SELECT reads: by which name it is read, and the column's.
_Key = tuple[str, str]
#: The words that an expression can be; None: nobody can say.
_Words = frozenset[str] | None
#: Conditions of which one alone need hold are looked at one by one, up to so many.
_MOST = 100


@lru_cache(maxsize=1_000)
def periods_asked(statement: str) -> frozenset[tuple[str, str | None]]:
    """The periods as purpose and clock; None: the clock that a row says. Nothing of what does not parse."""
    try:
        tree = sqlglot.parse_one(statement, read="duckdb")
        for name in tree.find_all(exp.Identifier):
            name.set("this", name.name.lower())
        root = build_scope(tree)
        return frozenset(_asked(root, {}) if root else ())
    except (SqlglotError, RecursionError):  # told by whoever checks what a purpose's SQL is
        return frozenset()


def _asked(scope: Scope, wanted: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str | None]]:
    """What a SELECT asks for, where others ask its columns to be the words in `wanted`."""
    if scope.set_operation_scopes:
        for branch in scope.set_operation_scopes:
            names = zip(_names(scope), _names(branch), strict=False)
            yield from _asked(branch, {inner: wanted[outer] for outer, inner in names if outer in wanted})
        return
    for conditions in _alternatives(_conditions(scope)):
        told = _told(scope, conditions, wanted)
        for alias, source in _read_by(scope).items():
            if isinstance(source, Scope):
                yield from _asked(source, told.of(alias))
            elif _is_periods(source):
                yield from told.periods_of(alias)
    for each in scope.subquery_scopes:
        yield from _asked(each, {})


def _read_by(scope: Scope) -> dict[str, exp.Expr | Scope]:
    return {alias: source for alias, (_, source) in scope.selected_sources.items()}


def _is_periods(source: object) -> bool:
    return isinstance(source, exp.Table) and (source.db, source.name) == ("policy", "periods")


def _names(scope: Scope) -> list[str]:
    return list(scope.outer_columns or _query(scope).named_selects)


def _query(scope: Scope) -> exp.Query:
    return cast(exp.Query, scope.expression)  # or rows of constants, which have what is asked of it too


def _may_have(source: object, column: str) -> bool:
    """Whether a column without its table may be of what is read: of other tables than the periods, no."""
    if isinstance(source, Scope):
        return bool({column, "*"} & set(_names(source)))
    return _is_periods(source)


# -- conditions --------------------------------------------------------------------------------------------------------


def _conditions(scope: Scope) -> list[exp.Expr]:
    """All that must hold of the rows that a SELECT joins; `using` spelled out."""
    found = [scope.expression.args["where"].this] if scope.expression.args.get("where") else []
    read = list(_read_by(scope))
    for join in scope.expression.args.get("joins") or ():
        if join.args.get("on"):
            found.append(join.args["on"])
        using = [each.name for each in join.args.get("using") or ()]
        using += ["purpose", "clock"] if str(join.args.get("method") or "").upper() == "NATURAL" else []
        found += [
            exp.EQ(this=exp.column(name, join.alias_or_name), expression=exp.column(name, other))
            for name in using for other in read if other != join.alias_or_name
        ]  # fmt: skip
    return found


def _alternatives(conditions: Iterable[exp.Expr]) -> list[list[exp.Expr]]:
    """The conditions as lists, of one of which all must hold."""
    found: list[list[exp.Expr]] = [[]]
    for each in conditions:
        found = [[*before, *further] for before, further in product(found, _parted(each))]
        if len(found) > _MOST:
            return [[]]
    return found


def _parted(condition: exp.Expr) -> list[list[exp.Expr]]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return _alternatives([condition.left, condition.right])
    if isinstance(condition, exp.Or):
        return [*_parted(condition.left), *_parted(condition.right)]
    left = condition.this.unnest() if isinstance(condition.this, exp.Expr) else None
    if isinstance(left, exp.Tuple) and isinstance(condition, exp.EQ | exp.In):
        rows = [condition.expression] if isinstance(condition, exp.EQ) else condition.expressions
        return [
            [exp.EQ(this=one, expression=other) for one, other in zip(left.expressions, row.expressions, strict=False)]
            for row in rows if isinstance(row, exp.Tuple)
        ] or [[]]  # fmt: skip
    return [[condition]]


# -- what they tell ----------------------------------------------------------------------------------------------------


@dataclass
class _Told:
    """Which columns of what a SELECT reads are one, and which words they are."""

    scope: Scope
    same: list[set[_Key]] = field(default_factory=list)
    words: dict[_Key, frozenset[str]] = field(default_factory=dict)

    def one_with(self, key: _Key) -> set[_Key]:
        """All columns that are the same as one."""
        return next((each for each in self.same if key in each), {key})

    def join(self, one: _Key, other: _Key) -> None:
        """Say that two columns are the same."""
        both = self.one_with(one) | self.one_with(other)
        self.same = [each for each in self.same if not each & both] + [both]

    def say(self, key: _Key, words: frozenset[str]) -> None:
        """Say which words a column is."""
        self.words[key] = self.words.get(key, words) & words

    def words_of(self, key: _Key) -> _Words:
        """Which words a column is, by all that is the same; None: nobody can say."""
        told = [self.words[each] for each in self.one_with(key) if each in self.words]
        for each in self.one_with(key):
            words = [row[0] for row in self._rows([each])]
            if words and None not in words:
                told.append(frozenset().union(*(word for word in words if word is not None)))
        return frozenset.intersection(*told) if told else None

    def _rows(self, keys: Sequence[_Key]) -> list[tuple[_Words, ...]]:
        """The rows of constants that columns of one source are; none where they are not."""
        source = _read_by(self.scope).get(keys[0][0])
        found = _constants(source, [column for _, column in keys]) if isinstance(source, Scope) else None
        return found or []

    def of(self, alias: str) -> dict[str, frozenset[str]]:
        """The words that are asked of what is read by a name, by column."""
        columns = {column for each in (*self.same, set(self.words)) for name, column in each if name == alias}
        found = {column: self.words_of((alias, column)) for column in columns}
        return {column: words for column, words in found.items() if words is not None}

    def periods_of(self, alias: str) -> set[tuple[str, str | None]]:
        """The periods that are asked for where `policy.periods` is read by a name."""
        purpose, clock = (alias, "purpose"), (alias, "clock")
        purposes, clocks = self.words_of(purpose), self.words_of(clock)
        for first, second in product(self.one_with(purpose), self.one_with(clock)):
            if first[0] == second[0] != alias and (rows := self._rows([first, second])):
                pairs = {pair for one, other in rows for pair in _paired(one, other)}
                return {(one, other) for one, other in pairs if purposes is None or one in purposes
                        if clocks is None or other is None or other in clocks}  # fmt: skip
        return _paired(purposes, clocks)


def _paired(purposes: _Words, clocks: _Words) -> set[tuple[str, str | None]]:
    """Purposes and clocks as pairs; where each of several purposes may have clocks of its own, nobody can say."""
    if purposes is None or clocks is None or (len(purposes) > 1 and len(clocks) > 1):
        return {(purpose, None) for purpose in purposes or ()}
    return set(product(purposes, clocks))


def _told(scope: Scope, conditions: Iterable[exp.Expr], wanted: Mapping[str, frozenset[str]]) -> _Told:
    """What conditions, and what others want of the columns, say of the columns that a SELECT reads."""
    told = _Told(scope)
    for condition in conditions:
        if isinstance(condition, exp.EQ | exp.NullSafeEQ):
            _hear(told, condition.left.unnest(), condition.right.unnest())
            _hear(told, condition.right.unnest(), condition.left.unnest())
        elif isinstance(condition, exp.In) and (words := _all_words(condition.expressions)):
            for key in _keys(scope, condition.this):
                told.say(key, words)
    for column, words in wanted.items():
        for projection in _query(scope).selects:
            if projection.is_star or projection.alias_or_name == column:
                for key in _keys(scope, projection.unalias(), column):
                    told.say(key, words)
    return told


def _hear(told: _Told, one: exp.Expr, other: exp.Expr) -> None:
    """One side of an equality, where it is a column: which words it is, or which column."""
    words = _words(other)
    for key in _keys(told.scope, one):
        if words is not None:
            told.say(key, words)
        for same in _keys(told.scope, other):
            told.join(key, same)


def _keys(scope: Scope, expression: exp.Expr, column: str = "") -> list[_Key]:
    """The columns that an expression is; a star is the `column`."""
    if isinstance(expression, exp.Star) or (isinstance(expression, exp.Column) and expression.is_star):
        name, alias = column, getattr(expression, "table", "")
    elif isinstance(expression, exp.Column):
        name, alias = expression.name, expression.table
    else:
        return []
    read = _read_by(scope)
    if alias:
        return [(alias, name)] if alias in read else []
    return [(each, name) for each, source in read.items() if _may_have(source, name)]


def _words(expression: exp.Expr) -> _Words:
    """The words that an expression without a column of its own can be."""
    expression = expression.unnest()
    if isinstance(expression, exp.Literal) and expression.is_string:
        return frozenset({expression.name})
    if isinstance(expression, exp.Cast):
        return _words(expression.this)
    if isinstance(expression, exp.Case):
        branches = [each.args["true"] for each in expression.args["ifs"]]
        return _all_words([*branches, *filter(None, [expression.args.get("default")])])
    return None


def _all_words(expressions: Iterable[exp.Expr]) -> _Words:
    found = [_words(each) for each in expressions]
    known = [each for each in found if each is not None]
    return frozenset().union(*known) if len(known) == len(found) else None


def _constants(scope: Scope, columns: Sequence[str]) -> list[tuple[_Words, ...]] | None:
    """The rows of a source that stand in the SQL itself, in these columns; None: they do not."""
    names, tree = _names(scope), scope.expression
    if scope.set_operation_scopes:
        if not set(columns) <= set(names):
            return None
        places = [names.index(each) for each in columns]
        parts = [_constants(arm, [_names(arm)[place] for place in places]) for arm in scope.set_operation_scopes]
        known = [part for part in parts if part]
        return [row for part in known for row in part] if len(known) == len(parts) else None
    origin = tree.args["from_"].this if isinstance(tree, exp.Select) and tree.args.get("from_") else tree
    if isinstance(origin, exp.Values) and (origin is tree or tree.is_star) and set(columns) <= set(names):
        rows = [row.expressions for row in origin.expressions]
        if any(len(row) < len(names) for row in rows):
            return None  # the engine refuses it, with a sentence of its own
        return [tuple(_words(row[names.index(each)]) for each in columns) for row in rows]
    if not isinstance(tree, exp.Select):
        return None
    return _chosen(scope, columns)


def _chosen(scope: Scope, columns: Sequence[str]) -> list[tuple[_Words, ...]] | None:
    """The same of a plain SELECT: constants of its own, or columns of one that reads nothing else."""
    names, chosen = _names(scope), _query(scope).selects
    if scope.expression.is_star:
        inner = list(columns)
    elif set(columns) <= set(names):
        picked = [chosen[names.index(each)].unalias() for each in columns]
        if not any(isinstance(each, exp.Column) for each in picked):
            return [tuple(_words(each) for each in picked)]
        inner = [each.name for each in picked if isinstance(each, exp.Column)]
        if len(inner) < len(picked):
            return None
    else:
        return None
    read = list(_read_by(scope).values())
    if len(read) != 1 or scope.expression.args.get("where") or not isinstance(read[0], Scope):
        return None
    return _constants(read[0], inner)
