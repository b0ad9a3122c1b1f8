"""What may be missing about anybody, because a delivery blocks: it shrank, is late, never came or was rejected.

A record that such a delivery left out stands in no source, so an answer that keeps silent about it says too little.
Whose records are missing nobody can tell: each answer tells of every table. Tells codes alone, and no detail, for the
report goes to the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assets.warehouse import Warehouse


def incomplete_tables(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The tables that block: source, table (None: nobody knows which), record_type (None: a register), reason."""
    if not warehouse.exists("intake", "blocks"):
        return []
    return warehouse.records(
        'select distinct block.source, block.table_name as "table", described.record_type, block.reason '
        "from intake.blocks as block left join policy.records as described "
        "on block.source = described.source and block.table_name = described.table_name order by all"
    )


def who_may_be_missing(warehouse: Warehouse, record_types: Sequence[str]) -> list[str]:
    """Of such tables those that may have left out a record of the types: by them somebody may be unknown."""
    types = {"types": list(record_types)}
    sources = warehouse.rows(
        "select distinct source from policy.records where list_contains($types, record_type)", types
    )
    return named(
        [
            each for each in incomplete_tables(warehouse)
            if each["record_type"] in record_types or (each["table"] is None and (each["source"],) in sources)
        ]
    )  # fmt: skip


def named(incomplete: Sequence[Mapping[str, Any]]) -> list[str]:
    """Such tables as `source/table: reason`."""
    return [f"{each['source']}{'/' + each['table'] if each['table'] else ''}: {each['reason']}" for each in incomplete]
