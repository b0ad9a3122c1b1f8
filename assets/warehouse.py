"""The warehouse: the one encrypted DuckDB file, its connection, and nothing that knows what is stored in it.

The only module that imports the DuckDB driver. Driver errors quote the values they stumble on, which are personal
data, so none of their text leaves this module: a `WarehouseError` says which statement failed and of what kind.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from assets.errors import GallringError

MACROS = Path(__file__).resolve().parents[1] / "sql" / "macros.sql"
Params = Mapping[str, Any] | Sequence[Any]


class WarehouseError(GallringError):
    """A statement failed. Holds the statement's name and the kind of failure, never a value."""


class WarehouseLocked(WarehouseError):
    """Another process has the warehouse open."""


class WarehouseKeyError(WarehouseError):
    """The key is missing, or is not the one that the warehouse was written with."""


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


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _headline(sql: str) -> str:
    """The first words of a statement, to name it in an error. Statements hold no values: those are parameters."""
    words = " ".join(line for line in sql.splitlines() if not line.strip().startswith("--")).split()
    return " ".join(words[:8])


class Warehouse:
    """One connection to one warehouse, with the project's macros and settings on it.

    DuckDB allows one writing process; inside it every part of the product shares this object, or a `cursor()` of it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
        """Wrap an open connection whose database is called `catalog`; use `open` or `in_memory` instead."""
        self._connection = connection
        self._depth = 0
        self._lock = threading.RLock()
        self.catalog = catalog

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
        connection = duckdb.connect(":memory:", config=settings)
        try:
            connection.execute(f"load {_quoted(str(extension_path('httpfs')))}")
            if temporary is not None:
                temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
                connection.execute(f"set temp_directory = {_quoted(str(temporary))}")
            connection.execute("set temp_file_encryption = true")
            option = f" (encryption_key {_quoted(key)})" if key else ""
            connection.execute(f"attach {_quoted(str(path))} as warehouse{option}")
        except duckdb.Error as error:
            connection.close()
            raise _opening_error(path, error) from None
        path.chmod(0o600)
        warehouse = cls(connection, "warehouse")
        warehouse._prepare(pseudonym_key)
        return warehouse

    @classmethod
    def in_memory(cls, *, pseudonym_key: bytes = b"", threads: int | None = None) -> Warehouse:
        """A warehouse that lives in memory alone, for scenarios and tests."""
        config: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
        if threads:
            config["threads"] = threads
        connection = duckdb.connect(":memory:", config=config)
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
        path = "memory.main" if self.catalog == "memory" else f"{self.catalog}.main,memory.main"
        connection.execute(f"set search_path = '{path}'")
        connection.execute("set timezone = 'Europe/Stockholm'")

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

    def batches(self, sql: str, params: Params | None = None, size: int = 10_000) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of one query in lists of at most `size`, without holding them all."""
        cursor = self.cursor()
        try:
            cursor.execute(sql, params) if params is not None else cursor.execute(sql)
            while chunk := cursor.fetchmany(size):
                yield chunk
        except duckdb.Error as error:
            raise _failure(sql, error) from None
        finally:
            cursor.close()

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

    def exists(self, schema: str, table: str) -> bool:
        """Whether a table or view is there."""
        return bool(
            self.value(
                "select count(*) from information_schema.tables "
                "where table_catalog = ? and table_schema = ? and table_name = ?",
                [self.catalog, schema, table],
            )
        )

    def columns(self, schema: str, table: str) -> list[str]:
        """The column names of a table in order; empty when there is no such table."""
        found = self.rows(
            "select column_name from information_schema.columns "
            "where table_catalog = ? and table_schema = ? and table_name = ? order by ordinal_position",
            [self.catalog, schema, table],
        )
        return [name for (name,) in found]

    @contextmanager
    def transaction(self) -> Iterator[Warehouse]:
        """All or nothing: commits at the end, rolls back on any exception. Nested uses join the outer one."""
        with self._lock:
            if self._depth == 0:
                self._connection.begin()
            self._depth += 1
            try:
                yield self
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.rollback()
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.commit()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A second connection to the same open database, for libraries that commit and roll back by themselves."""
        cursor = self._connection.cursor()
        self._use(cursor)
        return cursor

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        self.run(f"checkpoint {self.catalog}" if self.catalog != "memory" else "checkpoint")

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


def _hmac_pads(key: bytes) -> tuple[str, str]:
    """The two HMAC-SHA-256 pads (RFC 2104) of `key` in hexadecimal, so that plain SQL can compute the rest."""
    import hashlib

    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    return bytes(byte ^ 0x36 for byte in block).hex(), bytes(byte ^ 0x5C for byte in block).hex()


def _folded(name: str) -> str:
    """Unicode's full case folding with every run of white space collapsed to one space."""
    return " ".join(name.casefold().split())


def _kind(error: duckdb.Error) -> str:
    return type(error).__name__.removesuffix("Exception").lower() + " error"


#: Kinds whose text speaks of tables and columns alone, never of a stored value.
_STRUCTURAL = (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException)


def _failure(sql: str, error: duckdb.Error) -> WarehouseError:
    detail = f": {str(error).splitlines()[0]}" if isinstance(error, _STRUCTURAL) else ""
    return WarehouseError(f"{_kind(error)} in `{_headline(sql)} …`{detail}")


def _opening_error(path: Path, error: duckdb.Error) -> WarehouseError:
    text = str(error)
    if "lock" in text.lower():
        return WarehouseLocked(f"{path.name} is open in another process: wait for that run to end, then try again.")
    if "encrypt" in text.lower() or "key" in text.lower():
        return WarehouseKeyError(f"{path.name} does not open with this key: check the warehouse key of the site.")
    return WarehouseError(
        f"{path.name} cannot be opened ({_kind(error)}): check that the folder is there and writable."
    )
