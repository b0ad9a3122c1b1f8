"""The order of the test files: those that take longest first, so that no worker is left alone with one at the end.

`make tests` hands files to its workers in this order. Those that wait for a fixture of another file (the tutorial's
sites, a cycled site) stand apart from it. Within a file tests keep their order.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
#: What takes ten seconds and more on idle cores, the longest first.
LONGEST = (
    "browser/test_dagster_ui.py", "docs/test_guides.py", "integration/test_thirty_nights.py", "faults/test_canary.py",
    "cli/test_demo.py", "cli/test_rights.py", "orchestration/test_deploying.py", "integration/test_properties.py",
    "delivery/test_commands.py", "delivery/test_sending.py", "integration/test_tryton.py", "erasure/test_guard.py",
    "cli/test_ui.py", "orchestration/test_running.py", "integration/test_memory.py", "retention/test_incremental.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first. The others stay as they were collected."""
    places = {ROOT / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
