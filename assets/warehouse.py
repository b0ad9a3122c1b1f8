"""The warehouse: the one encrypted DuckDB file, its connection, and nothing that knows what is stored in it.

DuckDB's DELETE and UPDATE leave what they take away in the file. `copy_to` writes a new file that holds what is to
stay and no more, and proves it; `swap_in` puts such a file in the place of the open one, whole or not at all.

The only module that imports the DuckDB driver. Driver errors quote the values they stumble on, which are personal
data, so none of their text leaves this module: a `WarehouseError` says which statement failed and of what kind.
"""

from __future__ import annotations

import importlib.util
import json
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import normalize

import duckdb

from assets.errors import GallringError
from assets.writing import flush

MACROS = Path(__file__).resolve().parents[1] / "sql" / "macros.sql"
Params = Mapping[str, Any] | Sequence[Any]
Made = TypeVar("Made")

#: A column of texts of which nearly every one is another (keys, ids). DuckDB's own choice packs them as small, and
#: takes two to three times as long to write.
DISTINCT_TEXTS = "varchar using compression zstd"
#: The same where there are millions, read and copied by every night: unpacked they take half as long to write as
#: packed so, a third as long to read, and twice the room.
UNPACKED_TEXTS = "varchar using compression uncompressed"


class WarehouseError(GallringError):
    """A statement failed. Holds the statement's name and the kind of failure, never a value."""


class WarehouseLocked(WarehouseError):
    """Another process has the warehouse open."""

    retryable = True


class WarehouseKeyError(WarehouseError):
    """The key is missing, or is not the one that the warehouse was written with."""


class ValueRefused(WarehouseError):
    """A statement stumbled on a value: an expression that somebody wrote does not fit it."""


class MachineLacks(WarehouseError):
    """The machine could not do it: too little disk or memory, or a file that may not be written."""


class TooLittleMemory(MachineLacks):
    """What a statement holds is more than the engine may take."""


class WarehouseDamaged(MachineLacks):
    """The file is not as it was written: a byte of it was changed, or a part is gone."""


class RewriteFailed(WarehouseError):
    """A new file could not be written, or does not hold exactly what was to stay; the old one is as it was."""


#: A rewritten warehouse stands beside the old one under this ending until it is whole.
REWRITING = ".rewriting"
#: Rows from which on a table is copied by all threads. Of fewer row groups, one thread waits for another's last, and
#: waiting costs as much as working: up to here the time that it saves is a second or two.
_WORTH_SHARING = 10_000_000
#: Rows from which on what a table must hold is asked by itself: a statement costs a millisecond or two.
_WORTH_A_STATEMENT = 20_000
_VIEW_OF_THE_NAME = "select count(*) from duckdb_views() where database_name = ? and schema_name = ? and view_name = ?"
#: How long a swap waits for a process that opened the new file in the instant before this one did.
_REOPEN_SECONDS = 30.0


@dataclass(frozen=True)
class WrittenCopy:
    """A new database file: how many tables and rows it holds, and its size."""

    path: Path
    tables: int
    rows: int
    size_bytes: int


