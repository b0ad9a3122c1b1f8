"""Opening one export file as something to select from, exactly as its contract declares it; nothing is guessed.

CSV, JSON Lines, Parquet and Excel become a `Scan`. An encoding that DuckDB does not read is rewritten as UTF-8 in a
temporary file that goes away with the `Reading`. Knows nothing of types, rules or tables.
"""

from __future__ import annotations

import codecs
import csv
import os
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from xml.parsers import expat

from assets.contracts.contract import DELETED, Contract, Format, Lookup
from assets.ingest.limits import NO_MORE_THAN, Limits
from assets.ingest.projecting import ODD_BYTES, SHARED_OUT, Scan, cleaned
from assets.ingest.quoting import unclosed_quote
from assets.warehouse import Warehouse, WarehouseError, extension_path, identifier, literal

CHUNK = 1 << 20
MOST_PARTS = 10_000
#: Rows that a thread is to read at once: some more than fill a row group (122,880). What fills none is written a second
#: time, put together with what came before and after it.
_ROWS_AT_ONCE = 150_000
#: DuckDB reads so many of the longest lines at once, and gives each thread a quarter of that. What is read at once must
#: be a multiple of sixteen: else the quarters leave a rest shorter than a line, and that line is lost (DuckDB 1.5.5).
_LINES_AT_ONCE, _THREADS_AT_ONCE, _MULTIPLE = 16, 4, 16
#: What is read at once takes no more than such a part of the memory.
_PART_OF_MEMORY = 16
_MARK = "\ufeff"
#: What a file may begin with that says how it is written.
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
#: The part of an Excel file in which the reader looks for its sheets.
_WORKBOOK = "xl/workbook.xml"
JSON_LINE = "_json_line"
#: A number of JSON that may be whole though its text has a dot or an exponent, or that is none.
_WITH_A_DOT = "(?i)-?(?:[0-9]+[.]0|[0-9.]+e[+-]?[0-9]+|nan|inf|infinity)"
#: Stands for a delimiter of several characters while a heading is split: the separator of units, which no name holds.
_STAND_IN = "\x1f"
_scan_numbers = count(1)


class FileRefused(Exception):
    """A file cannot be taken in. The text tells why, without a value of it."""


