"""SQL that a contract may hold: one scalar expression over the columns of one file. Checks it; runs nothing.

A contract is data that a company writes, so its expressions can reach nothing but the row in front of them and the
lookup files that the same contract declares: no tables, no files, no clock, no chance, no functions we do not know.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlglot
from sqlglot import exp

from assets.contracts.contract import ROW, Expression, folded
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
    return Expression(text.strip(), tuple(_row_columns(tree)), tuple(_lookups_used(tree)), tuple(_looked_up(tree)))


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


def _looked_up(tree: exp.Expr) -> list[tuple[tuple[str, ...], str]]:
    """The columns that subqueries read, each with the lookups that it may be of; plain ones may be the row's too.

    What a subquery makes itself (`x as y`) and what hangs on no lookup is left out.
    """
    if any(alias.args.get("columns") for alias in tree.find_all(exp.TableAlias)):
        return []  # columns are named anew
    found: set[tuple[tuple[str, ...], str]] = set()
    for column in tree.find_all(exp.Column):
        selects = _selects_around(column)
        tables = [table for select in selects for table in _tables_of(select)]
        if column.table:
            of = next((table.name for table in tables if folded(table.alias_or_name) == folded(column.table)), None)
            found |= {((of,), column.name)} if of else set()
        elif tables and not any(_makes(select, column.name) for select in selects):
            found.add(((ROW, *sorted({table.name for table in tables})), column.name))
    return sorted(found)


def _selects_around(node: exp.Expr) -> list[exp.Select]:
    """The SELECTs that a node stands in, the innermost first."""
    found = []
    select = node.find_ancestor(exp.Select)
    while select is not None:
        found.append(select)
        select = select.find_ancestor(exp.Select)
    return found


def _tables_of(select: exp.Select) -> list[exp.Table]:
    return [table for table in select.find_all(exp.Table) if table.find_ancestor(exp.Select) is select]


def _makes(select: exp.Select, name: str) -> bool:
    """Whether a SELECT, or one that it selects from, gives a column of that name itself."""
    return any(folded(alias.alias) == folded(name) for alias in select.find_all(exp.Alias))
