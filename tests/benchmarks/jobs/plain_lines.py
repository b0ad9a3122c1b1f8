"""What sealing is measured against: DuckDB writes the sealed items as plain JSON Lines, unhashed, unsorted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assets.site import Site
from orchestration.opening import open_warehouse
from orchestration.settings import Settings
from tests.benchmarks.jobs.cycle import cpu_seconds


def run(site: str, out: str) -> dict[str, Any]:
    """Write every item of the ledger; tell how many, and what it cost."""
    where = Site(Path(site))
    with open_warehouse(where, Settings.load(where)) as warehouse:
        began = cpu_seconds()
        rows = warehouse.value(
            "copy (select item_id, record_type, record_key, action, fields, because, kept, respond_by "
            "from manifest.items) to $out (format json)",
            {"out": out},
        )
        seconds = cpu_seconds() - began
    Path(out).unlink()
    return {"rows": rows, "parts": {"work": seconds}}
