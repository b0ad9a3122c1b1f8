"""Contracts: what each export table looks like, read from Open Data Contract Standard files.

The shipped contracts are also the canonical model: the names, types, data categories, keys and required columns of
every table that the rules know. Another company's contracts map its own files onto that model. Reads and checks YAML;
opens no export and runs no SQL.
"""

from __future__ import annotations

import codecs
import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import jsonschema
import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty, Server
from pydantic import ValidationError

from assets.errors import BadInput
from assets.ingest.expressions import ROW, Expression, checked_expression
from assets.yaml_files import read_yaml

CONTRACTS = Path(__file__).resolve().parents[2] / "expectations" / "contracts"

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
FRESHNESS_DAYS = 3
SHRINK_TOLERANCE = 0.2

ColumnType = Literal["text", "date", "instant", "decimal", "boolean"]
FileKind = Literal["csv", "jsonl", "parquet", "excel"]
_TYPES: dict[str, ColumnType] = {
    "string": "text", "date": "date", "timestamp": "instant", "number": "decimal", "boolean": "boolean",
}  # fmt: skip
_KINDS: dict[str, FileKind] = {
    "csv": "csv", "json": "jsonl", "jsonl": "jsonl", "parquet": "parquet", "excel": "excel", "xlsx": "excel",
}  # fmt: skip
_FORMAT_PROPERTIES = frozenset(
    {"delimiter", "quote", "header", "encoding", "decimalMark", "thousands", "timeZone", "nullTokens", "sheet"}
)
_TABLE_PROPERTIES = frozenset({"role", "recordType", "optional", "shrinkTolerance", "rowFilter", "fileColumns"})
_COLUMN_PROPERTIES = frozenset({"dataCategory", "remembered", "pseudonymised"})


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
    """A file of the same delivery that expressions may look into; it becomes no records itself."""

    name: str
    file_pattern: str
    columns: tuple[str, ...]
    format: Format


@dataclass(frozen=True)
class Contract:
    """One export table: where it comes from, how its file is written, and what its columns mean.

    Attributes:
        source: the system that delivers it (`crm`).
        table: its name there (`customers`).
        record_type: the rules' word for one row (`customer`); None for the office's own registers.
        description: one sentence on what a row is.
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
    other_layouts: tuple[Contract, ...] = field(default=(), repr=False)

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

    def in_canonical_form(self) -> Contract:
        """The same table read from rows that already have its column names and the canonical notation."""
        columns = tuple(
            replace(column, physical=column.name, transform=None, date_format=None, time_zone=None)
            for column in self.columns
        )
        return replace(
            self, columns=columns, format=Format(kind="jsonl"), row_filter=None, lookups=(), file_columns=(),
            other_layouts=(),
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


@cache
def canonical() -> Contracts:
    """The shipped contracts, which are also the canonical model. The suite judges them by the standard's schema."""
    return Contracts([_read_contract(CONTRACTS / f"{source}_{table}.yaml", None) for source, table in TABLES])


def load_contracts(folder: Path) -> Contracts:
    """Every contract of a folder, mapped onto the canonical model.

    A canonical table without a contract is one that the company does not deliver: it is optional and empty. Files
    called `SOURCE_TABLE.NAME.yaml` beside `SOURCE_TABLE.yaml` are further layouts of that table.

    Raises:
        BadInput: a file is no ODCS contract, or does not fit the canonical model; the message names file and entry.
    """
    if folder.resolve() == CONTRACTS:
        return canonical()
    names = {f"{source}_{table}": (source, table) for source, table in TABLES}
    layouts: dict[tuple[str, str], dict[Path, Contract]] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")], key=lambda path: path.stem):
        if _table_of(path) not in names:
            raise BadInput(
                f"{path}: no table is called {_table_of(path)}. Name the file SOURCE_TABLE.yaml after one of "
                f"{', '.join(names)}."
            )
        name = names[_table_of(path)]
        model = canonical()[name]
        same = hashlib.sha256(path.read_bytes()).hexdigest() == model.digest  # the shipped file, already read
        layouts.setdefault(name, {})[path] = model if same else _read_contract(path, model)
    found = {name: _one_table(contracts) for name, contracts in layouts.items()}
    if not found:
        raise BadInput(f"{folder} holds no contract: add a SOURCE_TABLE.yaml for each table that the company delivers.")
    return Contracts([found.get(name) or _undeclared(canonical()[name]) for name in TABLES])


