"""What a client of the served copy may run: SELECT over the published tables, and nothing that reaches further.

Judges the syntax tree that DuckDB itself makes of a statement; serves and opens nothing. What is not known to be
harmless is refused: a function that gives rows has to be on a list, because those of extensions can do anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assets.reaching import REACHING
from assets.warehouse import StatementParser

#: Functions that give rows and tell of nothing but the published file, or of their arguments.
HARMLESS = frozenset({
    "duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_functions", "duckdb_schemas", "duckdb_tables",
    "duckdb_types", "duckdb_views", "generate_series", "generate_subscripts", "histogram", "histogram_values",
    "pragma_show", "pragma_table_info", "pragma_version", "range", "unnest",
})  # fmt: skip


class Doorkeeper:
    """Says of each statement whether a client may run it."""

    def __init__(self, questions: frozenset[str]) -> None:
        """`questions`: the table macros that the published file brings."""
        self._rows_of = HARMLESS | questions
        self._parser = StatementParser()

    def may_run(self, sql: str) -> bool:
        """Whether `sql` is SELECT statements alone, and calls nothing that reaches further."""
        tree = self._parser.select_tree(sql)
        if not tree:
            return False
        table_functions = {_name(node["function"]) for node in _nodes(tree) if node.get("type") == "TABLE_FUNCTION"}
        functions = {_name(node) for node in _nodes(tree) if "function_name" in node}
        return table_functions <= self._rows_of and not any(_reaches(name) for name in functions)


def _reaches(name: str) -> bool:
    return name in REACHING or name.startswith("quack_")


def _name(function: dict[str, Any]) -> str:
    return str(function.get("function_name", "?")).lower()


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value; not recursive, so that no depth breaks it."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
