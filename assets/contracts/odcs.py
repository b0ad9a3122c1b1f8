"""One contract, read from a file of the Open Data Contract Standard and checked; every complaint names file and entry.

Reads and checks YAML; opens no export and runs no SQL.
"""

from __future__ import annotations

import codecs
import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import jsonschema
import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty, Server
from pydantic import ValidationError

from assets.contracts.contract import (
    CATEGORIES,
    DELETED,
    FRESHNESS_DAYS,
    ROW,
    SHRINK_TOLERANCE,
    SUCCESSOR,
    SURROUNDINGS,
    Column,
    ColumnType,
    Contract,
    Expression,
    FileKind,
    Format,
    Lookup,
    folded,
)
from assets.contracts.date_patterns import strptime_pattern
from assets.errors import BadInput
from assets.yaml_files import NO_TEXT, read_yaml, wrong_with

_TYPES: dict[str, ColumnType] = {
    "string": "text", "date": "date", "timestamp": "instant", "number": "decimal", "boolean": "boolean",
}  # fmt: skip
_KINDS: dict[str, FileKind] = {
    "csv": "csv", "json": "jsonl", "jsonl": "jsonl", "parquet": "parquet", "excel": "excel", "xlsx": "excel",
}  # fmt: skip
_FORMAT_PROPERTIES = frozenset(
    {"delimiter", "quote", "header", "encoding", "decimalMark", "thousands", "timeZone", "nullTokens", "sheet"}
)
_TABLE_PROPERTIES = frozenset(
    {"role", "recordType", "optional", "shrinkTolerance", "rowFilter", "fileColumns", "lastBy"}
)
_COLUMN_PROPERTIES = frozenset({"dataCategory", "remembered", "pseudonymised"})
#: Of days: 99,999 are more than two centuries, and a calendar bears no number of nine digits.
_MOST_DIGITS = 5
_Otherwise = TypeVar("_Otherwise", str, None)


def table_of(path: Path) -> str:
    """What stands before the first dot of a contract's name: `orders_orders` of `orders_orders.till.yaml`."""
    return path.stem.partition(".")[0]


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
        raise BadInput(f"{path} is not YAML in UTF-8: {wrong_with(error)}.") from None
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


