"""Functions that no SQL of somebody else's may call, wherever it stands. Checks nothing itself.

A policy's purposes (`assets.statements`) and a reader's questions (`assets.publication.serving`) add their own; a
contract's expressions (`assets.contracts.expressions`) name what they may call instead.
"""

from __future__ import annotations

#: They run a text as SQL, or tell of the machine, its settings and secrets, and other clients.
REACHING = frozenset({
    "current_setting", "getenv", "getvariable", "json_execute_serialized_sql", "query", "query_table", "which_secret",
    "write_log",
})  # fmt: skip
