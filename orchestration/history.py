"""The site's run history: Dagster's own, kept from the terminal and from waiting on the disk for every event.

Dagster opens and closes its SQLite files anew for each of a run's many hundred events, works its statements out anew,
and each time waits until everything is on the disk: on a busy disk that takes longer than the run. Here the files stay
open for as long as a run of ours lasts, and SQLite's write-ahead log is synchronised at its checkpoints. A crash of
the process loses nothing; a power cut can lose the last events of a run, never more, and nothing that is decided rests
on them. The files are Dagster's in every other way, and the web UI reads them as its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dagster import DagsterEventType, DagsterInstance, RunStatusChangeRecordsFilter
from dagster._core.event_api import RunStatusChangeEventType
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine

from assets.site import Site

#: Dagster prints its events from this level on; the history holds them all.
_QUIET = {"python_logs": {"python_log_level": "CRITICAL"}}
#: How long a statement waits for another process that writes the same file.
_BUSY_SECONDS = 20


@contextmanager
def run_history(site: Site) -> Iterator[DagsterInstance]:
    """The instance of `site` for one run in this process: it prints nothing, and its SQLite files stay open."""
    home = InstanceRef.from_dir(str(site.dagster), overrides=_QUIET)
    stored = home.storage_data
    if stored is not None and stored.class_name == DagsterSqliteStorage.__name__:
        home = home._replace(storage_data=stored._replace(module_name=__name__, class_name=OpenStorage.__name__))
    with DagsterInstance.from_ref(home) as history:
        yield history


def _kept_open(address: str) -> Engine:
    """An engine whose connections, and whose statements once worked out, are kept until it is disposed of."""
    engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", lambda connection, _: connection.execute("pragma synchronous = normal"))
    return engine


class OpenRuns(SqliteRunStorage):
    """The runs, in a file that stays open."""

    _engine: Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        if self._engine is None:
            self._engine = _kept_open(self._conn_string)
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.dispose()
        super().dispose()


class OpenEvents(SqliteEventLogStorage):
    """The events, in a file a run and one for all, which stay open."""

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, Engine] = {}
        self._tables: dict[str, bool] = {}
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard):  # which makes its tables where they are not there
                pass
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = _kept_open(self.conn_string_for_shard(shard))
            with self._engines[shard].begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the file of all runs has a table; Dagster asks with every event, and no run adds one."""
        if table_name not in self._tables:
            self._tables[table_name] = super().has_table(table_name)
        return self._tables[table_name]

    def dispose(self) -> None:
        """Close the files."""
        for engine in self._engines.values():
            engine.dispose()
        super().dispose()


class OpenStorage(DagsterSqliteStorage):
    """Dagster's SQLite files, of which those that a run writes stay open."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data)
        runs, events = self._run_storage, self._event_log_storage
        self._run_storage = OpenRuns(runs._conn_string)
        self._event_log_storage = OpenEvents(events._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> OpenStorage:
        """As Dagster makes it from the site's `dagster.yaml`."""
        return cls.from_local(inst_data=inst_data, **config_value)


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
