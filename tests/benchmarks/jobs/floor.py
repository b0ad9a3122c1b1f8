"""F: DuckDB parses and casts every column of every export and keeps nothing. What everything is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assets.contracts.declarations import canonical
from assets.warehouse import Warehouse, identifier
from tests.benchmarks.jobs.cycle import cpu_seconds

_TYPES = {
    "text": "varchar", "date": "date", "instant": "timestamptz", "decimal": "decimal(18, 4)", "boolean": "boolean",
    "integer": "bigint",
}  # fmt: skip


def run(inbox: str, threads: int | None = None) -> dict[str, Any]:
    """Read every CSV file of the inbox."""
    contracts = canonical().values()
    rows = read = 0
    with Warehouse.in_memory(threads=threads) as warehouse:
        began = cpu_seconds()
        for contract in contracts:
            columns = "{" + ", ".join(f"'{column.name}': 'varchar'" for column in contract.columns) + "}"
            counts = ", ".join(
                f"count(try_cast({identifier(column.name)} as {_TYPES[column.type]}))" for column in contract.columns
            )
            for path in sorted(Path(inbox).glob(f"{contract.source}/*/{contract.table}.csv")):
                rows += warehouse.rows(
                    f"select count(*), {counts} from read_csv($path, columns = {columns}, header = true, delim = ',', "
                    "quote = '\"', auto_detect = false)",
                    {"path": str(path)},
                )[0][0]
                read += path.stat().st_size
        work = cpu_seconds() - began
    return {"rows": rows, "bytes": read, "parts": {"work": work}}