def _undeclared(model: Contract) -> Contract:
    columns = tuple(replace(column, physical=None) for column in model.columns)
    return replace(
        model, columns=columns, optional=True, freshness_days=None, declared=False, file_pattern="", digest=""
    )


def _table_of(path: Path) -> str:
    """What stands before the first dot of a contract's name: `orders_orders` of `orders_orders.till.yaml`."""
    return path.stem.partition(".")[0]


# -- several layouts of one table --------------------------------------------------------------------------------------


def _one_table(contracts: Mapping[Path, Contract]) -> Contract:
    """The layouts of one table as one contract: all have the columns of all, which are what the first says they are."""
    if len(contracts) == 1:
        return next(iter(contracts.values()))
    first = next(iter(contracts))
    if first.stem != _table_of(first):
        raise BadInput(f"{first}: it is a further layout of {_table_of(first)}.yaml, which is not there. Add that one.")
    columns: dict[str, Column] = {}
    lookups: dict[str, Lookup] = {}
    for path, contract in contracts.items():
        for column in contract.columns:
            _check_same(path, column, columns.setdefault(column.name, column))
        for lookup in contract.lookups:
            if lookups.setdefault(lookup.name, lookup) != lookup:
                raise BadInput(f"{path}: the lookup {lookup.name} is another one in another layout: rename it here.")
    main, *others = [_with_columns(contract, columns) for contract in contracts.values()]
    digests = "\n".join(contract.digest for contract in contracts.values())
    return replace(main, other_layouts=tuple(others), digest=hashlib.sha256(digests.encode()).hexdigest())


def _check_same(path: Path, column: Column, known: Column) -> None:
    if (column.type, column.category) != (known.type, known.category):
        raise BadInput(
            f"{path}: {column.name} needs the logicalType and dataCategory that it has in {_table_of(path)}.yaml."
        )


def _with_columns(contract: Contract, columns: Mapping[str, Column]) -> Contract:
    """A layout with the columns of its table, in their order; one that it does not deliver is null in its rows."""
    own = {column.name: column for column in contract.columns}
    return replace(
        contract,
        columns=tuple(
            replace(own[name], required=column.required, enum=column.enum) if name in own
            else replace(column, physical=None, transform=None)
            for name, column in columns.items()
        ),
    )  # fmt: skip


# -- reading one file --------------------------------------------------------------------------------------------------


@cache
def _standard() -> jsonschema.Draft201909Validator:
    text = resources.files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    return jsonschema.Draft201909Validator(json.loads(text))


def _read_document(path: Path, model: Contract | None) -> tuple[OpenDataContractStandard, str]:
    try:
        document = read_yaml(path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path} is missing.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML in UTF-8: {str(error).splitlines()[0]}.") from None
    if not isinstance(document, dict):
        raise BadInput(f"{path} is not an Open Data Contract Standard document.")
    problem = _problem_of(document, model) if model else None
    if problem is not None:
        raise BadInput(f"{path}: {problem.json_path}: {problem.message}. See the Open Data Contract Standard 3.2.")
    try:
        return OpenDataContractStandard(**document), hashlib.sha256(content).hexdigest()
    except ValidationError as error:
        first = error.errors()[0]
        where = " → ".join(str(part) for part in first["loc"])
        raise BadInput(f"{path}: {where}: {first['msg']}.") from None


def _problem_of(document: dict[str, Any], model: Contract) -> jsonschema.ValidationError | None:
    """What of a document breaks the standard's schema, where anything does."""
    problem: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(
        _standard().iter_errors(_with_stated_types(document, model))
    )
    return problem


def _with_stated_types(document: dict[str, Any], model: Contract) -> dict[str, Any]:
    """The document with the type of canonical columns spelled out.

    They may leave it to the canonical model, but the standard's schema takes a property without a type for a map.
    """
    words = {kind: word for word, kind in _TYPES.items()}
    types = {column.name: words[column.type] for column in model.columns}
    stated = copy.deepcopy(document)
    objects = stated.get("schema")
    for entry in objects if isinstance(objects, list) else []:
        properties = entry.get("properties") if isinstance(entry, dict) else None
        for prop in properties if isinstance(properties, list) else []:
            if isinstance(prop, dict):
                prop.setdefault("logicalType", types.get(str(prop.get("name")), "string"))
    return stated


