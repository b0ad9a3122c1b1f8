"""Columns by which rows named records, and that come empty: what hangs on them would seem to be nobody's.

Told while a delivery is loaded, by the rows as they stood before it; `intake.emptied` keeps what came empty until a
full delivery names records again, or a person says that it is right. Twenty rows, as for tables that shrank: of few,
all may well name nothing. What named nothing before, and what the contract does not read, is never told.
"""

from __future__ import annotations

from collections.abc import Sequence

from assets.contracts.contract import Contract
from assets.contracts.raw_tables import RAW_LINKS
from assets.ingest.merging import Staging
from assets.ingest.recognising import came_again
from assets.warehouse import Warehouse, identifier

COLUMNS = (
    "source varchar, table_name varchar, layout varchar, column_name varchar, delivery_id varchar, "
    "rows_brought bigint, rows_expected bigint"
)
#: From so many rows on that named a record, or would have.
FEWEST = 20

_OF = "source = $source and table_name = $table"
_ONE = "layout = $layout and column_name = $column"
_VALUES = "$source, $table, $layout, $column, $delivery, $brought, $expected"


def note(warehouse: Warehouse, staging: Staging, layouts: Sequence[Contract | None]) -> None:
    """Keep which references of a table come empty, and forget those that a full delivery brings back.

    Call within the delivery's transaction, when its rows are staged and not merged yet.

    Args:
        warehouse: in a transaction.
        staging: the rows.
        layouts: of each of the delivery's files, in order.
    """
    contract = staging.contract
    if not staging.known.rows:
        return
    of_table = {"source": contract.source, "table": contract.table}
    before = set(warehouse.rows(f"select layout, column_name from intake.emptied where {_OF}", of_table))
    counts = _counts(warehouse, staging)
    for pattern, files in _by_layout(contract, layouts).items():
        brought = sum(counts[file][""] for file in files if file in counts)
        for column in references(layouts[files[0] - 1] or contract):
            is_known = (pattern, column) in before
            if brought < FEWEST and not is_known:
                continue
            one = {**of_table, "layout": pattern, "column": column}
            if any(counts[file][column] for file in files if file in counts) or _came_again(
                warehouse, staging, files, column
            ):
                if is_known and staging.full:
                    warehouse.run(f"delete from intake.emptied where {_OF} and {_ONE}", one)
            elif not is_known and (expected := _expected(warehouse, staging, files, column)) >= FEWEST:
                told = {"delivery": staging.delivery_id, "brought": brought, "expected": expected}
                warehouse.run(f"insert into intake.emptied values ({_VALUES})", one | told)


def references(layout: Contract) -> list[str]:
    """The columns in which a layout's rows name other records, as far as its files are read for them."""
    return [
        column.name for column in layout.columns
        if column.name in RAW_LINKS and column.name != layout.key
        and (column.physical is not None or column.transform is not None)
    ]  # fmt: skip


def _by_layout(contract: Contract, layouts: Sequence[Contract | None]) -> dict[str, list[int]]:
    """The numbers of the files of each layout, by its pattern; of a table with one layout all, under no pattern."""
    files: dict[str, list[int]] = {}
    for number, layout in enumerate(layouts, start=1):
        files.setdefault(layout.file_pattern if layout and contract.other_layouts else "", []).append(number)
    return files


def _counts(warehouse: Warehouse, staging: Staging) -> dict[int, dict[str, int]]:
    """The rows to be loaded of each file, under an empty name, and how many of them name something in each column."""
    names = [column.name for column in staging.contract.columns if column.name in RAW_LINKS]
    counted = "".join(f", count({identifier(name)})" for name in names)
    found = warehouse.rows(
        f"select _file, count(*){counted} from {staging.table} where _failure = 0 and not _deleted group by _file"
    )
    return {file: dict(zip(["", *names], numbers, strict=True)) for file, *numbers in found}


def _came_again(warehouse: Warehouse, staging: Staging, files: Sequence[int], column: str) -> bool:
    """Whether a row that names a record in a column came again as it was, in one of some files."""
    name, raw = identifier(column), f"raw.{identifier(staging.contract.raw_table)}"
    named = f"select exists (select 1 from {raw} where {name} is not null"
    return (
        staging.recognised
        and bool(warehouse.value(f"{named})"))  # most often none does, and it costs nothing to ask
        and bool(warehouse.value(f"{named} and row_id in ({came_again(files)}))"))
    )


def _expected(warehouse: Warehouse, staging: Staging, files: Sequence[int], column: str) -> int:
    """How many of the rows would name a record: those that did, and of new ones the share that all others have.

    A source that deletes a record as ordered often empties what names it. Whose layout a known row came by nobody has
    kept, so that of several layouts known rows alone count.
    """
    contract, name = staging.contract, f"old.{identifier(column)}"
    raw = f"raw.{identifier(contract.raw_table)}"
    rows, naming = warehouse.rows(f"select count(*), count({name}) from {raw} as old where old.in_source")[0]
    if not naming:
        return 0
    erased = "select record_key from manifest.told where record_type = $named and state = 'erase' and action = 'erase'"
    did, new = warehouse.rows(
        f"select count(*) filter (where in_source and is_kept), count(*) filter (where row_id is null) "
        f"from (select old.row_id, old.in_source, {name} not in ({erased}) as is_kept from {staging.table} as new "
        f"left join {raw} as old on cast(old.{identifier(contract.key)} as varchar) = new._key "
        "where new._failure = 0 and not new._deleted and list_contains($files, new._file))",
        {"named": RAW_LINKS[column], "files": list(files)},
    )[0]
    return int(did) + (0 if contract.other_layouts else int(new * naming // rows))
