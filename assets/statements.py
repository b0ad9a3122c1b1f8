"""What a policy's own SQL may be: one SELECT over the tables that the rules read. Checks text; runs nothing.

A policy folder is data that somebody wrote, so its purposes reach neither files, nor settings, nor the network, nor
any table but those of the evaluation, and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import sqlglot
from sqlglot import exp

from assets.errors import BadInput
from assets.reaching import REACHING

#: The schemas that a purpose may read.
READABLE = frozenset({"core", "triggers", "policy", "raw", "retention"})

#: What neither a purpose nor a contract's expression may hold: it changes something, reads files, or differs each time.
FORBIDDEN: tuple[type[exp.Expr], ...] = (
    exp.DDL, exp.DML, exp.Command, exp.Set, exp.Pragma, exp.Attach, exp.Detach, exp.Copy, exp.Use, exp.Into,
    exp.ReadCSV, exp.ReadParquet, exp.SessionParameter, exp.Rand, exp.Uuid, exp.CurrentDate, exp.CurrentTime,
    exp.CurrentTimestamp, exp.CurrentDatetime, exp.CurrentUser,
)  # fmt: skip
#: Functions that reach further than their arguments.
_REACHING = REACHING | {
    "glob", "nextval", "now", "random", "read_blob", "read_json", "read_json_auto", "read_ndjson", "read_text",
    "read_xlsx", "set_seed", "setseed", "sniff_csv", "sql_auto_complete", "today", "version",
}  # fmt: skip


def check_select(path: Path) -> None:
    """See that a file is one SELECT over the tables of the evaluation.

    Raises:
        BadInput: it is not; the message names the file and what it may not do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{path} cannot be read as a text in UTF-8.") from None
    objection = _objection_to(text)
    if objection:
        raise BadInput(f"{path}: {objection}. A purpose is one SELECT over {', '.join(sorted(READABLE))}.")


@lru_cache(maxsize=1_000)
def _objection_to(text: str) -> str | None:
    try:
        trees = [tree for tree in sqlglot.parse(text, read="duckdb") if tree is not None]
    except (sqlglot.errors.SqlglotError, RecursionError):
        return "it does not parse as DuckDB SQL"
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return "it is not one SELECT"
    return next(_objections(trees[0]), None)


def _objections(tree: exp.Expr) -> Iterator[str]:
    named = {each.alias for each in tree.find_all(exp.CTE)}
    for node in tree.walk():
        if isinstance(node, FORBIDDEN):
            yield f"it uses {node.key.upper()}"
        elif isinstance(node, exp.Anonymous) and node.name.lower() in _REACHING:
            yield f"it calls {node.name.lower()}"
        elif isinstance(node, exp.Table):
            if not isinstance(node.this, exp.Identifier):
                yield "it reads from a function, not from a table"
            elif node.catalog or (node.db not in READABLE and not (not node.db and node.name in named)):
                yield "it reads a table that is none of the evaluation's"
