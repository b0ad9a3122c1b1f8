"""The site's run history: Dagster's own, kept from the terminal and from waiting on the disk for every event.

Dagster opens and closes its SQLite files anew for each of a run's many hundred events, and each time waits until
everything is on the disk: on a busy disk that takes longer than the run. Here the files stay open for as long as a run
of ours lasts, and SQLite's write-ahead log is synchronised at its checkpoints. A crash of the process loses nothing;
a power cut can lose the last events of a run, never more, and nothing that is decided rests on them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from sqlalchemy import event
from sqlalchemy.engine import Engine

from assets.site import Site

#: Dagster prints its events from this level on; the history holds them all.
_QUIET = {"python_logs": {"python_log_level": "CRITICAL"}}


@contextmanager
def run_history(site: Site) -> Iterator[DagsterInstance]:
    """The instance of `site` for one run in this process: it prints nothing, and its files stay open."""
    home = InstanceRef.from_dir(str(site.dagster), overrides=_QUIET)
    with _files_kept_open(), DagsterInstance.from_ref(home) as history:
        yield history


@contextmanager
def _files_kept_open() -> Iterator[None]:
    """While the block runs, every SQLite file that SQLAlchemy opens is held open by one more connection of ours."""
    held: dict[str, sqlite3.Connection] = {}

    def hold(connection: Any, _: Any) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        connection.execute("pragma synchronous = normal")
        path = connection.execute("pragma database_list").fetchone()[2]
        if path and path not in held:
            held[path] = sqlite3.connect(path, check_same_thread=False)
        if path:
            held[path].execute("pragma schema_version").fetchall()  # takes part in the log, from when there is one

    event.listen(Engine, "connect", hold)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hold)
        for connection in held.values():
            connection.close()
