"""The changes of a SELECT: each a mistake that somebody could make, and another statement."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

#: Functions that the parser would write in another way than it read them.
_KEPT = ("add_months", "bit_and", "bit_or", "bool_and", "bool_or", "concat_ws", "date_trunc", "list_sort")
_MARK = "as_written_"
_TURNED = {exp.LT: exp.LTE, exp.LTE: exp.LT, exp.GT: exp.GTE, exp.GTE: exp.GT, exp.Max: exp.Min, exp.Min: exp.Max}
_WORD = re.compile(r"[a-z_]+")

Edit = Callable[[exp.Expr], object]


@dataclass(frozen=True)
class Change:
    """What was changed, in words, and the statement that came of it."""

    said: str
    statement: str


def parsed(statement: str) -> exp.Expr:
    """The tree of a SELECT, in which each function is still called what it was."""
    marked = re.sub(rf"\b({'|'.join(_KEPT)})\(", rf"{_MARK}\1(", statement)
    return sqlglot.parse_one(marked, dialect="duckdb")


def written(tree: exp.Expr) -> str:
    """A tree as SQL."""
    return tree.sql(dialect="duckdb", pretty=True, normalize_functions=False).replace(_MARK, "")


def changes(statement: str) -> list[Change]:
    """Every change of a SELECT, each once, in the order of the tree."""
    tree = parsed(statement)
    found: dict[str, Change] = {}
    for place, node in enumerate(tree.walk()):
        for what, edit in _edits(node):
            copy = tree.copy()
            edit(next(each for at, each in enumerate(copy.walk()) if at == place))
            changed = written(copy)
            if changed != written(tree):
                found.setdefault(changed, Change(f"{what}: {_briefly(node)}", changed))
    return list(found.values())


def _briefly(node: exp.Expr) -> str:
    shown = node if not isinstance(node, exp.Literal) or node.parent is None else node.parent
    return " ".join(written(shown).split())[:120]


def _edits(node: exp.Expr) -> Iterator[tuple[str, Edit]]:
    yield from _of_conditions(node)
    yield from _of_relations(node)
    if isinstance(node, (exp.Greatest, exp.Least, exp.Coalesce)):
        for left_out in range(1 + len(node.expressions)):
            yield f"argument {left_out + 1} of {type(node).key} is left out", _without(left_out)
    if isinstance(node, exp.Case):
        for number in range(len(node.args["ifs"])):
            yield f"when {number + 1} is left out", _without_branch(number)
        if node.args.get("default") is not None:
            yield "else is left out", lambda found: found.set("default", None)
    if isinstance(node, exp.Literal):
        yield from _of_literal(node)


def _of_conditions(node: exp.Expr) -> Iterator[tuple[str, Edit]]:
    kind = type(node)
    if kind in _TURNED:
        turned = _TURNED[kind]
        yield f"{kind.key} becomes {turned.key}", lambda found: found.replace(turned(**_copied(found)))
    if isinstance(node, (exp.And, exp.Or)):
        yield f"the left of {kind.key} alone", lambda found: found.replace(found.this.copy())
        yield f"the right of {kind.key} alone", lambda found: found.replace(found.expression.copy())
    if isinstance(node, exp.Not):
        yield "not is left out", lambda found: found.replace(found.this.copy())
    if isinstance(node, exp.EQ) and node.find_ancestor(exp.Where, exp.Case, exp.Join):
        yield "an equality always holds", lambda found: found.replace(exp.true())


def _of_relations(node: exp.Expr) -> Iterator[tuple[str, Edit]]:
    if isinstance(node, exp.Join) and node.side == "LEFT":
        yield "left join becomes inner", lambda found: (found.set("side", None), found.set("kind", "INNER"))
    if isinstance(node, exp.Union) and node.parent is not None:
        yield "the first of a union alone", lambda found: found.replace(found.this.copy())
        yield "the second of a union alone", lambda found: found.replace(found.expression.copy())
    if isinstance(node, exp.Where):
        yield "where is left out", lambda found: found.pop()


def _of_literal(node: exp.Literal) -> Iterator[tuple[str, Edit]]:
    if not node.is_string and node.this.isdigit():
        yield f"{node.this} becomes one more", lambda found: found.replace(exp.Literal.number(int(found.this) + 1))
    elif node.is_string and _WORD.fullmatch(node.this) and not isinstance(node.parent, exp.Alias):
        yield f"'{node.this}' becomes another word", lambda found: found.replace(exp.Literal.string("another"))


def _copied(node: exp.Expr) -> dict[str, Any]:
    return {name: each.copy() if isinstance(each, exp.Expr) else each for name, each in node.args.items()}


def _without(left_out: int) -> Edit:
    def edit(found: exp.Expr) -> None:
        kept = [each.copy() for at, each in enumerate([found.this, *found.expressions]) if at != left_out]
        found.replace(type(found)(this=kept[0], expressions=kept[1:]) if len(kept) > 1 else kept[0])

    return edit


def _without_branch(number: int) -> Edit:
    def edit(found: exp.Expr) -> None:
        branches = found.args["ifs"]
        if len(branches) > 1:
            branches[number].pop()
        else:
            found.replace(found.args["default"].copy() if found.args.get("default") is not None else exp.null())

    return edit
