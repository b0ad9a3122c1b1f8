"""Contracts: what each export table looks like: its columns, their types and categories, and how its files are written.

The names, types, data categories, keys and required columns of every table that the rules know are the canonical model;
a company's contracts map its own files onto it. Reads no file: `assets.contracts.declarations` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from string import ascii_lowercase, ascii_uppercase
from typing import Literal

#: Every table that the rules know, in the order in which people and manifests list them.
TABLES: tuple[tuple[str, str], ...] = (
    *(("crm", name) for name in ("customers", "contacts", "interactions", "quotes", "quote_documents", "consents")),
    *(("orders", name) for name in ("orders", "deliveries", "order_lines", "proof_approvals", "invoices", "payments",
                                    "claim_events", "complaints")),
    *(("mailing", name) for name in ("subscribers", "sends")),
    ("web", "events"),
    *(("office", name) for name in ("fiscal_years", "partners", "disclosures", "holds", "requests")),
)  # fmt: skip
CATEGORIES = frozenset(
    {"identity", "email", "phone", "address", "national_id", "content", "transaction", "consent", "behaviour", "device"}
)
DELETED = "_deleted"
#: An extra column in which an export names, by its key, the record that another one was merged into.
SUCCESSOR = "merged_into"
#: The name by which an expression inside a subquery reaches the row that is being read.
ROW = "this"
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)

#: A raw row's own surroundings. `in_delivery` is the delivery that last said something about the row; it is not called
#: `delivery_id` because deliveries of goods have a column of that name. `withheld` names the fields that the source
#: still delivers and that are kept out because a sealed manifest ordered them erased; in the office's
#: registers, what named somebody in an entry that was closed long ago. `changed_in` is the delivery that last changed a
#: value of the row; the same row delivered again leaves it as it is. `row_digest` recognises that row without looking
#: at its values; it is null where the row must be looked at again.
SURROUNDINGS = (
    ("row_id", "bigint"), ("in_source", "boolean"), ("in_delivery", "varchar"), ("withheld", "varchar[]"),
    ("changed_in", "varchar"), ("row_digest", "ubigint"),
)  # fmt: skip
FRESHNESS_DAYS = 3
SHRINK_TOLERANCE = 0.2

ColumnType = Literal["text", "date", "instant", "decimal", "boolean"]
FileKind = Literal["csv", "jsonl", "parquet", "excel"]


def folded(name: str) -> str:
    """A column's name as SQL compares names: `Nr` is `nr`, and `Ä` is not `ä` (DuckDB 1.5.5)."""
    return name.translate(_SMALL)


