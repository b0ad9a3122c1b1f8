"""The site's run history: Dagster's own, kept from the terminal and from waiting on the disk for every event.

Dagster opens and closes its SQLite files anew for each of a run's many hundred events, works its statements out anew,
and each time waits until everything is on the disk: on a busy disk that takes longer than the run. Here the files stay
open for as long as a run of ours lasts, and SQLite's write-ahead log is synchronised at its checkpoints. What a run
plans is written at once, what a file's tables look like is asked once, an event is made a text once, and the statements
of every event are worked out once. A crash of the process loses nothing; a power cut can lose the last events of a run,
never more, and nothing that is decided rests on them. The files are Dagster's in every other way, row for row, and the
web UI reads them as its own.

What a step prints is not kept: ours print nothing, and Dagster starts four processes to watch over it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    EventLogEntry,
    EventLogRecord,
    RunStatusChangeRecordsFilter,
)
from dagster._core.event_api import RunStatusChangeEventType
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.base import AssetRecord
from dagster._core.storage.event_log.migration import ASSET_KEY_INDEX_COLS
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData, serialize_value
from dagster._time import datetime_from_timestamp
from sqlalchemy import bindparam, create_engine, event, func, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from assets.errors import BadInput
from assets.site import Site

#: Dagster prints its events from this level on; the history holds them all.
_QUIET = {"python_logs": {"python_log_level": "CRITICAL"}}
#: How long a statement waits for another process that writes the same file.
_BUSY_SECONDS = 20
#: How many of a run's planned events are written in one transaction; Dagster's own default is one.
_AT_ONCE = 500

# The statements of every event. Worked out anew each time, they take longer than SQLite takes to run them.
_ASSET = AssetKeyTable.c
_INSERT_EVENT = SqlEventLogStorageTable.insert()
_LAST_EVENT = select(func.max(SqlEventLogStorageTable.c.id))
_MADE, _PLANNED = (
    AssetKeyTable.update()
    .where(_ASSET.asset_key == bindparam("asset"))
    .values({column: bindparam(f"new_{column}") for column in columns})
    for columns in (
        ("last_materialization", "last_run_id", "last_materialization_timestamp"),
        ("last_run_id", "last_materialization_timestamp"),
    )
)
_INSERT_CHECK = AssetCheckExecutionsTable.insert()
_ASSET_ROW = (
    select(
        _ASSET.id, _ASSET.asset_key, _ASSET.last_materialization, _ASSET.last_run_id, _ASSET.asset_details,
        _ASSET.cached_status_data,
    )
    .where(_ASSET.asset_key == bindparam("asset"))
    .where(_ASSET.wipe_timestamp.is_(None) | (_ASSET.last_materialization_timestamp > _ASSET.wipe_timestamp))
)  # fmt: skip


@contextmanager
def run_history(site: Site) -> Iterator[DagsterInstance]:
    """The instance of `site` for one run in this process: it prints nothing, and its SQLite files stay open.

    Raises:
        BadInput: the history cannot be written or read.
    """
    home = InstanceRef.from_dir(str(site.dagster), overrides=_QUIET)
    stored = home.storage_data
    if stored is not None and stored.class_name == DagsterSqliteStorage.__name__:
        home = home._replace(storage_data=stored._replace(module_name=__name__, class_name=OpenStorage.__name__))
    if home.compute_logs_data.class_name == LocalComputeLogManager.__name__:
        nothing = NoOpComputeLogManager
        home = home._replace(
            compute_logs_data=ConfigurableClassData(nothing.__module__, nothing.__name__, config_yaml="{}")
        )
    try:
        with DagsterInstance.from_ref(home) as history:
            history._get_event_batch_size = lambda: _AT_ONCE  # type: ignore[method-assign]
            yield history
    except DBAPIError as error:
        raise BadInput(_told(site, error)) from None


#: What SQLite says when it cannot go on, and what to do about it; its statements hold events, and are never shown.
_MENDS = {
    "disk is full": "the disk is full: make room, then run again",
    "readonly": "this account may not write there: check the owner and the mode",
    "unable to open": "this account may not write there: check the owner and the mode",
    "disk i/o": "the disk does not answer as it should, or is full",
    "locked": "another process holds it for too long: wait for that run to end",
    "malformed": "its files are damaged: move the folder dagster/history away, and a new history begins",
}


def _told(site: Site, error: DBAPIError) -> str:
    said = str(error.orig).lower()
    mend = next((mend for words, mend in _MENDS.items() if words in said), "its database does not answer")
    return f"The run history in {site.dagster} cannot be used: {mend}. What the run had finished by then stays."


def _kept_open(address: str) -> Engine:
    """An engine whose connections, and whose statements once worked out, are kept until it is disposed of."""
    engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False})
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
    """The events, in a file a run and one for all, which stay open.

    What no run changes (tables, columns, which migrations are done) is asked of the file once.
    """

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, Engine] = {}
        self._open: dict[str, Connection] = {}
        self._answers: dict[tuple[str, str], bool] = {}
        self._latest: dict[str, tuple[str, EventLogRecord]] = {}
        self._text: tuple[EventLogEntry | None, str] = (None, "")
        super().__init__(base_dir)
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction: whoever is in one already, by this thread, which has the lock, joins it."""
        if shard not in self._initialized_dbs:
            with super()._connect(shard):  # which makes its tables where they are not there
                pass
        with self._db_lock:
            if shard not in self._open:
                self._engines[shard] = _kept_open(self.conn_string_for_shard(shard))
                self._open[shard] = self._engines[shard].connect()
            connection = self._open[shard]
            if connection.in_transaction():
                yield connection
                return
            with connection.begin():
                yield connection

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event in the run's file, and in that of all runs what is looked up across them."""
        row = self._event_to_row(event)
        with self._connect(event.run_id) as connection:
            connection.execute(_INSERT_EVENT, row)
        kind = event.dagster_event_type if event.is_dagster_event else None
        if kind not in ASSET_EVENTS | ASSET_CHECK_EVENTS | EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys():
            return
        with self._connect(INDEX_SHARD_NAME) as connection:
            (number,) = connection.execute(_INSERT_EVENT, row).inserted_primary_key or (0,)
            if kind in ASSET_EVENTS:
                self._store_asset_event_tags(connection, [event], [number])
                self._store_asset_event(connection, event, number)
            if kind in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, number)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store what a run plans: its events, and their copies in the file of all runs."""
        if not all(_is_planned(each) for each in events) or not self.has_asset_key_index_cols():
            for each in events:
                self.store_event(each)
            return
        rows = [self._event_to_row(each) for each in events]
        with self._connect(events[0].run_id) as run, self._connect(INDEX_SHARD_NAME) as index:
            run.execute(_INSERT_EVENT, rows)
            index.execute(_INSERT_EVENT, rows)
            last = index.execute(_LAST_EVENT).scalar_one()  # all are ours: we hold the file's lock
            numbered = list(zip(range(last - len(rows) + 1, last + 1), events, rows, strict=True))
            self._plan_assets(index, [each for each in numbered if each[1].dagster_event_type in ASSET_EVENTS])
            self._plan_checks(index, [each for each in numbered if each[1].dagster_event_type in ASSET_CHECK_EVENTS])

    def _plan_assets(self, index: Connection, planned: Sequence[tuple[int, EventLogEntry, dict[str, Any]]]) -> None:
        known = set(index.execute(select(_ASSET.asset_key)).scalars())
        updates = [
            {"asset": row["asset_key"], **_as_new(self._get_asset_entry_values(each, number, True))}
            for number, each, row in planned
            if row["asset_key"] in known
        ]
        if updates:
            index.execute(_PLANNED, updates)
        for number, each, row in planned:
            if row["asset_key"] not in known:
                super()._store_asset_event(index, each, number)

    def _plan_checks(self, index: Connection, planned: Sequence[tuple[int, EventLogEntry, dict[str, Any]]]) -> None:
        rows = []
        for number, each, row in planned:
            check = each.get_dagster_event().asset_check_planned_data
            rows.append({
                "asset_key": check.asset_key.to_string(), "check_name": check.check_name, "partition": None,
                "run_id": each.run_id, "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
                "evaluation_event": row["event"], "evaluation_event_timestamp": row["timestamp"],
                "evaluation_event_storage_id": number,
            })  # fmt: skip
        if rows:
            index.execute(_INSERT_CHECK, rows)

    def _store_asset_event(self, conn: Connection, event: EventLogEntry, event_id: int) -> None:
        """What an asset's row says of its last event: it is there since the run was planned, if not before."""
        step = event.dagster_event
        made = step is not None and step.is_step_materialization and self._has_asset_key_index_cols_on_connection(conn)
        if made and step is not None and step.asset_key is not None:
            values = _as_new(self._get_asset_entry_values(event, event_id, True))
            if conn.execute(_MADE, {"asset": step.asset_key.to_string(), **values}).rowcount:
                return
        super()._store_asset_event(conn, event, event_id)

    def _event_to_row(self, event: EventLogEntry) -> dict[str, Any]:
        row = super()._event_to_row(event)
        self._text = (event, row["event"])
        return row

    def get_asset_records(self, asset_keys: Sequence[AssetKey] | None = None) -> Sequence[AssetRecord]:
        """What is known of assets. A step asks for one at a time: each that it has just made from others."""
        migrated = self.has_secondary_index(ASSET_KEY_INDEX_COLS) and self.can_read_asset_status_cache()
        if asset_keys is None or len(asset_keys) != 1 or not migrated:
            return super().get_asset_records(asset_keys)
        with self._connect(INDEX_SHARD_NAME) as connection:
            rows = connection.execute(_ASSET_ROW, {"asset": asset_keys[0].to_string()}).mappings().all()
        latest = self._get_latest_materialization_records(rows)
        return [self._construct_asset_record_from_row(row, latest.get(asset_keys[0]), True) for row in rows]

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
        step = event.dagster_event
        if step is None or not step.is_step_materialization or not has_index:
            return super()._get_asset_entry_values(event, event_id, has_index)
        known, text = self._text
        record = EventLogRecord(event_id, event)
        told = _record_text(event_id, text) if known is event else serialize_value(record)
        if step.asset_key is not None:
            self._latest[step.asset_key.to_string()] = (told, record)
        return {
            "last_materialization": told,
            "last_run_id": event.run_id,
            "last_materialization_timestamp": datetime_from_timestamp(event.timestamp),
        }

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

    def dispose(self) -> None:
        """Close the files."""
        for connection in self._open.values():
            connection.close()
        for engine in self._engines.values():
            engine.dispose()
        super().dispose()


def _is_planned(event: EventLogEntry) -> bool:
    """Whether an event says what a run is going to make or check, and of no partition."""
    kind, step = event.dagster_event_type, event.dagster_event
    if step is None or kind not in ASSET_EVENTS | ASSET_CHECK_EVENTS:
        return False
    if kind is DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
        return step.asset_key is not None
    return (
        kind is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
        and step.asset_check_planned_data.partitions_subset is None
    )


def _as_new(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def _record_text(number: int, event: str) -> str:
    """What Dagster writes of an event's record, from what it writes of the event."""
    return f'{{"__class__": "EventLogRecord", "event_log_entry": {event}, "storage_id": {number}}}'


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
