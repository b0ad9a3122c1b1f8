"""Writes the workload: a sample company's first night, and its next one in full and as a delta."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assets.sample.generating import SAMPLE_DAY, generate, generate_next_night
from assets.sample.generating import telling_cases as cases_of


def run(
    inbox: str, customers: int, percent: float = 0, mode: str = "full", seed: int = 1, cases: bool = False
) -> dict[str, Any]:
    """Write one night's deliveries; `percent` 0 is the first night."""
    if percent:
        written = generate_next_night(
            Path(inbox), customers=customers, seed=seed, percent=percent, mode="full" if mode == "full" else "delta"
        )
    else:
        written = generate(Path(inbox), customers=customers, seed=seed, cases=cases_of() if cases else None)
    rows, read = (sum(getattr(file, what) for file in written) for what in ("rows", "bytes"))
    return {"rows": rows, "bytes": read, "day": str(SAMPLE_DAY)}