@dataclass(frozen=True)
class Expression:
    """A checked expression, the columns of the row that it reads, and the lookups it looks into.

    `looked_up` holds what it reads of them: the names that a column may belong to (`this` among them where it may be
    the row's) and the column. It stands in no digest of a row: `sql` says as much.
    """

    sql: str
    columns: tuple[str, ...]
    lookups: tuple[str, ...]
    looked_up: tuple[tuple[tuple[str, ...], str], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Format:
    """How a file is written. Nothing of it is ever guessed."""

    kind: FileKind = "csv"
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    decimal_mark: str = "."
    thousands: str = ""
    time_zone: str = "Europe/Stockholm"
    null_tokens: tuple[str, ...] = ()
    sheet: str | None = None


@dataclass(frozen=True)
class Column:
    """One column of a raw table, and where its value comes from in the file.

    Attributes:
        name: its name in the raw table.
        type: what its text must be.
        category: the data category; None for a column that says nothing personal by itself.
        required: a row without it is quarantined, unless a sealed manifest ordered the field erased.
        enum: the values it may take; empty for any.
        remembered: the rules still read its value after an ordered erasure emptied it (`known_<name>`).
        pseudonymised: a keyed hash of its normalised value is kept (`<name>_key`).
        physical: the file's own column; None where the file has none.
        transform: an expression over the file's columns, instead of `physical`.
        date_format: a strptime pattern for dates and instants that are not written the ISO way.
        time_zone: the zone of instants without an offset, where it differs from the file's.
        description: what it means, where its name does not say.
    """

    name: str
    type: ColumnType
    category: str | None = None
    required: bool = False
    enum: tuple[str, ...] = ()
    remembered: bool = False
    pseudonymised: bool = False
    physical: str | None = None
    transform: Expression | None = None
    date_format: str | None = None
    time_zone: str | None = None
    description: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The file's columns that the value is made of."""
        if self.transform is not None:
            return self.transform.columns
        return () if self.physical is None else (self.physical,)


@dataclass(frozen=True)
class Lookup:
    """A file of the same delivery that expressions may look into; it becomes no records itself.

    Attributes:
        name: what expressions call it.
        file_pattern: a glob on file names, by which plain files find it.
        columns: those of the file that are read, by its own names.
        format: how the file is written.
        names: what the contract calls each of the columns.
    """

    name: str
    file_pattern: str
    columns: tuple[str, ...]
    format: Format
    names: tuple[str, ...] = ()

    @property
    def readable(self) -> dict[str, str]:
        """The file's columns by every name that an expression may read them by: the file's own, and the contract's."""
        found = {column: column for column in self.columns}
        known = {folded(column) for column in self.columns}
        for name, column in zip(self.names, self.columns, strict=False):
            if folded(name) not in known:
                known.add(folded(name))
                found[name] = column
        return found


@dataclass(frozen=True)
class Contract:
    """One export table: where it comes from, how its file is written, and what its columns mean.

    Attributes:
        source: the system that delivers it (`crm`).
        table: its name there (`customers`).
        record_type: the rules' word for one row (`customer`); None for the office's own registers.
        description: one sentence on what a row is.
        label: what the company calls its rows in letters and reports; empty: what everybody calls them.
        key: the column that names a row.
        columns: the raw table's columns in order, the key among them.
        optional: never arrived counts as empty.
        freshness_days: how old the latest full delivery may be; None for never stale.
        shrink_tolerance: the share of rows that a full delivery may lose against the one before; None for any.
        file_pattern: a glob on file names, by which plain files find their table.
        format: how the file is written.
        row_filter: rows of the file that are in scope, where not all are.
        lookups: further files that expressions look into.
        file_columns: the file's columns in order, where it has no header.
        declared: False for a table that this company does not deliver at all.
        digest: SHA-256 of the contract file, or of those of all its layouts.
        other_layouts: the same table as further systems of this source write it, each with the same columns.
        deletion: what says that a row of a delta has left, where it is not the file's own column `_deleted`. It is read
            in deltas alone, and stands in no digest of a row, which a full delivery has to find again.
        last_by: by which of several rows of one key the last one counts: a column of the table, or one that is read
            for this alone. A full delivery need not have it, and it stands in no digest of a row either.
    """

    source: str
    table: str
    record_type: str | None
    key: str
    columns: tuple[Column, ...]
    optional: bool = False
    freshness_days: int | None = None
    shrink_tolerance: float | None = None
    file_pattern: str = ""
    format: Format = field(default_factory=Format)
    row_filter: Expression | None = None
    lookups: tuple[Lookup, ...] = ()
    file_columns: tuple[str, ...] = ()
    declared: bool = True
    digest: str = ""
    description: str = ""
    label: str = ""
    other_layouts: tuple[Contract, ...] = field(default=(), repr=False)
    deletion: Column | None = field(default=None, repr=False)
    last_by: Column | None = field(default=None, repr=False)

    @property
    def layouts(self) -> tuple[Contract, ...]:
        """Every way in which files of this table are written; nearly always one."""
        return (self, *self.other_layouts)

    def layout_for(self, file_name: str) -> Contract | None:
        """The layout of a file; None where there are several and the name does not match exactly one of them."""
        if not self.other_layouts:
            return self
        matching = [layout for layout in self.layouts if fnmatchcase(file_name, layout.file_pattern)]
        return matching[0] if len(matching) == 1 else None

    def layouts_missing(self, file_names: Sequence[str]) -> list[str]:
        """The patterns of the layouts of which no file is there, where there are several."""
        return [
            layout.file_pattern for layout in self.layouts
            if self.other_layouts and not any(fnmatchcase(name, layout.file_pattern) for name in file_names)
        ]  # fmt: skip

    @property
    def all_lookups(self) -> tuple[Lookup, ...]:
        """The lookups of every layout, each once."""
        return tuple({lookup.name: lookup for layout in self.layouts for lookup in layout.lookups}.values())

    @property
    def raw_table(self) -> str:
        """The table's name in the schema `raw`."""
        return f"{self.source}_{self.table}"

    @property
    def name(self) -> str:
        """`source/table`, as people write it."""
        return f"{self.source}/{self.table}"

    @property
    def key_column(self) -> Column:
        """The column that names a row."""
        return self.column(self.key)

    def column(self, name: str) -> Column:
        """The column called `name`."""
        return next(column for column in self.columns if column.name == name)

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column of the file that something is made of."""
        found = {name for column in self.columns for name in column.reads}
        found.update(self.row_filter.columns if self.row_filter else ())
        return tuple(sorted(found))

    @property
    def reads_in_delta(self) -> tuple[str, ...]:
        """Every column of a delta's file that something is made of, or that says which rows have left, or came last."""
        beside = (column.reads for column in (self.deletion, self.last_by) if column is not None)
        return tuple(dict.fromkeys((*self.reads, *(name for names in beside for name in names))))

    def in_canonical_form(self) -> Contract:
        """The same table read from rows that already have its column names and the canonical notation."""
        columns = tuple(
            replace(column, physical=column.name, transform=None, date_format=None, time_zone=None)
            for column in self.columns
        )
        return replace(
            self, columns=columns, format=Format(kind="jsonl"), row_filter=None, lookups=(), file_columns=(),
            other_layouts=(), deletion=None, last_by=None,
        )  # fmt: skip


class Contracts(Mapping[tuple[str, str], Contract]):
    """The contracts of every canonical table by `(source, table)`, in the order of `TABLES`."""

    def __init__(self, contracts: Sequence[Contract]) -> None:
        """Hold `contracts`, one a table."""
        self._contracts = {(contract.source, contract.table): contract for contract in contracts}

    def __getitem__(self, name: tuple[str, str]) -> Contract:
        """The contract of `(source, table)`."""
        return self._contracts[name]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """`(source, table)` in order."""
        return iter(self._contracts)

    def __len__(self) -> int:
        """How many tables there are."""
        return len(self._contracts)

    @property
    def sources(self) -> tuple[str, ...]:
        """The systems that deliver, in order."""
        return tuple(dict.fromkeys(contract.source for contract in self.values() if contract.declared))

    def of_source(self, source: str) -> tuple[Contract, ...]:
        """The declared contracts of one system."""
        return tuple(contract for contract in self.values() if contract.source == source and contract.declared)