class Reading:
    """Files of one delivery while they are read; removes what it wrote into the temporary folder."""

    def __init__(self, warehouse: Warehouse, temporary: Path | None, limits: Limits = NO_MORE_THAN) -> None:
        """Read with `warehouse`; `temporary` is where files in other encodings are rewritten."""
        self._warehouse = warehouse
        self._temporary = temporary
        self._limits = limits
        self._stack = ExitStack()
        self._rewritten: dict[tuple[Path, str], Path] = {}

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove temporary files."""
        self._stack.close()

    def scan(self, path: Path, contract: Contract, *, deletions: bool) -> Scan:
        """The file of a table, checked to hold every column that the contract reads.

        Raises:
            FileRefused: a column is missing, or the file is not what the contract declares.
        """
        needed = contract.reads_in_delta if deletions else contract.reads
        wanted = (*needed, *(contract.last_by.reads if contract.last_by else ()))
        wanted = (*wanted, DELETED) if deletions and contract.deletion is None else wanted
        opened = self._open(path, contract.format, needed, wanted, contract.file_columns)
        return replace(opened, layout=contract)

    def load_lookup(self, path: Path, lookup: Lookup) -> int:
        """Keep a lookup file as text in a temporary table for the expressions; returns its rows.

        Raises:
            FileRefused: a column is missing, a line cannot be read, or the file is not what the contract declares.
        """
        scan = self._open(path, lookup.format, lookup.columns, lookup.columns, lookup.columns).in_one_piece()
        texts = ", ".join(
            f"{cleaned(scan.columns[column], lookup.format)} as {identifier(name)}"
            for name, column in lookup.readable.items()
        )
        table = f"temp.{identifier('lookup_' + lookup.name)}"
        self._warehouse.run(f"create or replace temp table {identifier('lookup_' + lookup.name)} as "
                            f"select {texts} from {scan.relation}", scan.params)  # fmt: skip
        if scan.rejects and self._warehouse.value(f"select count(*) from {scan.rejects}"):
            raise FileRefused("a line of the lookup cannot be read")
        return int(self._warehouse.value(f"select count(*) from {table}"))

    def count(self, path: Path, target: Contract | Lookup, *, deletions: bool) -> int:
        """How many rows a file holds, those included that cannot be read.

        Raises:
            FileRefused: a column is missing, or the file is not what the contract declares.
        """
        if isinstance(target, Lookup):
            return self.load_lookup(path, target)
        scan = self.scan(path, target, deletions=deletions).in_one_piece()  # what is counted here is what is stated
        rows = int(self._rows(f"select count(*) from {scan.relation}", scan.params)[0][0])
        unread = self._rows(f"select count(distinct line) from {scan.rejects}", None)[0][0] if scan.rejects else 0
        return rows + int(unread)

    def _open(
        self, path: Path, file_format: Format, needed: Iterable[str], wanted: Sequence[str], listed: tuple[str, ...]
    ) -> Scan:
        if set("*?[") & set(str(path)):
            raise FileRefused("the path of the site holds *, ? or [, which the reader takes for a pattern")
        if path.stat().st_size > self._limits.file_bytes:
            raise FileRefused("the file is larger than file_size under [limits] in gallring.toml allows")
        match file_format.kind:
            case "csv":
                scan = self._csv(self._as_utf8(path, file_format.encoding), file_format, wanted, listed)
            case "jsonl":
                scan = self._json_lines(self._as_utf8(path, file_format.encoding), wanted)
            case "parquet":
                scan = self._parquet(path, wanted)
            case "excel":
                scan = self._excel(path, file_format, wanted, listed)
        missing = sorted(set(needed) - scan.columns.keys())
        if missing:
            raise FileRefused(
                f"the column {missing[0]} is missing" + (f", and {len(missing) - 1} more" * (len(missing) > 1))
            )
        return scan

    # -- formats -------------------------------------------------------------------------------------------------------

    def _csv(self, path: Path, file_format: Format, wanted: Sequence[str], listed: tuple[str, ...]) -> Scan:
        names, ends = csv_heading(path, file_format) if file_format.header else (list(listed), False)
        columns = _named(names, wanted)
        _refuse_unclosed_quote(path, file_format)
        rejects = f"rejects_{next(_scan_numbers)}"
        at_once = self._at_once(path)
        lot = "" if at_once is None else "buffer_size = $at_once, "
        return Scan(
            relation=(
                "read_csv($path, columns = $columns, delim = $delimiter, quote = $quote, escape = $quote, "
                "header = $header, auto_detect = false, compression = 'none', max_line_size = $longest, "
                f"{lot}parallel = ${SHARED_OUT}, store_rejects = true, "
                f"rejects_table = '{rejects}', rejects_scan = '{rejects}_scan')"
            ),
            params={
                "path": str(path), "columns": dict.fromkeys(columns, "VARCHAR"), "delimiter": file_format.delimiter,
                "quote": file_format.quote, "header": file_format.header, "longest": self._limits.line_bytes,
                SHARED_OUT: True,
            } | ({} if at_once is None else {"at_once": at_once}),
            columns={name: identifier(name) for name in columns if name in wanted},
            rejects=rejects,
            heading=int(file_format.header),
            unknown=_unknown(names, wanted),
            oddly_blank=holds_odd_bytes(path),
            rowless=ends and path.stat().st_size <= self._limits.line_bytes,
        )  # fmt: skip

    def _at_once(self, path: Path) -> int | None:
        """How many bytes of a large file to read at once, where the reader's own choice holds too few rows."""
        own = _LINES_AT_ONCE * self._limits.line_bytes
        if path.stat().st_size * _THREADS_AT_ONCE <= own:
            return None
        with path.open("rb") as content:
            beginning = content.read(CHUNK)
        wanted = _THREADS_AT_ONCE * _ROWS_AT_ONCE * len(beginning) // max(beginning.count(b"\n"), 1)
        wanted += -wanted % _MULTIPLE
        memory = int(self._warehouse.value("select parse_formatted_bytes(current_setting('memory_limit'))"))
        return wanted if own < wanted <= memory // _PART_OF_MEMORY else None

    def _json_lines(self, path: Path, wanted: Sequence[str]) -> Scan:
        lines = (
            f"(select * from read_csv($path, columns = {{'{JSON_LINE}': 'VARCHAR'}}, delim = '\x01', quote = '', "
            "escape = '', header = false, auto_detect = false, compression = 'none', max_line_size = $longest) "
            f"where {JSON_LINE} is not null)"
        )
        params = {"path": str(path), "longest": self._limits.line_bytes}
        of_a_line = f"select distinct json_keys({JSON_LINE}) as names from {lines} where {_is_object(JSON_LINE)}"
        names = self._rows(
            "select name, max(times) from (select name, count(*) as times from (select line, unnest(names) as name "
            f"from (select row_number() over () as line, names from ({of_a_line}))) group by line, name) group by name",
            params,
        )
        _named([name for name, times in names for _ in range(times)], wanted)
        return json_scan(lines, params, wanted, sorted(name for name, _ in names) or list(wanted))

    def _parquet(self, path: Path, wanted: Sequence[str]) -> Scan:
        relation, params = "read_parquet($path, hive_partitioning = false)", {"path": str(path)}
        columns = [(str(row[0]), str(row[1])) for row in self._rows(f"describe select * from {relation}", params)]
        names = _outermost(self._rows("select name, num_children from parquet_schema($path)", params))
        _require_as_many(names, columns)
        named = dict(zip(_named(names, wanted), columns, strict=True))
        return Scan(
            relation=relation,
            params=params,
            columns={name: _as_text(*column) for name, column in named.items() if name in wanted},
            unknown=_unknown(names, wanted),
        )

    def _excel(self, path: Path, file_format: Format, wanted: Sequence[str], listed: tuple[str, ...]) -> Scan:
        refuse_bomb(path, self._limits.unpacked_bytes)
        refuse_days_from_1904(path)
        self._warehouse.run(f"load {literal(str(extension_path('excel')))}")
        sheet = f", sheet = {literal(file_format.sheet)}" if file_format.sheet else ""
        options = f"all_varchar = true, stop_at_empty = false{sheet}"
        relation = f"read_xlsx($path, header = {str(file_format.header).lower()}, {options})"
        params = {"path": str(path)}
        cells = [str(row[0]) for row in self._rows(f"describe select * from {relation}", params)]
        names = list(listed)
        if file_format.header:  # as they stand: the reader names a column anew that stands twice
            heading = self._rows(f"select * from read_xlsx($path, header = false, {options}) limit 1", params)
            names = [(name or "").strip() for name in heading[0]]
            _require_as_many(names, cells)
        columns = dict(zip(_named(names, wanted), map(identifier, cells), strict=False))
        filled = f"coalesce({', '.join(map(identifier, cells))}) is not null" if cells else "false"
        return Scan(
            relation=f"(select * from {relation} where {filled})",
            params=params,
            columns={name: cell for name, cell in columns.items() if name in wanted},
            heading=int(file_format.header),
            unknown=_unknown(names, wanted),
        )

    def _rows(self, sql: str, params: dict[str, Any] | None) -> list[tuple[Any, ...]]:
        try:
            return self._warehouse.rows(sql, params)
        except WarehouseError:
            raise FileRefused("the file is not of the format that its contract declares") from None

    # -- encodings -----------------------------------------------------------------------------------------------------

    def _as_utf8(self, path: Path, encoding: str) -> Path:
        """The file itself where it is UTF-8, else a rewritten copy, made once."""
        _refuse_other_mark(path, encoding)
        if encoding in ("utf-8", "ascii"):
            return path
        if (path, encoding) not in self._rewritten:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(dir=self._temporary, prefix="reading-"))
            self._rewritten[path, encoding] = rewrite_as_utf8(path, encoding, Path(folder) / "utf8")
        return self._rewritten[path, encoding]


