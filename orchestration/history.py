"""The site's run history: Dagster's own, kept from the terminal and from waiting on the disk for every event.

Dagster opens and closes its SQLite files anew for each of a run's many hundred events, works its statements out anew,
and each time waits until everything is on the disk: on a busy disk that takes longer than the run. Here the files stay
open for as long as a run of ours lasts, and SQLite's write-ahead log is synchronised at its checkpoints. What a run
plans is written at once, the tables of its own file come in one piece, and what they look like is asked once. What is
printed goes where the command prints, and not through files that four processes follow. A crash of the process loses
nothing; a power cut can lose the last events of a run, never more, and nothing that is decided rests on them. The files
are Dagster's in every other way, and the web UI reads them as its own.

Where there are none yet, they are made beside and named last (`make_history`): a process that dies meanwhile, or two at
once, leave no file that lacks a table. A run leaves six megabytes, and Dagster keeps them all: `forget_runs` lets go of
those whose period is over.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    EventLogEntry,
    EventLogRecord,
    RunsFilter,
    RunStatusChangeRecordsFilter,
)
from dagster._core.event_api import RunStatusChangeEventType
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._utils import touch_file
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from assets.errors import BadInput
from assets.site import Site
from assets.writing import flush, write_whole
from orchestration.initialising import make_home

#: Dagster prints its events from this level on; the history holds them all.
_QUIET = {"python_logs": {"python_log_level": "CRITICAL"}}
#: How long a statement waits for another process that writes the same file.
_BUSY_SECONDS = 20
#: How many of a run's planned events are written in one transaction; Dagster's own default is one.
_AT_ONCE = 500


@contextmanager
def run_history(site: Site) -> Iterator[DagsterInstance]:
    """The instance of `site` for one run in this process: it prints nothing, and its SQLite files stay open.

    Raises:
        BadInput: the history cannot be written or read, or its folder is missing.
    """
    if not site.dagster.is_dir():
        raise BadInput(
            f"{site.dagster} is missing: `gallring init {site.argument}` makes what a site lacks, and leaves the rest."
        )
    make_home(site)
    home = InstanceRef.from_dir(str(site.dagster), overrides=_QUIET)
    stored = home.storage_data
    try:
        if stored is not None and stored.class_name == DagsterSqliteStorage.__name__:
            make_history(site)
            home = home._replace(storage_data=stored._replace(module_name=__name__, class_name=OpenStorage.__name__))
        printed = home.compute_logs_data
        if printed.class_name == LocalComputeLogManager.__name__:
            passed_on = printed._replace(module_name=__name__, class_name=PassedOn.__name__)
            home = home._replace(compute_logs_data=passed_on)
        with DagsterInstance.from_ref(home) as history:
            history._get_event_batch_size = lambda: _AT_ONCE  # type: ignore[method-assign]
            yield history
    except DBAPIError as error:
        raise BadInput(_told(site, error)) from None


#: The folders of Dagster's SQLite files in the site's `dagster/`.
_FOLDERS = ("history", "schedules")
_HALF_MADE = ".history-"


def make_history(site: Site) -> None:
    """Make Dagster's SQLite files where there are none and its settings name no others, by one process at a time.

    Raises:
        DBAPIError: they cannot be written.
    """
    stored = InstanceRef.from_dir(str(site.dagster)).storage_data
    if stored is None or stored.class_name != DagsterSqliteStorage.__name__:
        return
    folder = Path(stored.config_dict["base_dir"])
    if _is_made(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if _is_made(folder):  # by another, meanwhile
            return
        for left in folder.glob(f"{_HALF_MADE}*"):  # by a process that died
            shutil.rmtree(left)
        made = Path(tempfile.mkdtemp(dir=folder, prefix=_HALF_MADE))
        try:
            _make_files(made)
            for name in _FOLDERS:
                _name(made / name, folder / name)
        finally:
            shutil.rmtree(made)
        flush(folder)


def _make_files(folder: Path) -> None:
    DagsterSqliteStorage(str(folder)).dispose()


def _is_made(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in _FOLDERS)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time, where the disk knows locks; a process that dies lets go."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _name(made: Path, path: Path) -> None:
    """Give a folder its name, unless a folder of that name holds something: then that one stays."""
    try:
        made.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


#: What SQLite says when it cannot go on, and what to do about it; its statements hold events, and are never shown.
_MENDS = {
    "disk is full": "the disk is full: make room, then run again",
    "readonly": "this account may not write there: check the owner and the mode",
    "unable to open": "this account may not write there: check the owner and the mode",
    "disk i/o": "the disk does not answer as it should, or is full",
    "locked": "another process holds it for too long: wait for that run to end",
    "malformed": "its files are damaged: move the folder dagster/history away, and a new history begins",
    "not a database": "its files are damaged: move the folder dagster/history away, and a new history begins",
}


def _told(site: Site, error: DBAPIError) -> str:
    said = str(error.orig).lower()
    mend = next((mend for words, mend in _MENDS.items() if words in said), "its database does not answer")
    return f"The run history in {site.dagster} cannot be used: {mend}. What the run had finished by then stays."


class PassedOn(LocalComputeLogManager):
    """What steps print is left to go where the command prints; what other runs printed is let go of as ever."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> PassedOn:
        """As Dagster makes it from the site's `dagster.yaml`."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Nothing is kept, and the web UI waits for nothing."""
        yield CapturedLogContext(log_key)
        touch_file(self.complete_artifact_path(log_key))  # type: ignore[no-untyped-call]


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


