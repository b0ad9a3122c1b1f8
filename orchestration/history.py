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
from dataclasses import dataclass
from typing import Any

from dagster import DagsterEventType, DagsterInstance, RunStatusChangeRecordsFilter
from dagster._core.event_api import RunStatusChangeEventType
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


@dataclass(frozen=True)
class Ended:
    """A run that ended. `place` grows from one ended run to the next."""

    place: int
    run_id: str
    success: bool
    timestamp: float


_ENDINGS: tuple[RunStatusChangeEventType, ...] = (DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE)


def ended_after(instance: DagsterInstance, place: int, most: int) -> list[Ended]:
    """The runs that ended after `place`, the earliest first: from the web UI, the daemon and the command line alike.

    At most `most`. Runs that a person cancelled are not among them.
    """
    found = [
        Ended(record.storage_id, record.run_id, kind == DagsterEventType.RUN_SUCCESS, record.timestamp)
        for kind in _ENDINGS
        for record in instance.fetch_run_status_changes(
            RunStatusChangeRecordsFilter(kind, after_storage_id=place), most, ascending=True
        ).records
    ]
    return sorted(found, key=lambda each: each.place)[:most]


def last_ended(instance: DagsterInstance) -> int:
    """The place of the run that ended last; 0 before the first."""
    newest = [instance.fetch_run_status_changes(kind, 1).records for kind in _ENDINGS]
    return max((records[0].storage_id for records in newest if records), default=0)