def _refuse_other_mark(path: Path, encoding: str) -> None:
    """A file that says by its first bytes how it is written must not be read in another way."""
    with path.open("rb") as content:
        first = content.read(3)
    said = next((name for mark, name in _MARKS.items() if first.startswith(mark)), encoding)
    if not encoding.startswith(said) and encoding not in ("utf-16-le", "utf-16-be"):
        raise FileRefused(f"the file is written in {said.upper()}, and its contract says {encoding.upper()}")


def refuse_bomb(path: Path, largest: int) -> None:
    """Look at what a zip (an Excel file is one) says it unpacks to, without unpacking it.

    Raises:
        FileRefused: it is no zip, has more parts than any workbook, or unpacks to more than `largest` bytes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise FileRefused("the file is not of the format that its contract declares") from None
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > largest:
        raise FileRefused("the file unpacks to more than unpacked_size under [limits] in gallring.toml allows")


def refuse_days_from_1904(path: Path) -> None:
    """Look for an Excel file whose days count from 1904: nothing in a cell tells, and each would be four years early.

    Raises:
        FileRefused: it is such a file, or what it says of itself cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if part.filename.lower() == _WORKBOOK:
                    with archive.open(part) as content:
                        _workbook_reader().ParseFile(content)
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, OSError, EOFError, ValueError, RuntimeError):
        raise FileRefused("the file is not of the format that its contract declares") from None


