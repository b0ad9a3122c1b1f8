"""The order of the test files, and what is other here than outside: DuckDB's settings, garbage, how a history is made.

Those that take longest go first, so that no worker is left alone with one at the end: `make tests` hands files to its
workers in this order. Those that wait for a fixture of another file (the tutorial's sites, a cycled site) stand apart
from it. Within a file tests keep their order.
"""

from __future__ import annotations

import gc
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import cache, wraps
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests  # noqa: F401 - whole, before a second thread begins: one cut short stays without its parts

ROOT = Path(__file__).resolve().parent
#: Files that take ten seconds and more of idle cores, all their tests together, the longest first.
LONGEST = (
    "browser/test_dagster_ui.py", "scenarios/test_scenarios.py", "docs/test_guides.py", "faults/test_canary.py",
    "orchestration/test_running.py", "orchestration/test_jobs.py", "integration/test_twenty_nights.py",
    "oracle/test_agreement.py", "integration/test_properties.py", "erasure/test_erasing.py", "cli/test_demo.py",
    "delivery/test_commands.py", "erasure/test_restoring.py", "cli/test_rights.py", "delivery/test_sending.py",
    "manifests/test_sealing.py", "erasure/test_guard.py", "integration/test_tryton.py",
    "ingest/test_loading.py", "integration/test_memory.py", "retention/test_incremental.py",
    "faults/test_hostile_input.py", "integration/test_trampbolaget.py", "expectations/test_validation.py",
    "orchestration/test_definitions.py", "lifecycle/test_life.py",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Let DuckDB work with one thread where nobody says how many, and take an extension's signature as read.

    A few rows give several threads nothing to do but wait, a quarter of a small evaluation's cost; the workers keep the
    cores busy. What the number of threads could change is tested with several. To check the signature of the extension
    that encrypts takes longer than all else that opening a warehouse takes, each time. Who runs `gallring` in a process
    of its own, as the tutorial and the web UI do, has what the machine has, and checks it.
    """
    connect = duckdb.connect

    def for_tests(
        database: str | Path = ":memory:", read_only: bool = False, config: dict[str, Any] | None = None
    ) -> duckdb.DuckDBPyConnection:
        return connect(database, read_only, {"threads": 1, "allow_unsigned_extensions": True, **(config or {})})

    patched = pytest.MonkeyPatch()
    patched.setattr(duckdb, "connect", for_tests)
    config.add_cleanup(patched.undo)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for garbage once the tests are read, not while: what is read stays, and is looked through each time.

    A third of what reading them costs each worker. What nothing refers to any more is told as ever.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first. The others stay as they were collected."""
    places = {ROOT / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def _verbs_are_read_once() -> Iterator[None]:
    """The command line's verbs with their options, worked out once in this process, and not for each of its calls.

    A command in a process of its own works them out as ever.
    """
    if "orchestration.cli" not in sys.modules:
        yield
        return
    from typer import main

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(main, "get_command", cache(main.get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def _history_is_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The empty files of Dagster's history, made once in this process, and copied for each site.

    Where no test is about sites, nothing of Dagster is imported for it. `tests.orchestration.test_history` makes them
    each time, and so does every process of its own.
    """
    history = sys.modules.get("orchestration.history")
    if history is None:
        yield
        return
    make, template, alone = history._make_files, tmp_path_factory.getbasetemp() / "history-made", threading.Lock()

    @wraps(make)
    def copy(folder: Path) -> None:
        with alone:
            if not template.exists():
                begun = tmp_path_factory.mktemp("history")
                make(begun)
                begun.rename(template)
        shutil.copytree(template, folder, dirs_exist_ok=True)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(history, "_make_files", copy)
        yield