def extension_path(name: str) -> Path:
    """The file of a DuckDB extension that came as a Python package (`httpfs`, `excel`)."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        raise WarehouseError(f"The package duckdb-extension-{name} is not installed: run `make setup`.")
    folder = Path(next(iter(spec.submodule_search_locations)))
    found = sorted(folder.glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"))
    if not found:
        raise WarehouseError(f"duckdb-extension-{name} has no build for DuckDB {duckdb.__version__}: run `make setup`.")
    return found[0]


def literal(text: str) -> str:
    """`text` as a SQL string, where the grammar takes no parameter: paths, settings, what contracts declare.

    Values of rows are never put into SQL.
    """
    return "'" + text.replace("'", "''") + "'"


def _set(name: str, value: str | int | bool) -> str:
    """The statement that changes a setting, which takes no parameter in the grammar."""
    return f"set {name} = {literal(value) if isinstance(value, str) else str(value).lower()}"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _attachment(path: Path, catalog: str, key: str | None, *, option: str = "") -> str:
    """The statement that opens a database file. Paths and keys take no parameter in the grammar."""
    options = [f"encryption_key {literal(key)}"] if key else []
    options += [option] if option else []
    return f"attach {literal(str(path))} as {catalog}" + (f" ({', '.join(options)})" if options else "")


def discard_database(path: Path) -> None:
    """Remove a database file and its write-ahead log, where there are any."""
    for each in (path, path.with_name(path.name + ".wal")):
        each.unlink(missing_ok=True)


def _clear_leftovers(path: Path, temporary: Path | None) -> None:
    """Remove what a process that died left half written: a new warehouse beside the old one, spill files."""
    discard_database(path.with_name(path.name + REWRITING))
    for spilled in temporary.glob("duckdb_temp_*") if temporary is not None else ():
        spilled.unlink(missing_ok=True)


def _headline(sql: str) -> str:
    """The first words of a statement, to name it in an error. Statements hold no values: those are parameters."""
    words = " ".join(line for line in sql.splitlines() if not line.strip().startswith("--")).split()
    return " ".join(words[:8])


class _TakenBack(Exception):
    """Ends a transaction of which nothing stays. Never seen."""


class Warehouse:
    """One connection to one warehouse, with the project's macros and settings on it.

    DuckDB allows one writing process; inside it every part of the product shares this object, or a `cursor()` of it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
        """Wrap an open connection whose database is called `catalog`; use `open` or `in_memory` instead."""
        self._connection = connection
        self._depth = 0
        self._done: set[Callable[[Warehouse], None]] = set()
        self._lock = threading.RLock()
        self._key: str | None = None
        self.catalog = catalog
        self.path: Path | None = None

    # -- opening -----------------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        key: str | None,
        pseudonym_key: bytes = b"",
        memory_limit: str | None = None,
        threads: int | None = None,
        temporary: Path | None = None,
    ) -> Warehouse:
        """Open (or make) the warehouse file at `path`, encrypted with `key`; `key=None` leaves it unencrypted.

        Raises:
            WarehouseLocked: another process has it open.
            WarehouseKeyError: the key does not fit the file.
        """
        settings: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
        if memory_limit:
            settings["memory_limit"] = memory_limit
        if threads:
            settings["threads"] = threads
        settings["temp_file_encryption"] = True  # must be there before the folder is: both are given at once
        if temporary is not None:
            temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
            settings["temp_directory"] = str(temporary)
        connection = duckdb.connect(":memory:", config=settings)
        try:
            connection.execute(f"load {literal(str(extension_path('httpfs')))}")
            connection.execute(_attachment(path, "warehouse", key))
        except duckdb.Error as error:
            connection.close()
            raise _opening_error(path, error) from None
        path.chmod(0o600)
        _clear_leftovers(path, temporary)  # nobody else is at work on them: the file is open here
        warehouse = cls(connection, "warehouse")
        warehouse.path, warehouse._key = path, key
        warehouse._prepare(pseudonym_key)
        return warehouse

    @classmethod
    def in_memory(
        cls,
        *,
        pseudonym_key: bytes = b"",
        threads: int | None = None,
        memory_limit: str | None = None,
        temporary: Path | None = None,
    ) -> Warehouse:
        """A warehouse that lives in memory alone, for scenarios, tests and who reads the published file.

        What does not fit into `memory_limit` goes, encrypted, to the folder `temporary`.
        """
        config: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
        if threads:
            config["threads"] = threads
        if memory_limit:
            config["memory_limit"] = memory_limit
        if temporary is not None:
            temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
            config |= {"temp_file_encryption": True, "temp_directory": str(temporary)}
        connection = duckdb.connect(":memory:", config=config)
        if temporary is not None:
            connection.execute(f"load {literal(str(extension_path('httpfs')))}")
        warehouse = cls(connection, "memory")
        warehouse._prepare(pseudonym_key)
        return warehouse

    def _prepare(self, pseudonym_key: bytes) -> None:
        """Settings, functions and macros that every statement of the product counts on.

        Macros are made in the connection's own memory, so that opening a warehouse writes nothing into its file.
        """
        self._connection.create_function("unicode_folded_name", _folded, [str], str)
        self.script(MACROS)
        inner, outer = _hmac_pads(pseudonym_key)
        self.run(
            "create or replace macro pseudonym(x) as case when x is not null then cast(substr(sha256("
            f"unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode(x)))), 1, 32) as uuid) end"
        )
        self._use(self._connection)

    def _use(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(f"set search_path = '{self._search_path()}'")
        connection.execute("set timezone = 'Europe/Stockholm'")

    def _search_path(self) -> str:
        return "memory.main" if self.catalog == "memory" else f"{self.catalog}.main,memory.main"

    # -- statements --------------------------------------------------------------------------------------------

    def run(self, sql: str, params: Params | None = None) -> None:
        """Run one statement for its effect.

        Raises:
            WarehouseError: the statement failed.
        """
        self._execute(sql, params)

    def rows(self, sql: str, params: Params | None = None) -> list[tuple[Any, ...]]:
        """All rows of one query. For small answers: counts, summaries, a person's records."""
        return self._execute(sql, params).fetchall()

    def records(self, sql: str, params: Params | None = None) -> list[dict[str, Any]]:
        """All rows of one query as dictionaries by column name. For small answers."""
        result = self._execute(sql, params)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def value(self, sql: str, params: Params | None = None) -> Any:
        """The first column of the first row, or None when there is no row."""
        row = self._execute(sql, params).fetchone()
        return None if row is None else row[0]

    def script(self, path: Path) -> None:
        """Run every statement of a SQL file in order."""
        try:
            for statement in self._connection.extract_statements(path.read_text(encoding="utf-8")):
                self._connection.execute(statement)
        except duckdb.Error as error:
            raise WarehouseError(f"{path.name}: {_kind(error)}") from None

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Append a small number of `rows` (registers, settings, summaries) to `table`, in one statement.

        The rows travel as one JSON parameter; DuckDB casts each value to its column's type.
        """
        packed = json.dumps([list(row) for row in rows], default=str, ensure_ascii=False)
        if packed == "[]":
            return
        names = ", ".join(identifier(column) for column in columns)
        values = ", ".join(f"packed ->> {position}" for position in range(len(columns)))
        self.run(
            f"insert into {table} ({names}) select {values} from (select unnest(cast($rows as json[])) as packed)",
            {"rows": packed},
        )

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Run what follows on one thread: for what is too small to be shared out, or is read by one thread anyway.

        The thread that sent a statement does not sleep while another does the rest of it: it asks again and again.
        """
        with self.settings(threads=1):
            yield

    def sparing(self, work: Callable[[], Made]) -> Made:
        """What `work` gives; where the memory was too little for several threads, it is done once more by one.

        Every thread of a statement holds rows of its own. `work` leaves nothing behind when it fails, as a transaction
        does. Within one, which takes no statement after a failure, and where one thread worked, the failure stands.
        """
        try:
            return work()
        except TooLittleMemory:
            if self._depth or self.value("select current_setting('threads')") == 1:
                raise
        with self.one_thread():
            return work()

    @contextmanager
    def settings(self, **values: str | int | bool) -> Iterator[None]:
        """Run what follows under other settings of the engine, and have those from before again after it.

        They are set beside the transaction that may be open: one that has failed takes no further statement, and the
        error that it failed with would be lost.
        """
        before = {name: self.value("select current_setting(?)", [name]) for name in values}
        with closing(self._connection.cursor()) as beside:
            try:
                for name, value in values.items():
                    beside.execute(_set(name, value))
                yield
            finally:
                with suppress(duckdb.FatalException):  # given up on: there is nothing left to set
                    for name, value in before.items():
                        beside.execute(_set(name, value))

    def once(self, work: Callable[[Warehouse], None]) -> None:
        """Do `work`, unless it was done since the warehouse was opened and no transaction took it back.

        For tables that are made where they are not there yet: asking for each costs more than a small site's night.
        """
        if work not in self._done:
            work(self)
            self._done.add(work)

    def ask_anew(self) -> None:
        """Let `once` do everything again: tables are no longer those that it made."""
        self._done = set()

    def exists(self, schema: str, table: str) -> bool:
        """Whether a table or view is there."""
        return bool(self.columns(schema, table))

    def columns(self, schema: str, table: str) -> list[str]:
        """The column names of a table or view in order; empty when there is none of that name."""
        relation = literal(".".join(map(identifier, (self.catalog, schema, table))))
        asked = f"select name from pragma_table_info({relation}) order by cid"
        with self._lock:
            try:
                return [name for (name,) in self._connection.execute(asked).fetchall()]
            except (duckdb.CatalogException, duckdb.BinderException):
                pass  # there is none, or a view whose own tables have gone; a transaction goes on
            except duckdb.Error as error:
                raise _failure(asked, error) from None
        if not self.value(_VIEW_OF_THE_NAME, [self.catalog, schema, table]):
            return []
        found = self.rows(
            "select column_name from duckdb_columns() "
            "where database_name = ? and schema_name = ? and table_name = ? order by column_index",
            [self.catalog, schema, table],
        )
        return [name for (name,) in found]

    @contextmanager
    def transaction(self) -> Iterator[Warehouse]:
        """All or nothing: commits at the end, rolls back on any exception. Nested uses join the outer one."""
        with self._lock:
            done = set(self._done)
            if self._depth == 0:
                self._begin()
            self._depth += 1
            try:
                yield self
            except BaseException:
                self._depth -= 1
                self._done = done
                if self._depth == 0:
                    with suppress(duckdb.FatalException):  # given up on: nothing of it stays, and why is told already
                        self._connection.rollback()
                raise
            self._depth -= 1
            if self._depth == 0:
                self._done, done = done, self._done
                self._commit()
                self._done = done

    def _begin(self) -> None:
        try:
            self._connection.begin()
        except duckdb.Error as error:
            raise _failure("begin", error) from None

    def _commit(self) -> None:
        """End the transaction well; one that the machine has no room for is taken back whole."""
        try:
            self._connection.commit()
        except duckdb.Error as error:
            raise _failure("commit", error) from None

    @contextmanager
    def taken_back(self) -> Iterator[Warehouse]:
        """A transaction of which nothing stays: it is rolled back at its end. Within another it goes with that one."""
        with suppress(_TakenBack), self.transaction():
            yield self
            raise _TakenBack

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A second connection to the same open database, for libraries that commit and roll back by themselves."""
        cursor = self._connection.cursor()
        self._use(cursor)
        return cursor

    @contextmanager
    def aside(self, schema: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A second connection for a library that makes tables of its own, in `schema` of the connection's memory.

        What it makes there never touches the file, spills encrypted as everything does, and is gone at the end. It
        finds the tables of the warehouse as far as they are committed.

        Raises:
            WarehouseError: a statement of the library's failed.
        """
        home = f"memory.{identifier(schema)}"
        self.run(f"create schema if not exists {home}")
        cursor = self.cursor()
        try:
            cursor.execute(f"set search_path = 'memory.{schema},{self._search_path()}'")
            yield cursor
        except duckdb.Error as error:
            raise _failure(f"what works aside in {schema}", error) from None
        finally:
            cursor.close()
            self.run(f"drop schema {home} cascade")

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        self.run(f"checkpoint {self.catalog}" if self.catalog != "memory" else "checkpoint")

    # -- rewriting ---------------------------------------------------------------------------------------------

    @property
    def rewriting_path(self) -> Path:
        """Where a new file is written before it takes the place of the open one.

        Raises:
            RewriteFailed: the warehouse is in memory.
        """
        if self.path is None:
            raise RewriteFailed("A warehouse in memory has no file to rewrite.")
        return self.path.with_name(self.path.name + REWRITING)

    def copy_to(
        self,
        path: Path,
        *,
        selections: Mapping[str, Sequence[str]] | None = None,
        emptied: Collection[str] = (),
        key: str | None = None,
        encrypted: bool = True,
    ) -> WrittenCopy:
        """Write a new database file at `path` with every table and view, and prove that it holds what it should.

        Args:
            path: the new file; what is there makes way.
            selections: `schema.table` to the SELECTs that together give its rows in the copy, with its columns in their
                order, each in the memory that it takes; all rows where there is none.
            emptied: each `schema.table` of which the copy holds no row.
            key: encrypts the copy; None: the warehouse's own key.
            encrypted: False writes it in the clear, for tests that look for bytes in it.

        Raises:
            RewriteFailed: the copy could not be written or does not agree; nothing is left of it.
        """
        if self._depth:
            raise RewriteFailed("A copy is not written in the middle of a transaction.")
        used = (key or self._key) if encrypted else None
        discard_database(path)
        try:
            with self._lock:
                expected = self._fill(path, used, self._sources(selections or {}, emptied))
                found = self._read_back(path, used, expected)
            path.chmod(0o600)
            flush(path)
        except (duckdb.Error, OSError, RewriteFailed) as error:
            discard_database(path)
            if isinstance(error, RewriteFailed):
                raise
            kind = _kind(error) if isinstance(error, duckdb.Error) else (error.strerror or "input/output error")
            mend = _remedy_of_a_copy(error)
            raise RewriteFailed(f"{path.name} could not be written ({kind}): nothing was changed. {mend}") from None
        return WrittenCopy(path, len(expected), found, path.stat().st_size)

    def _sources(self, selections: Mapping[str, Sequence[str]], emptied: Collection[str]) -> dict[str, Sequence[str]]:
        """Every table by its name in a file, with the SELECTs that give its rows in a copy; none: it has none there."""
        sources: dict[str, Sequence[str]] = {}
        for schema, table, _ in self._tables():
            name, full = f"{identifier(schema)}.{identifier(table)}", f"{schema}.{table}"
            whole = [f"select * from {self.catalog}.{name}"]
            sources[name] = selections.get(full, whole) if full not in emptied else ()
        return sources

    def _fill(self, path: Path, key: str | None, sources: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, int]]:
        """Write the copy; what each of its tables must hold: rows, and a checksum that no order changes.

        The copy needs no write-ahead log: one that is not finished is thrown away.
        """
        execute = self._connection.execute
        execute(_attachment(path, "copied", key, option="recovery_mode no_wal_writes"))
        try:
            execute(f"copy from database {self.catalog} to copied (schema)")
            self._insert(sources)
            expected = self._expected(sources)
            with self.one_thread():  # by now what is left to pack is a row group a table, at most
                execute("checkpoint copied")
        finally:
            execute("detach copied")
        return {name: expected.get(name, (0, 0)) for name in sources}

    def _expected(self, sources: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, int]]:
        """What tables of the copy must hold: the small ones asked at once, of the others each SELECT by itself.

        Joins of one statement share the memory.
        """
        rows = {f"{identifier(schema)}.{identifier(table)}": count for schema, table, count in self._tables()}
        small = {name: selects for name, selects in sources.items() if rows[name] < _WORTH_A_STATEMENT}
        expected = self._checksums({name: f"({selects[0]})" for name, selects in small.items() if len(selects) == 1})
        for name in (name for name, selects in sources.items() if selects and name not in expected):
            parts = [self._checksums({name: f"({select})"})[name] for select in sources[name]]
            expected[name] = (sum(count for count, _ in parts), sum(total for _, total in parts))
        return expected

    def _insert(self, sources: Mapping[str, Sequence[str]]) -> None:
        """Fill tables of the copy: the large ones by all threads, the others by one, which is less work."""
        rows = {f"{identifier(schema)}.{identifier(table)}": count for schema, table, count in self._tables()}
        large = [name for name in sources if rows[name] >= _WORTH_SHARING]
        for select in (f"insert into copied.{name} by name {select}" for name in large for select in sources[name]):
            self._connection.execute(select)
        with self.one_thread():
            for name in (name for name in sources if name not in large):
                for select in sources[name]:
                    self._connection.execute(f"insert into copied.{name} by name {select}")

    def _read_back(self, path: Path, key: str | None, expected: Mapping[str, tuple[int, int]]) -> int:
        """Open the finished file anew and compare; how many rows it holds."""
        if path.with_name(path.name + ".wal").exists():
            raise RewriteFailed(f"{path.name} was not finished: nothing was changed. Run again.")
        self._connection.execute(_attachment(path, "copied", key, option="read_only"))
        try:
            found = self._checksums({name: f"copied.{name}" for name in expected})
        finally:
            self._connection.execute("detach copied")
        for name, total in expected.items():
            if found[name] != total:
                raise RewriteFailed(
                    f"The copy of table {name} does not hold what was to stay: nothing was changed. Look for a "
                    "failing disk; `gallring restore` brings back the last backup."
                )
        return sum(rows for rows, _ in expected.values())

    def _checksums(self, relations: Mapping[str, str]) -> dict[str, tuple[int, int]]:
        """Of each relation the number of rows, and the sum of their hashes: asked at once, small tables are many."""
        questions = [
            f"select {literal(name)}, count(*), coalesce(sum(hash(*columns(*))), 0) from {relation} as each_row"
            for name, relation in relations.items()
        ]
        found = self._connection.execute(" union all ".join(questions)).fetchall() if questions else []
        return {name: (int(rows), int(total)) for name, rows, total in found}

    def _tables(self) -> list[tuple[str, str, int]]:
        """Every table with how many rows it holds, about."""
        return self._connection.execute(
            "select schema_name, table_name, estimated_size from duckdb_tables() where database_name = ? "
            "and not internal and not temporary order by all",
            [self.catalog],
        ).fetchall()

    def swap_in(self, path: Path, *, key: str | None = None) -> None:
        """Put the finished file at `path` in the place of the open one, destroy that, and go on with the new one.

        A crash at any point leaves the one or the other whole. `key` is the new file's, where it is another.

        Raises:
            RewriteFailed: the open file is not at rest.
            WarehouseLocked: another process opened the new file first.
        """
        if self.path is None or self._depth:
            raise RewriteFailed("Only a warehouse file at rest can be swapped.")
        log = self.path.with_name(self.path.name + ".wal")
        with self._lock:
            self.checkpoint()
            if log.exists() and log.stat().st_size:
                raise RewriteFailed(f"{self.path.name} is still being written: nothing was changed. Run again.")
            path.replace(self.path)
            flush(self.path.parent)
            self.ask_anew()
            self._connection.execute("set search_path = 'memory.main'")
            self._connection.execute(f"detach {self.catalog}")
            self._key = key or self._key
            self._reattach(self.path)
            self._use(self._connection)

    def _reattach(self, path: Path) -> None:
        deadline = time.monotonic() + _REOPEN_SECONDS
        while True:
            try:
                self._connection.execute(_attachment(path, self.catalog, self._key))
                return
            except duckdb.Error as error:
                failure = _opening_error(path, error)
                if not isinstance(failure, WarehouseLocked) or time.monotonic() >= deadline:
                    raise failure from None
            time.sleep(0.1)

    def close(self) -> None:
        """Close the connection; the file is then free for another process."""
        self._connection.close()

    def __enter__(self) -> Warehouse:
        """Use the warehouse as a context manager that closes itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _execute(self, sql: str, params: Params | None) -> duckdb.DuckDBPyConnection:
        with self._lock:
            try:
                return self._connection.execute(sql, params) if params is not None else self._connection.execute(sql)
            except duckdb.Error as error:
                raise _failure(sql, error) from None


class StatementParser:
    """DuckDB's own reading of a statement, without running it. May be shared between threads."""

    def __init__(self) -> None:
        """Open an empty database in memory to read with."""
        self._connection = duckdb.connect(":memory:")
        self._lock = threading.Lock()

    def select_tree(self, sql: str) -> Any:
        """The syntax tree of one or more SELECT statements, as JSON has it; None for anything else."""
        with self._lock:
            try:
                found = self._connection.execute("select json_serialize_sql(?)", [sql]).fetchone()
                tree = json.loads(found[0]) if found else {"error": True}
            except (duckdb.Error, RecursionError, ValueError):
                return None
        return None if tree["error"] else tree["statements"]