def _workbook_reader() -> expat.XMLParserType:
    """A reader of what a workbook says of itself, which ends where its days count from 1904."""

    def begin(name: str, attributes: dict[str, str]) -> None:
        counts = attributes.get("date1904", "0").strip().lower()
        if name.rpartition(":")[2] == "workbookPr" and counts not in ("0", "false"):
            raise FileRefused(
                "the workbook counts its days from 1904: let it be written as CSV, or with days from 1900 (to switch "
                "that in the workbook itself moves every day in it)"
            )

    def refuse(*_: object) -> None:
        raise FileRefused("the file is not of the format that its contract declares")  # no program writes entities here

    reader = expat.ParserCreate()
    reader.StartElementHandler, reader.StartDoctypeDeclHandler = begin, refuse
    return reader


def rewrite_as_utf8(path: Path, encoding: str, target: Path) -> Path:
    """Write `path` anew as UTF-8, a chunk at a time.

    Raises:
        FileRefused: a byte means nothing in `encoding`.
    """
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with path.open("rb") as source, os.fdopen(descriptor, "wb") as sink:
        try:
            while chunk := source.read(CHUNK):
                sink.write(decoder.decode(chunk).encode())
            sink.write(decoder.decode(b"", final=True).encode())
        except UnicodeError:
            raise FileRefused(f"the file is not {encoding}, as its contract declares") from None
    return target


def holds_odd_bytes(path: Path) -> bool:
    """Whether a file in UTF-8 may hold other blanks than spaces and line ends; a mark at its beginning is none."""
    with path.open("rb") as content:
        chunk = content.read(CHUNK).removeprefix(_MARK.encode())
        while chunk:
            if any(byte in chunk for byte in ODD_BYTES):
                return True
            chunk = content.read(CHUNK)
    return False