def _read_contract(path: Path, model: Contract | None) -> Contract:
    document, digest = _read_document(path, model)
    source, _, table = _table_of(path).partition("_")
    if document.domain != source:
        raise BadInput(f"{path}: domain must be {source}, the source that the file's name states.")
    server = _only_server(path, document)
    target, lookup_objects = _schema_objects(path, document, table)
    options = _custom(path, target.name or "", target.customProperties, _TABLE_PROPERTIES | _FORMAT_PROPERTIES)
    lookups = tuple(_read_lookup(path, server, entry) for entry in lookup_objects)
    names = [lookup.name for lookup in lookups]
    columns = _read_columns(path, target, model, names)
    contract = Contract(
        source=source,
        table=table,
        record_type=options.get("recordType") if model is None else model.record_type,
        key=_key_of(path, columns, target) if model is None else model.key,
        columns=columns,
        optional=bool(options.get("optional", False if model is None else model.optional)),
        freshness_days=_freshness(path, document, source),
        shrink_tolerance=_shrink_tolerance(path, options, source),
        file_pattern=target.physicalName or f"{table}*.{server.format}",
        format=_read_format(path, server, options),
        row_filter=_row_filter(path, options, names),
        lookups=lookups,
        file_columns=_file_columns(target, options),
        digest=digest,
        description=target.description or ("" if model is None else model.description),
    )
    _check_headerless(path, contract)
    return contract


def _only_server(path: Path, document: OpenDataContractStandard) -> Server:
    if len(document.servers or []) != 1:
        raise BadInput(f"{path}: servers must hold exactly one server of type local, which tells the file's format.")
    return (document.servers or [])[0]


def _schema_objects(
    path: Path, document: OpenDataContractStandard, table: str
) -> tuple[SchemaObject, list[SchemaObject]]:
    """The object that becomes the table, and those that are looked into."""
    targets: list[SchemaObject] = []
    lookups: list[SchemaObject] = []
    for entry in document.schema_ or []:
        role = {prop.property: prop.value for prop in entry.customProperties or []}.get("role")
        if role not in (None, "lookup"):
            raise BadInput(f"{path}: {entry.name}: role must be lookup, or be left out.")
        (lookups if role == "lookup" else targets).append(entry)
    if [target.name for target in targets] != [table]:
        raise BadInput(f"{path}: schema must hold one object called {table}; mark further files with role lookup.")
    names = [lookup.name for lookup in lookups]
    if len({*names, ROW, table}) != len(names) + 2:
        raise BadInput(f"{path}: lookups need names of their own, other than {table} and {ROW}.")
    return targets[0], lookups


def _custom(path: Path, where: str, properties: Any, known: frozenset[str]) -> dict[str, Any]:
    found = {prop.property: prop.value for prop in properties or []}
    unknown = sorted(set(found) - known)
    if unknown:
        raise BadInput(f"{path}: {where}: unknown custom property {unknown[0]}. Known are {', '.join(sorted(known))}.")
    return found


def _read_format(path: Path, server: Server, options: Mapping[str, Any]) -> Format:
    kind = _KINDS.get((server.format or "").lower())
    if kind is None:
        raise BadInput(f"{path}: the server's format must be one of {', '.join(_KINDS)}.")
    settings = _custom(path, "servers", server.customProperties, _FORMAT_PROPERTIES)
    settings |= {name: value for name, value in options.items() if name in _FORMAT_PROPERTIES}
    tokens = settings.get("nullTokens") or []
    found = Format(
        kind=kind,
        delimiter=str(settings.get("delimiter", ",")),
        quote=str(settings.get("quote", '"')),
        encoding=_encoding(path, str(settings.get("encoding") or server.encoding or "UTF-8")),
        header=bool(settings.get("header", True)),
        decimal_mark=str(settings.get("decimalMark", ".")),
        thousands=str(settings.get("thousands", "")),
        time_zone=_time_zone(path, str(settings.get("timeZone", "Europe/Stockholm"))),
        null_tokens=tuple(str(token) for token in ([tokens] if isinstance(tokens, str) else tokens)),
        sheet=settings.get("sheet"),
    )
    _check_format(path, found)
    return found


def _check_format(path: Path, found: Format) -> None:
    if len(found.delimiter.encode()) not in range(1, 5) or found.delimiter in ("\n", "\r", '"'):
        raise BadInput(f"{path}: delimiter must be one to four characters, such as ; or a tab.")
    if len(found.quote) > 1:
        raise BadInput(f"{path}: quote must be one character, or empty where fields are never quoted.")
    if found.decimal_mark not in (".", ",") or found.decimal_mark in found.thousands:
        raise BadInput(f"{path}: decimalMark must be . or , and must not be among thousands.")