#: A run's file before its first event, once it was made in this process; made by one thread at a time.
_run_without_events: list[bytes] = []
_making = threading.Lock()


def _made_aside(make: Callable[[Engine], None]) -> bytes:
    """The file that Dagster makes, of which nothing has to be on the disk before it is whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.db"
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        event.listen(engine, "connect", lambda connection, _: connection.execute("pragma synchronous = off"))
        make(engine)
        engine.dispose()
        return path.read_bytes()


def _has_revision(engine: Engine) -> bool:
    """Whether a file says at which revision its tables are: that is all that Dagster looks for."""
    with suppress(DBAPIError), engine.connect() as connection:
        return bool(connection.execute(text("select count(*) from alembic_version")).scalar())
    return False


class OpenEvents(SqliteEventLogStorage):
    """The events, in a file a run and one for all, which stay open.

    What no run changes (tables, columns, which migrations are done) is asked of the file once.
    """

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, Engine] = {}
        self._begun: dict[str, Connection] = {}
        self._answers: dict[tuple[str, str], bool] = {}
        self._latest: dict[str, tuple[str, EventLogRecord]] = {}
        super().__init__(base_dir)
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:
        """Make a file's tables where they are not there: a run's in one piece, once Dagster has made them aside."""
        path = Path(str(engine.url.database))
        if path.exists():
            if not _has_revision(engine):
                super()._initdb(engine, for_index_shard)
            return
        if for_index_shard:
            super()._initdb(engine, for_index_shard)
            return
        with _making:
            if not _run_without_events:
                _run_without_events.append(_made_aside(super()._initdb))
        write_whole(path, _run_without_events[0], mode=0o644)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard):  # which makes its tables where they are not there
                pass
        with self._db_lock:
            if shard in self._begun:  # by this thread, which has the lock
                yield self._begun[shard]
                return
            if shard not in self._engines:
                self._engines[shard] = _kept_open(self.conn_string_for_shard(shard))
            with self._engines[shard].begin() as connection:
                yield connection

    @contextmanager
    def _one_transaction(self, shard: str) -> Iterator[None]:
        """What is written to a file until the block ends, together."""
        with self._connect(shard) as connection:
            self._begun[shard] = connection
            try:
                yield
            finally:
                del self._begun[shard]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store what a run plans: its events, and their copies in the file of all runs."""
        with self._one_transaction(events[0].run_id), self._one_transaction(INDEX_SHARD_NAME):
            for each in events:
                self.store_event(each)

    def has_table(self, table_name: str) -> bool:
        """Whether the file of all runs has a table."""
        return self._answered("table", table_name, super().has_table)

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether its table of assets has a column."""
        return self._answered("column", column_name, super().has_asset_key_col)

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        ask = super()._has_asset_key_col_on_connection
        return self._answered("column", column_name, lambda name: ask(conn, name))

    def has_secondary_index(self, name: str) -> bool:
        """Whether a migration is done. Once done, it stays so."""
        return self._answered("migration", name, super().has_secondary_index, stays=True)

    def _answered(self, kind: str, name: str, ask: Callable[[str], bool], *, stays: bool = False) -> bool:
        """What was answered before: `stays`: if it was yes."""
        if (kind, name) not in self._answers or (stays and not self._answers[kind, name]):
            self._answers[kind, name] = ask(name)
        return self._answers[kind, name]

    def _get_asset_entry_values(self, event: EventLogEntry, event_id: int, has_index: bool) -> dict[str, Any]:
        values = super()._get_asset_entry_values(event, event_id, has_index)
        key = event.dagster_event.asset_key if event.dagster_event else None
        if key is not None and "last_materialization" in values:
            self._latest[key.to_string()] = (values["last_materialization"], EventLogRecord(event_id, event))
        return values

    def _get_latest_materialization_records(self, raw_asset_rows: Any) -> Mapping[AssetKey, EventLogRecord | None]:
        """The same, without reading again what this run wrote: where it still stands, and nothing was wiped."""
        found: dict[AssetKey, EventLogRecord | None] = {}
        others = []
        for row in raw_asset_rows:
            text, record = self._latest.get(row["asset_key"], (None, None))
            key = AssetKey.from_db_string(row["asset_key"])
            if key is not None and text == row["last_materialization"] and text and not row["asset_details"]:
                found[key] = record
            else:
                others.append(row)
        return {**found, **super()._get_latest_materialization_records(others)} if others else found

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events. Its file is closed, so that it can go."""
        super().delete_events(run_id)
        self._initialized_dbs.discard(run_id)
        engine = self._engines.pop(run_id, None)
        if engine is not None:
            engine.dispose()

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