def csv_heading(path: Path, file_format: Format) -> tuple[list[str], bool]:
    """The names in the first record of a CSV file in UTF-8, without blanks around them; whether the file ends with it.

    Raises:
        FileRefused: there is none.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if file_format.quote else csv.QUOTE_NONE
    several = len(file_format.delimiter) > 1
    try:
        with path.open("rb") as lines:
            texts = iter(lambda: lines.readline(CHUNK).decode().removeprefix(_MARK), "")
            reader = csv.reader(
                (_with_stand_in(text, file_format.delimiter) for text in texts) if several else texts,
                delimiter=_STAND_IN if several else file_format.delimiter,
                quotechar=file_format.quote or None, quoting=quoting, strict=True,
            )  # fmt: skip
            names = next(reader, None)
            ends = not lines.read(1)
    except (UnicodeDecodeError, csv.Error):
        raise FileRefused("the first line is not a header as the contract declares it") from None
    if not names:
        raise FileRefused("the file is empty: it has no header")
    if several:
        names = [name.replace(_STAND_IN, file_format.delimiter) for name in names]
    return [name.strip() for name in names], ends


def _refuse_unclosed_quote(path: Path, file_format: Format) -> None:
    line = unclosed_quote(path, file_format)
    if line is not None:
        raise FileRefused(f"a quote is not closed, near line {line} or before it")


def _with_stand_in(line: str, delimiter: str) -> str:
    """A line for a reader that knows delimiters of one character alone."""
    if _STAND_IN in line:
        raise csv.Error("the line holds what stands for its delimiter")
    return line.replace(delimiter, _STAND_IN)


def json_scan(
    relation: str, params: dict[str, Any], wanted: Sequence[str], names: Sequence[str], *, oddly_blank: bool = True
) -> Scan:
    """A scan over a relation of JSON texts in a column `_json_line`; a line that is no object has no key.

    Each value is taken out of its line in one place: who cleans a text names it a dozen times.
    """
    members = {name: identifier(f"member {name}") for name in wanted if name in names}
    places = {as_: literal("$." + _json_member(name)) for name, as_ in members.items()}
    value = f"case when _is_object then json_extract_string({JSON_LINE}, %s) end as %s"
    taken = "".join(", " + value % (place, as_) for as_, place in places.items())
    plain = "".join(f", {_json_value(as_, place)} as {as_}" for as_, place in places.items())
    return Scan(
        relation=(
            f"(select {JSON_LINE}, _is_object{plain} from (select {JSON_LINE}, _is_object{taken} "
            f"from (select {JSON_LINE}, {_is_object(JSON_LINE)} as _is_object from {relation}) as told) as taken)"
        ),
        params=params,
        columns=members,
        unknown=_unknown(names, wanted),
        malformed="not _is_object",
        line_text=JSON_LINE,
        oddly_blank=oddly_blank,
    )


def _json_value(text: str, place: str) -> str:
    """A member's text, a number as `_as_number` gives it. What looks like none is not looked at again: most do not."""
    number = _as_number(f"try_cast({text} as double)", text)
    told = f"case when json_type({JSON_LINE}, {place}) = 'DOUBLE' then {number} else {text} end"
    return f"case when regexp_full_match({text}, '{_WITH_A_DOT}') then {told} else {text} end"


def _is_object(line: str) -> str:
    return f"case when json_valid({line}) then json_type({line}) = 'OBJECT' else false end"


def _json_member(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _named(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The file's columns in order; those that nobody reads get names that cannot clash."""
    twice = sorted(name for name, times in Counter(names).items() if times > 1 and name in wanted)
    if twice:
        raise FileRefused(f"the column {twice[0]} stands twice")
    return [name if name in wanted else f"_unread_{number}" for number, name in enumerate(names)]


def _require_as_many(names: Sequence[str], columns: Sequence[object]) -> None:
    if len(names) != len(columns):
        raise FileRefused("the file is not of the format that its contract declares")


def _outermost(nodes: Iterable[tuple[Any, ...]]) -> list[str]:
    """The names of a Parquet file's columns as they stand, which the reader names anew where they stand twice.

    The nodes of the file's schema come each with the number of those below it, beginning with the root.
    """
    names: list[str] = []
    below = 0
    for name, children in islice(nodes, 1, None):
        if below == 0:
            names.append(name)
        below += (children or 0) - (below > 0)
    return names


def _unknown(names: Iterable[str], wanted: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in wanted)


def _as_text(name: str, kind: str) -> str:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {identifier(name)}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    text = f"cast({identifier(name)} as varchar)"
    if kind in ("FLOAT", "DOUBLE"):
        return _as_number(identifier(name), text)
    scale = int(kind.removesuffix(")").rpartition(",")[2]) if kind.startswith("DECIMAL(") else 0
    if not scale:
        return text
    return f"case when suffix({text}, '.{'0' * scale}') then left({text}, -{scale + 1}) else {text} end"


def _as_number(number: str, text: str) -> str:
    """The text of a floating number: a whole one without decimals, and none of what is no number.

    Programs write a column of references with gaps as such numbers, and `1001.0` would name another customer than 1001.
    """
    return (
        f"case when {number} = try_cast({number} as bigint) then cast(try_cast({number} as bigint) as varchar) "
        f"when not isfinite({number}) then null when abs({number}) < 1e38 and {number} = trunc({number}) "
        f"then cast(cast({number} as hugeint) as varchar) else {text} end"
    )