def _encoding(path: Path, name: str) -> str:
    try:
        found = codecs.lookup(name).name
        "".encode(found)
    except LookupError:
        raise BadInput(f"{path}: encoding {name} is not known. Use names such as UTF-8, cp1252, cp437.") from None
    return "utf-8" if found == "utf-8-sig" else found


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(path: Path, name: str) -> str:
    if name not in _time_zones():
        raise BadInput(f"{path}: time zone {name} is not known. Use names such as Europe/Stockholm or UTC.")
    return ZoneInfo(name).key


def _read_lookup(path: Path, server: Server, entry: SchemaObject) -> Lookup:
    options = _custom(path, entry.name or "", entry.customProperties, _FORMAT_PROPERTIES | {"role"})
    columns = tuple(prop.physicalName or prop.name or "" for prop in entry.properties or [])
    if not columns:
        raise BadInput(f"{path}: lookup {entry.name} must list the columns that expressions read.")
    return Lookup(
        name=entry.name or "",
        file_pattern=entry.physicalName or f"{entry.name}*.{server.format}",
        columns=columns,
        format=_read_format(path, server, options),
    )


def _freshness(path: Path, document: OpenDataContractStandard, source: str) -> int | None:
    for entry in document.slaProperties or []:
        if entry.property == "freshness":
            if entry.unit not in ("d", "day", "days") or not str(entry.value).isdigit():
                raise BadInput(f"{path}: slaProperties: freshness must be a whole number with the unit d.")
            return int(str(entry.value))
    return None if source == "office" else FRESHNESS_DAYS


def _shrink_tolerance(path: Path, options: Mapping[str, Any], source: str) -> float | None:
    value = options.get("shrinkTolerance", None if source == "office" else SHRINK_TOLERANCE)
    if value is not None and (not isinstance(value, (int, float)) or not 0 <= value <= 1):
        raise BadInput(f"{path}: shrinkTolerance must be a share between 0 and 1.")
    return None if value is None else float(value)


def _row_filter(path: Path, options: Mapping[str, Any], lookups: Sequence[str]) -> Expression | None:
    text = options.get("rowFilter")
    return None if text is None else checked_expression(str(text), f"{path.name}: rowFilter", lookups)


def _file_columns(target: SchemaObject, options: Mapping[str, Any]) -> tuple[str, ...]:
    listed = options.get("fileColumns")
    if listed is not None:
        return tuple(str(name) for name in listed)
    plain = [prop for prop in target.properties or [] if prop.transformLogic is None]
    return tuple(prop.physicalName or prop.name or "" for prop in plain)


def _check_headerless(path: Path, contract: Contract) -> None:
    if contract.format.kind in ("csv", "excel") and not contract.format.header:
        missing = sorted(set(contract.reads) - set(contract.file_columns))
        if missing:
            raise BadInput(
                f"{path}: without a header fileColumns must list every column in order; {missing[0]} is not there."
            )


# -- columns -----------------------------------------------------------------------------------------------------------


def _read_columns(
    path: Path, target: SchemaObject, model: Contract | None, lookups: Sequence[str]
) -> tuple[Column, ...]:
    own = {}
    for prop in target.properties or []:
        name = prop.name or ""
        if name in own:
            raise BadInput(f"{path}: the column {name} stands twice.")
        own[name] = _read_column(path, prop, _model_column(model, name), lookups)
    if model is None:
        return tuple(own.values())
    lacking = [column.name for column in model.columns if column.required and column.name not in own]
    if lacking:
        raise BadInput(f"{path}: {lacking[0]} is required: give its physicalName or a transformLogic.")
    taken = [own.pop(column.name) if column.name in own else replace(column, physical=None) for column in model.columns]
    return (*taken, *_extra_columns(path, own))


def _model_column(model: Contract | None, name: str) -> Column | None:
    return None if model is None else next((column for column in model.columns if column.name == name), None)


def _extra_columns(path: Path, extra: Mapping[str, Column]) -> list[Column]:
    for name, column in extra.items():
        reserved = name in ("row_id", "in_source", "in_delivery") or name.endswith("_key") or name.startswith("known_")
        if reserved or not name.isidentifier() or name != name.lower() or name.startswith("_"):
            raise BadInput(f"{path}: an extra column cannot be called {name}. Use small letters, digits and _.")
        if column.category is None and name != SUCCESSOR:
            raise BadInput(f"{path}: {name} is no canonical column: give it a dataCategory, or leave it out.")
    return list(extra.values())