class ReadServer:
    """A plain database file, served to other DuckDB processes on this machine by the extension `quack`.

    By itself the extension lets a client write, and read the server's files. So the file is open read-only, nothing
    else can be reached from it, no setting can be changed any more, and every statement is asked about beforehand.
    """

    def __init__(self, path: Path, *, memory_limit: str = "", threads: int = 0) -> None:
        """Open the file at `path`; with empty and 0, DuckDB may use what the machine has.

        Raises:
            WarehouseError: the file or the extension cannot be opened.
        """
        config: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": "",
            **({"memory_limit": memory_limit} if memory_limit else {}),
            **({"threads": threads} if threads else {}),
        }
        self._uri = ""
        try:
            self._connection = duckdb.connect(str(path), read_only=True, config=config)
            for extension in ("httpfs", "quack"):  # httpfs brings the cryptography of the other
                self._connection.execute(f"load {literal(str(extension_path(extension)))}")
            self._connection.execute("set enable_external_access = false")
        except duckdb.Error as error:
            raise _opening_error(path, error) from None

    def table_macros(self) -> frozenset[str]:
        """The questions that the file itself brings, by name."""
        sql = "select function_name from duckdb_functions() where not internal and function_type = 'table_macro'"
        return frozenset(name for (name,) in self._connection.execute(sql).fetchall())

    def start(self, port: int, token: str, may_run: Callable[[str], bool]) -> str:
        """Listen on this machine's own address alone; the address for clients.

        `may_run` says of each statement whether a client may run it.

        Raises:
            WarehouseError: the port is taken.
        """
        uri = f"quack:localhost:{port}"
        try:
            self._connection.create_function("may_run", lambda _, sql: may_run(sql), [str, str], bool)
            self._connection.execute("set global quack_authorization_function = 'may_run'")
            self._connection.execute(f"call quack_serve({literal(uri)}, token = {literal(token)})")
            self._connection.execute("set lock_configuration = true")
        except duckdb.Error:
            raise WarehouseError(f"Port {port} cannot be listened on: take another with --port.") from None
        self._uri = uri
        return uri

    def busy(self) -> int:
        """How many clients wait for an answer."""
        found = self._connection.execute("select count(*) from quack_active_connections() where state = 'active'")
        return int((found.fetchone() or (0,))[0])

    def stop(self) -> None:
        """Listen no longer."""
        if self._uri:
            self._connection.execute(f"call quack_stop({literal(self._uri)})")
            self._uri = ""


