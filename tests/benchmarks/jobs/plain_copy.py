"""What rewriting is measured against: `COPY FROM DATABASE`, from an encrypted file to an encrypted file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assets.site import Site
from orchestration.opening import open_warehouse
from orchestration.settings import Settings
from tests.benchmarks.jobs.cycle import cpu_seconds


def run(site: str, out: str) -> dict[str, Any]:
    """Copy the whole warehouse; tell how large it is, and what it cost."""
    where = Site(Path(site))
    with open_warehouse(where, Settings.load(where)) as warehouse:
        began = cpu_seconds()
        warehouse.run(f"attach '{out}' as plain (encryption_key 'benchmark')")
        warehouse.run("copy from database warehouse to plain")
        warehouse.run("detach plain")
        seconds = cpu_seconds() - began
    size = Path(out).stat().st_size
    Path(out).unlink()
    return {"bytes": size, "parts": {"work": seconds}}