def _read_column(path: Path, prop: SchemaProperty, model: Column | None, lookups: Sequence[str]) -> Column:
    name = prop.name or ""
    where = f"{path.name}: {name}"
    options = _custom(path, name, prop.customProperties, _COLUMN_PROPERTIES)
    column_type = _type_of(path, prop, model)
    pattern, time_zone = _date_options(path, prop, column_type)
    transform = None if prop.transformLogic is None else checked_expression(prop.transformLogic, where, lookups)
    return Column(
        name=name,
        type=column_type,
        category=_category(path, name, options.get("dataCategory"), model),
        required=bool(prop.required) if model is None else model.required or bool(prop.required),
        enum=_enum(path, prop, model),
        remembered=bool(options.get("remembered")) if model is None else model.remembered,
        pseudonymised=bool(options.get("pseudonymised")) if model is None else model.pseudonymised,
        physical=None if transform is not None else prop.physicalName or name,
        transform=transform,
        date_format=pattern,
        time_zone=time_zone,
        description=prop.description or ("" if model is None else model.description),
    )


def _type_of(path: Path, prop: SchemaProperty, model: Column | None) -> ColumnType:
    if prop.logicalType is None and model is not None:
        return model.type
    found = _TYPES.get(prop.logicalType or "string")
    if found is None:
        raise BadInput(f"{path}: {prop.name}: logicalType must be one of {', '.join(_TYPES)}.")
    if model is not None and found != model.type:
        raise BadInput(f"{path}: {prop.name}: logicalType must be that of the canonical column, or be left out.")
    return found


def _category(path: Path, name: str, stated: str | None, model: Column | None) -> str | None:
    if stated is not None and stated not in CATEGORIES:
        raise BadInput(f"{path}: {name}: dataCategory must be one of {', '.join(sorted(CATEGORIES))}.")
    if model is None:
        return stated
    if stated not in (None, model.category):
        raise BadInput(f"{path}: {name}: dataCategory must be {model.category}, as in the canonical model.")
    return model.category


def _enum(path: Path, prop: SchemaProperty, model: Column | None) -> tuple[str, ...]:
    stated = tuple(str(entry.value) for entry in prop.enum or [])
    if model is None or not model.enum:
        return stated
    if not set(stated) <= set(model.enum):
        raise BadInput(
            f"{path}: {prop.name}: enum may only hold {', '.join(model.enum)}. Map other values in transformLogic."
        )
    return stated or model.enum


def _key_of(path: Path, columns: Sequence[Column], target: SchemaObject) -> str:
    keys = [prop.name or "" for prop in target.properties or [] if prop.primaryKey]
    if len(keys) != 1:
        raise BadInput(f"{path}: exactly one column must be the primaryKey.")
    return keys[0]


# -- date patterns -----------------------------------------------------------------------------------------------------

#: The standard writes date patterns the Java way; DuckDB reads strptime's.
_JAVA_TO_STRPTIME = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d",
    "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "SSS": "%g", "SSSSSS": "%f", "a": "%p",
    "XXX": "%z", "XX": "%z", "Z": "%z", "EEEE": "%A", "EEE": "%a",
}  # fmt: skip
_PATTERN_PARTS = re.compile(r"'(?P<quoted>[^']*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>[^A-Za-z'])")


def _date_options(path: Path, prop: SchemaProperty, column_type: ColumnType) -> tuple[str | None, str | None]:
    """The strptime pattern and the time zone of a column, where the contract states its own."""
    options = prop.logicalTypeOptions or {}
    if column_type not in ("date", "instant"):
        return None, None
    pattern, zone = options.get("format"), options.get("defaultTimezone")
    return (
        None if pattern is None else _strptime_pattern(f"{path}: {prop.name}", str(pattern)),
        None if zone is None else _time_zone(path, str(zone)),
    )


def _strptime_pattern(where: str, pattern: str) -> str:
    found = []
    for match in _PATTERN_PARTS.finditer(pattern):
        quoted, letters, other = match["quoted"], match["letters"], match["other"]
        if letters and letters not in _JAVA_TO_STRPTIME:
            raise BadInput(
                f"{where}: the date format's {letters} is not known. Use yyyy, MM, dd, HH, mm, ss and the like."
            )
        found.append(_JAVA_TO_STRPTIME[letters] if letters else (quoted or other or "'").replace("%", "%%"))
    return "".join(found)