def _hmac_pads(key: bytes) -> tuple[str, str]:
    """The two HMAC-SHA-256 pads (RFC 2104) of `key` in hexadecimal, so that plain SQL can compute the rest."""
    import hashlib

    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    return bytes(byte ^ 0x36 for byte in block).hex(), bytes(byte ^ 0x5C for byte in block).hex()


def _folded(name: str) -> str:
    """Unicode's full case folding in composed letters (NFC), with every run of white space collapsed to one space."""
    return " ".join(normalize("NFC", normalize("NFC", name).casefold()).split())


def _kind(error: duckdb.Error) -> str:
    return type(error).__name__.removesuffix("Exception").lower() + " error"


#: Kinds whose text speaks of tables and columns alone, never of a stored value.
_STRUCTURAL = (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException)


def _failure(sql: str, error: duckdb.Error) -> WarehouseError:
    if _tells(error, _OF_A_PAGE):
        return WarehouseDamaged(f"The warehouse is damaged (found by `{_headline(sql)} …`): {_MENDS_DAMAGE}")
    detail = f": {str(error).splitlines()[0]}" if isinstance(error, _STRUCTURAL) else ""
    return _class_of(error)(f"{_kind(error)} in `{_headline(sql)} …`{detail}{_remedy(error)}")