def read_contract(path: Path, model: Contract | None) -> Contract:
    """The contract that a file declares.

    Args:
        path: the file; its name says source and table.
        model: the canonical table that it is mapped onto; None for the shipped files, which are the model.

    Raises:
        BadInput: it is no ODCS contract, or does not fit the model; the message names file and entry.
    """
    document, digest = _read_document(path, model)
    source, _, table = table_of(path).partition("_")
    if document.domain != source:
        raise BadInput(f"{path}: domain must be {source}, the source that the file's name states.")
    server = _only_server(path, document)
    target, lookup_objects = _schema_objects(path, document, table)
    options = _custom(path, target.name or "", target.customProperties, _TABLE_PROPERTIES | _FORMAT_PROPERTIES)
    lookups = tuple(_read_lookup(path, server, entry) for entry in lookup_objects)
    names = [lookup.name for lookup in lookups]
    last_by = _read_last_by(path, target, model, options, names)
    columns = _read_columns(path, target, model, names, beside=last_by)
    contract = Contract(
        source=source,
        table=table,
        record_type=options.get("recordType") if model is None else model.record_type,
        key=_key_of(path, columns, target) if model is None else model.key,
        columns=columns,
        optional=_is_switched(path, options, "optional", model is not None and model.optional),
        freshness_days=_freshness(path, document, source),
        shrink_tolerance=_shrink_tolerance(path, options, source),
        file_pattern=target.physicalName or f"{table}*.{server.format}",
        format=_read_format(path, server, options),
        row_filter=_row_filter(path, options, names),
        lookups=lookups,
        file_columns=_file_columns(path, target, options),
        digest=digest,
        description=target.description or ("" if model is None else model.description),
        label=" ".join((target.businessName or "").split()),
        deletion=_read_deletion(path, target, names),
        last_by=last_by,
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
        role = _once(path, entry.name or "", entry.customProperties).get("role")
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
    found = _once(path, where, properties)
    unknown = sorted(set(found) - known)
    if unknown:
        raise BadInput(f"{path}: {where}: unknown custom property {unknown[0]}. Known are {', '.join(sorted(known))}.")
    return found


def _once(path: Path, where: str, properties: Any) -> dict[str, Any]:
    """Custom properties by name: of two that contradict each other nobody can tell which is meant."""
    found: dict[str, Any] = {}
    for prop in properties or []:
        if prop.property in found:
            raise BadInput(f"{path}: {where}: the custom property {prop.property} stands twice: keep one.")
        found[prop.property] = prop.value
    return found


def _text(path: Path, options: Mapping[str, Any], name: str, otherwise: _Otherwise) -> str | _Otherwise:
    """An option that is a text; what YAML reads as a number or a truth is not what was written."""
    stated = options.get(name)
    if stated is not None and not isinstance(stated, str):
        raise BadInput(f"{path}: {name} must be text: put it in quotes.")
    return otherwise if stated is None else stated


def _is_switched(path: Path, options: Mapping[str, Any], name: str, otherwise: bool) -> bool:
    stated = _switched(str(path), options, name)
    return otherwise if stated is None else stated


def _switched(where: str, options: Mapping[str, Any], name: str) -> bool | None:
    stated = options.get(name)
    if stated is not None and not isinstance(stated, bool):
        raise BadInput(f"{where}: {name} must be true or false.")
    return stated


def _read_format(path: Path, server: Server, options: Mapping[str, Any]) -> Format:
    kind = _KINDS.get((server.format or "").lower())
    if kind is None:
        raise BadInput(f"{path}: the server's format must be one of {', '.join(_KINDS)}.")
    settings = _custom(path, "servers", server.customProperties, _FORMAT_PROPERTIES)
    settings |= {name: value for name, value in options.items() if name in _FORMAT_PROPERTIES}
    tokens = settings.get("nullTokens", [])
    listed = tokens if isinstance(tokens, list) else [tokens]
    if not all(isinstance(token, str) for token in listed):
        raise BadInput(f"{path}: nullTokens: {NO_TEXT}.")
    found = Format(
        kind=kind,
        delimiter=_text(path, settings, "delimiter", ","),
        quote=_text(path, settings, "quote", '"'),
        encoding=_encoding(path, _text(path, settings, "encoding", "") or server.encoding or "UTF-8"),
        header=_is_switched(path, settings, "header", True),
        decimal_mark=_text(path, settings, "decimalMark", "."),
        thousands=_text(path, settings, "thousands", ""),
        time_zone=_time_zone(path, _text(path, settings, "timeZone", "Europe/Stockholm")),
        null_tokens=tuple(listed),
        sheet=_text(path, settings, "sheet", None),
    )
    _check_format(path, found)
    return found


def _check_format(path: Path, found: Format) -> None:
    if len(found.delimiter.encode()) not in range(1, 5) or set(found.delimiter) & set('\n\r"'):
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
    named = [(prop.name or "", prop.physicalName or prop.name or "") for prop in entry.properties or []]
    if not named:
        raise BadInput(f"{path}: lookup {entry.name} must list the columns that expressions read.")
    _check_names(f"{path}: lookup {entry.name}", named)
    return Lookup(
        name=entry.name or "",
        file_pattern=entry.physicalName or f"{entry.name}*.{server.format}",
        columns=tuple(column for _, column in named),
        format=_read_format(path, server, options),
        names=tuple(name for name, _ in named),
    )


def _check_names(where: str, named: Sequence[tuple[str, str]]) -> None:
    """A lookup's columns are read by their names and by the file's: each must mean one column of the file."""
    files = {folded(column): column for _, column in named}
    known: dict[str, str] = {}
    for name, column in named:
        if known.setdefault(folded(name), column) != column:
            raise BadInput(f"{where}: the column {name} stands twice.")
        if files.get(folded(name), column) != column:
            raise BadInput(
                f"{where}: {name} is the name of one column and the physicalName of another, and an expression could "
                "mean either: call it otherwise."
            )


def _freshness(path: Path, document: OpenDataContractStandard, source: str) -> int | None:
    stated = [entry for entry in document.slaProperties or [] if entry.property == "freshness"]
    if len(stated) > 1:
        raise BadInput(f"{path}: slaProperties: freshness stands twice: keep one.")
    for entry in stated:
        if entry.unit not in ("d", "day", "days") or not _are_days(str(entry.value)):
            raise BadInput(f"{path}: slaProperties: freshness must be a whole number with the unit d.")
        return int(str(entry.value))
    return None if source == "office" else FRESHNESS_DAYS


def _are_days(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _shrink_tolerance(path: Path, options: Mapping[str, Any], source: str) -> float | None:
    if "shrinkTolerance" not in options:
        return None if source == "office" else SHRINK_TOLERANCE
    value = options["shrinkTolerance"]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BadInput(f"{path}: shrinkTolerance must be a share between 0 and 1.")
    return float(value)


def _row_filter(path: Path, options: Mapping[str, Any], lookups: Sequence[str]) -> Expression | None:
    text = _text(path, options, "rowFilter", None)
    return None if text is None else _checked(text, f"{path.name}: rowFilter", lookups)


def _checked(text: str, where: str, lookups: Sequence[str]) -> Expression:
    """As `checked_expression`, whose parser of SQL is read where a contract has an expression, not by each command."""
    from assets.contracts.expressions import checked_expression

    return checked_expression(text, where, lookups)


def _file_columns(path: Path, target: SchemaObject, options: Mapping[str, Any]) -> tuple[str, ...]:
    listed = options.get("fileColumns")
    if listed is not None:
        if not isinstance(listed, list):
            raise BadInput(f"{path}: fileColumns must be a list of names.")
        if not all(isinstance(name, str) for name in listed):
            raise BadInput(f"{path}: fileColumns: {NO_TEXT}.")
        return tuple(listed)
    plain = [prop for prop in target.properties or [] if prop.transformLogic is None]
    return tuple(prop.physicalName or prop.name or "" for prop in plain)


def _check_headerless(path: Path, contract: Contract) -> None:
    if contract.format.kind in ("csv", "excel") and not contract.format.header:
        missing = sorted(set(contract.reads_in_delta) - set(contract.file_columns))
        if missing:
            raise BadInput(
                f"{path}: without a header fileColumns must list every column in order; {missing[0]} is not there."
            )


# -- columns -----------------------------------------------------------------------------------------------------------


def _read_columns(
    path: Path, target: SchemaObject, model: Contract | None, lookups: Sequence[str], *, beside: Column | None
) -> tuple[Column, ...]:
    """The columns of the table; `beside` is one that may be read for another reason alone."""
    own = {}
    for prop in target.properties or []:
        name = prop.name or ""
        if name in own:
            raise BadInput(f"{path}: the column {name} stands twice.")
        own[name] = _read_column(path, prop, _model_column(model, name), lookups)
    if model is None:
        return tuple(own.values())
    own.pop(DELETED, None)
    if beside is not None and _is_of_no_table(beside, model):
        own.pop(beside.name)
    lacking = [column.name for column in model.columns if column.required and column.name not in own]
    if lacking:
        raise BadInput(f"{path}: {lacking[0]} is required: give its physicalName or a transformLogic.")
    taken = [own.pop(column.name) if column.name in own else replace(column, physical=None) for column in model.columns]
    personal = [name for name, column in own.items() if column.category is not None]
    if model.record_type is None and personal:
        raise BadInput(
            f"{path}: {personal[0]} is no column of this register, whose rows are no records: nobody would decide "
            "about it, and it would be kept for ever. Leave it out, and keep it in the system that has it."
        )
    return (*taken, *_extra_columns(path, own))


def _read_deletion(path: Path, target: SchemaObject, lookups: Sequence[str]) -> Column | None:
    """What says that a row of a delta has left, where the contract says it; a column of no table."""
    prop = next((prop for prop in target.properties or [] if prop.name == DELETED), None)
    if prop is None:
        return None
    if prop.logicalType not in (None, "boolean") or prop.required or prop.enum or prop.customProperties:
        raise BadInput(
            f"{path}: {DELETED} takes logicalType boolean, and physicalName or transformLogic, alone: it says which "
            "rows of a delta have left, and is no field."
        )
    return _read_column(path, prop, Column(DELETED, "boolean"), lookups)


def _read_last_by(
    path: Path, target: SchemaObject, model: Contract | None, options: Mapping[str, Any], lookups: Sequence[str]
) -> Column | None:
    """By which of several rows of one key the last one counts, where the contract says it."""
    name = _text(path, options, "lastBy", None)
    if name is None:
        return None
    prop = next((prop for prop in target.properties or [] if prop.name == name != DELETED), None)
    if prop is None:
        raise BadInput(f"{path}: lastBy names {name}, which is no column of this contract: add it to properties.")
    found = _read_column(path, prop, _model_column(model, name), lookups)
    if found.type == "boolean":
        raise BadInput(f"{path}: lastBy: {name} is true or false: name a column of dates, instants, numbers or texts.")
    if _is_of_no_table(found, model) and (prop.required or prop.enum or prop.customProperties):
        raise BadInput(
            f"{path}: {name} has no dataCategory, and is read for lastBy alone: it takes logicalType, its options, and "
            "physicalName or transformLogic."
        )
    return found


def _is_of_no_table(column: Column, model: Contract | None) -> bool:
    """Whether a column is read to tell the last row alone, and stored nowhere."""
    return column.category is None and column.name != SUCCESSOR and _model_column(model, column.name) is None


def _model_column(model: Contract | None, name: str) -> Column | None:
    return None if model is None else next((column for column in model.columns if column.name == name), None)


def _extra_columns(path: Path, extra: Mapping[str, Column]) -> list[Column]:
    for name, column in extra.items():
        if name in dict(SURROUNDINGS) or name.endswith("_key") or name.startswith("known_"):
            raise BadInput(f"{path}: an extra column cannot be called {name}: a table has one of that name already.")
        if not name.isidentifier() or name != name.lower() or name.startswith("_"):
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
    transform = None if prop.transformLogic is None else _checked(prop.transformLogic, where, lookups)
    return Column(
        name=name,
        type=column_type,
        category=_category(path, name, _text(path, options, "dataCategory", None), model),
        required=bool(prop.required) if model is None else model.required or bool(prop.required),
        enum=_enum(path, prop, model),
        remembered=_switch(path, name, "remembered", options, model),
        pseudonymised=_switch(path, name, "pseudonymised", options, model),
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


def _switch(path: Path, name: str, switch: str, options: Mapping[str, Any], model: Column | None) -> bool:
    """Whether a column is remembered or pseudonymised: the canonical model says it of its own columns."""
    stated = _switched(f"{path}: {name}", options, switch)
    if model is None:
        return bool(stated)
    canonical = bool(getattr(model, switch))
    if stated not in (None, canonical):
        raise BadInput(
            f"{path}: {name}: {switch} is {str(canonical).lower()} of the canonical column, whatever a contract says. "
            "Leave it out, or deliver the value in a column of your own as well."
        )
    return canonical


def _enum(path: Path, prop: SchemaProperty, model: Column | None) -> tuple[str, ...]:
    if any(entry.value is None or isinstance(entry.value, bool) for entry in prop.enum or []):
        raise BadInput(f"{path}: {prop.name}: enum: {NO_TEXT}.")
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


def _date_options(path: Path, prop: SchemaProperty, column_type: ColumnType) -> tuple[str | None, str | None]:
    """The strptime pattern and the time zone of a column, where the contract states its own."""
    options = prop.logicalTypeOptions or {}
    if column_type not in ("date", "instant"):
        return None, None
    pattern, zone = options.get("format"), options.get("defaultTimezone")
    return (
        None if pattern is None else strptime_pattern(f"{path}: {prop.name}", str(pattern)),
        None if zone is None else _time_zone(path, str(zone)),
    )