#: How many runs are let go of at a time: more than stay of all jobs. The rest goes with the next run.
_FORGOTTEN_AT_ONCE = 100


def forget_runs(instance: DagsterInstance, before: datetime) -> int:
    """Let go of runs that are over and were created before an instant: what they did, found and printed; how many.

    The last run of each job stays, whatever its age, and the last that succeeded: with them what its tables and checks
    last said.
    """
    over = RunsFilter(created_before=before.astimezone(UTC), statuses=list(FINISHED_STATUSES))  # it drops the zone
    runs = instance.get_runs(over, limit=_FORGOTTEN_AT_ONCE, ascending=True)
    last = {run.run_id for job in {run.job_name for run in runs} for statuses in ([], [DagsterRunStatus.SUCCESS])
            for run in instance.get_runs(RunsFilter(job_name=job, statuses=statuses), limit=1)}  # fmt: skip
    gone = [run.run_id for run in runs if run.run_id not in last]
    for run_id in gone:
        _forget(instance, run_id)
    return len(gone)


def _forget(instance: DagsterInstance, run_id: str) -> None:
    """One run: first what only it has. Cut short, the next run finds it again, for its row goes last."""
    events = instance.event_log_storage
    events.delete_events(run_id)
    if isinstance(events, SqlEventLogStorage):  # which leaves what checks said of it behind, and its empty file
        with events.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))
    if isinstance(events, SqliteEventLogStorage):
        for suffix in ("", "-wal", "-shm"):
            Path(events.path_for_shard(run_id) + suffix).unlink(missing_ok=True)
    if isinstance(instance.compute_log_manager, LocalComputeLogManager):
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.run_storage.delete_run(run_id)


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