def _class_of(error: duckdb.Error) -> type[WarehouseError]:
    if _lacks_memory(error):
        return TooLittleMemory
    if _is_of_the_machine(error):
        return MachineLacks
    return ValueRefused if isinstance(error, _OF_VALUES) else WarehouseError


def _is_of_the_machine(error: duckdb.Error) -> bool:
    """A commit that the disk had no room for is told as an error of the transaction."""
    if isinstance(error, duckdb.TransactionException):
        return _tells(error, (said for said, _ in _REMEDIES))
    return isinstance(error, _OF_THE_MACHINE)


_OF_THE_MACHINE = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
_OF_VALUES = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)


_WITHOUT_ROOM = "Make room for a second copy of the warehouse, then run again."
_WITHOUT_ANSWER = "The disk does not answer as it should: look at it, then run again."
_WITHOUT_RIGHTS = "This account may not write there: check the owner and the mode."
_WITHOUT_MEMORY = "There is too little memory: raise [warehouse] memory_limit in gallring.toml."


def _lacks_rights(error: Exception) -> bool:
    denied = isinstance(error, duckdb.Error) and "permission denied" in str(error).lower()
    return denied or isinstance(error, PermissionError)


#: What the system says when the machine lacks something, and what to do about it. Looked for, and never shown.
_REMEDIES = (
    ("no space left", "The disk is full: make room, then run again."),
    ("quota exceeded", "The disk is full: make room, then run again."),
    ("input/output error", _WITHOUT_ANSWER),
    ("fsync failed", _WITHOUT_ANSWER),
    ("could not write", "The disk may be full: make room, then run again."),
    ("read-only file system", "The disk is mounted read-only."),
    ("permission denied", _WITHOUT_RIGHTS),
    ("memory_limit", _WITHOUT_MEMORY),
    ("max_temp_directory_size", "There is too little room for spill files: make room, then run again."),
)


