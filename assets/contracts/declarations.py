"""The contracts of a folder, a file a table or several, mapped onto the canonical model: the shipped contracts.

Reads folders; what one file says is `assets.contracts.odcs`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from assets.contracts.contract import TABLES, Column, Contract, Contracts, Lookup
from assets.contracts.odcs import read_contract, table_of
from assets.errors import BadInput

CONTRACTS = Path(__file__).resolve().parents[2] / "expectations" / "contracts"


@cache
def canonical() -> Contracts:
    """The shipped contracts, which are also the canonical model. The suite judges them by the standard's schema."""
    return Contracts([read_contract(CONTRACTS / f"{source}_{table}.yaml", None) for source, table in TABLES])


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
    there = list(folder.iterdir()) if folder.is_dir() else []  # a pattern finds nothing in a folder that is closed
    named = (path for path in there if path.suffix in (".yaml", ".yml"))
    for path in sorted(named, key=lambda path: (path.stem, path.suffix)):
        if table_of(path) not in names:
            raise BadInput(
                f"{path}: no table is called {table_of(path)}. Name the file SOURCE_TABLE.yaml after one of "
                f"{', '.join(names)}."
            )
        name = names[table_of(path)]
        model = canonical()[name]
        same = hashlib.sha256(path.read_bytes()).hexdigest() == model.digest  # the shipped file, already read
        layouts.setdefault(name, {})[path] = model if same else read_contract(path, model)
    found = {name: _one_table(contracts) for name, contracts in layouts.items()}
    if not found:
        raise BadInput(f"{folder} holds no contract: add a SOURCE_TABLE.yaml for each table that the company delivers.")
    return Contracts([found.get(name) or _undeclared(canonical()[name]) for name in TABLES])


def _undeclared(model: Contract) -> Contract:
    columns = tuple(replace(column, physical=None) for column in model.columns)
    return replace(
        model, columns=columns, optional=True, freshness_days=None, declared=False, file_pattern="", digest=""
    )


# -- several layouts of one table --------------------------------------------------------------------------------------


def _one_table(contracts: Mapping[Path, Contract]) -> Contract:
    """The layouts of one table as one contract: all have the columns of all, which are what the first says they are."""
    if len(contracts) == 1:
        return next(iter(contracts.values()))
    first = next(iter(contracts))
    if first.stem != table_of(first):
        raise BadInput(f"{first}: it is a further layout of {table_of(first)}.yaml, which is not there. Add that one.")
    columns: dict[str, Column] = {}
    lookups: dict[str, Lookup] = {}
    patterns: dict[str, Path] = {}
    for path, contract in contracts.items():
        if (known := patterns.setdefault(contract.file_pattern, path)) != path:
            raise BadInput(
                f"{path}: {contract.table}: physicalName: files called {contract.file_pattern} are those of "
                f"{known.name}, so that nobody could tell which is which, and none would be read. Give it another."
            )
        for column in contract.columns:
            _check_same(path, column, columns.setdefault(column.name, column))
        for lookup in contract.lookups:
            if lookups.setdefault(lookup.name, lookup) != lookup:
                raise BadInput(f"{path}: the lookup {lookup.name} is another one in another layout: rename it here.")
    if len({contract.last_by and contract.last_by.type for contract in contracts.values()}) > 1:
        raise BadInput(f"{first}: lastBy must name a column of the same logicalType in every layout of the table.")
    main, *others = [_with_columns(contract, columns) for contract in contracts.values()]
    digests = "\n".join(contract.digest for contract in contracts.values())
    return replace(main, other_layouts=tuple(others), digest=hashlib.sha256(digests.encode()).hexdigest())


def _check_same(path: Path, column: Column, known: Column) -> None:
    if (column.type, column.category) != (known.type, known.category):
        raise BadInput(
            f"{path}: {column.name} needs the logicalType and dataCategory that it has in {table_of(path)}.yaml."
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
