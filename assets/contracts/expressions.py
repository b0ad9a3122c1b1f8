"""SQL that a contract may hold: one scalar expression over the columns of one file. Checks it; runs nothing.

A contract is data that a company writes, so its expressions can reach nothing but the row in front of them and the
lookup files that the same contract declares: no tables, no files, no clock, no chance, no functions we do not know.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlglot
from sqlglot import exp

from assets.contracts.contract import ROW, Expression
from assets.errors import BadInput
from assets.statements import FORBIDDEN

_FORBIDDEN: tuple[type[exp.Expr], ...] = (
    *FORBIDDEN, exp.Parameter, exp.Placeholder, exp.Window, exp.UDTF, exp.Columns, exp.Lambda, exp.With, exp.Pivot,
    exp.SetOperation, exp.Values,
)  # fmt: skip

#: Functions sqlglot has no class for and that read nothing but their arguments.
_KNOWN_FUNCTIONS = frozenset({
    "normalised_email", "normalised_name", "normalised_phone", "personnummer", "organisationsnummer", "add_months",
    "contains", "ends_with", "format", "lcase", "list_contains", "list_extract", "ltrim", "nfc_normalize", "prefix",
    "printf", "regexp_full_match", "regexp_matches", "rtrim", "split_part", "string_split", "strip_accents", "suffix",
    "try_strptime", "ucase",
})  # fmt: skip


def checked_expression(text: str, where: str, lookups: Collection[str] = ()) -> Expression:
    """`text` as one scalar expression over a row and the declared `lookups`.

    Args:
        text: the SQL of a `transformLogic` or `rowFilter`.
        where: the contract and column it stands in, for the message.
        lookups: names of the contract's lookup files.

    Raises:
        BadInput: not one scalar expression, or one that reaches further than its row and lookups.
    """
    tree = _parsed(text, where)
    for node in tree.walk():
        reason = _objection(node, lookups)
        if reason:
            raise BadInput(f"{where}: the SQL expression {reason}. Use the columns of the file and its lookups alone.")
    return Expression(text.strip(), tuple(_row_columns(tree)), tuple(_lookups_used(tree)))


def _parsed(text: str, where: str) -> exp.Expr:
    try:
        trees = [tree for tree in sqlglot.parse(text, read="duckdb") if tree is not None]
    except sqlglot.errors.SqlglotError:
        raise BadInput(f"{where}: the SQL expression does not parse as DuckDB SQL.") from None
    if len(trees) != 1:
        raise BadInput(f"{where}: the SQL expression must be exactly one expression.")
    tree = trees[0]
    if isinstance(tree, (exp.Query, exp.Alias, exp.Aliases, exp.Star, exp.Tuple)) and not isinstance(
        tree, exp.Subquery
    ):
        raise BadInput(f"{where}: the SQL must be a scalar expression, not a statement or a list.")
    return tree


def _objection(node: exp.Expr, lookups: Collection[str]) -> str | None:
    """Why `node` may not stand in a contract, or None."""
    if isinstance(node, _FORBIDDEN):
        return f"uses {node.key.upper()}"
    if isinstance(node, exp.Anonymous) and node.name.lower() not in _KNOWN_FUNCTIONS:
        return f"calls the function {node.name.lower()}, which contracts may not use"
    if isinstance(node, exp.Table):
        plain = isinstance(node.this, exp.Identifier) and not node.db and not node.catalog
        return None if plain and node.name in lookups else "reads a table that is not a lookup of this contract"
    if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
        return "uses *"
    if isinstance(node, exp.AggFunc) and node.find_ancestor(exp.Select) is None:
        return "aggregates over rows"
    if isinstance(node, exp.Select) and not isinstance(node.parent, (exp.Subquery, exp.Exists, exp.In)):
        return "holds a statement"
    return None


def _row_columns(tree: exp.Expr) -> list[str]:
    """The row's own columns: `this.x` anywhere, and plain `x` outside subqueries."""
    found = []
    for column in tree.find_all(exp.Column):
        inside = column.find_ancestor(exp.Select) is not None
        if column.table == ROW or (not column.table and not inside):
            found.append(column.name)
    return sorted(set(found))


def _lookups_used(tree: exp.Expr) -> list[str]:
    return sorted({table.name for table in tree.find_all(exp.Table)})