def _lacks_memory(error: Exception) -> bool:
    """Whether memory is short, and not the disk that takes what does not fit into it."""
    return isinstance(error, duckdb.OutOfMemoryException) and "memory_limit" in str(error).lower()


def _remedy_of_a_copy(error: Exception) -> str:
    """What to do where a second file of the warehouse could not be written: mostly the disk is full."""
    if _lacks_rights(error):
        return _WITHOUT_RIGHTS
    return _WITHOUT_MEMORY if _lacks_memory(error) else _WITHOUT_ROOM


def _remedy(error: duckdb.Error) -> str:
    if not _is_of_the_machine(error):
        return ""
    text = str(error).lower()
    return next((f". {told}" for said, told in _REMEDIES if said in text), "")


#: What the engine says of a page of a database file that does not fit its checksum or its seal.
_OF_A_PAGE = ("corrupt database file", "aes tag differs")
#: And of a file that is none, or not whole.
_OF_A_FILE = (*_OF_A_PAGE, "not a valid duckdb database", "could not read enough bytes")
_MENDS_DAMAGE = (
    "`gallring restore FILE` brings back the last backup. Look for a failing disk, or for who changed the file."
)


def _tells(error: duckdb.Error, words: Iterable[str]) -> bool:
    text = str(error).lower()
    return any(each in text for each in words)


#: How the engine names who has a file open: the program with its path, and the number of its process.
_HOLDER = re.compile(r"held in (?:\S*/)?([\w.+-]+) \(PID ([0-9]+)\)")


def _holder(error: duckdb.Error) -> str:
    """Who has the file open, where the system tells it."""
    found = _HOLDER.search(str(error))
    return f" ({found[1]}, process {found[2]})" if found else ""


def _opening_error(path: Path, error: duckdb.Error) -> WarehouseError:
    text = str(error).replace(str(path), "").lower()  # a path may hold any of these words
    if any(each in text for each in _OF_A_FILE):
        return WarehouseDamaged(f"{path.name} is damaged, or no warehouse: {_MENDS_DAMAGE}")
    if "set lock" in text or "conflicting lock" in text:
        return WarehouseLocked(
            f"{path.name} is open in another process{_holder(error)}: wait for that run to end, then try again."
        )
    if "encrypt" in text or "key" in text:
        return WarehouseKeyError(f"{path.name} does not open with this key: check the warehouse key of the site.")
    remedy = _remedy(error)[1:]
    return WarehouseError(
        f"{path.name} cannot be opened ({_kind(error)}): check that the folder is there and writable.{remedy}"
    )
