"""How tables were read, and since when: what an export shows can be compared only with what was read the same way.

A contract may change between nights: other rows are in scope, keys or values are made in another way, a column is read
no more. What is missing then is missing from the reading, and no proof that the source let go of it. So the change is
kept (`intake.readings`), with what had been sealed by then; and a contract that is put back reads as it did. A delta
brings some rows alone: after it a table is read in both ways until its next full delivery. Decides nothing:
`sql/delivery/proofs.sql` does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence

from assets.contracts.contract import SUCCESSOR, Column, Contract, Contracts, Expression, Lookup, folded
from assets.warehouse import Warehouse

#: What stands for the rows that are in scope, where a field's name stands for its values.
ROWS = ""

COLUMNS = (
    "source varchar, table_name varchar, what varchar, digest varchar, delivery_id varchar, extracted_at timestamp, "
    "sequence bigint, sealed_before bigint"
)

#: How each table was read, what came last at the end. What is read no more is noted beside the delivery before.
_READ = """
select table_name, what, list(coalesce(digest, '') order by sequence, digest is null) as digests
from intake.readings
where source = $source
group by table_name, what
"""
#: What stands for being read no more, among the digests of `_READ`.
_NO_MORE = ""

#: What was read last, of a table that is not among those that are about to be read, is as its last delivery left it.
_UNDECLARED = """
insert into intake.readings by name
select source, table_name, what, cast(null as varchar) as digest, delivery_id, extracted_at, sequence,
    $sealed as sealed_before
from intake.readings
where source = $source and table_name = $table and what = $what
order by sequence desc, digest is null desc
limit 1
"""

_SEALED = "select coalesce(max(sequence), 0) from manifest.manifests where system = $source"

_INSERT = """
insert into intake.readings by name
select deliveries.source, changes.table_name, changes.what, changes.digest, deliveries.delivery_id,
    deliveries.extracted_at, deliveries.sequence, $sealed as sealed_before
from (select unnest(cast($changes as struct(table_name varchar, what varchar, digest varchar)[]), recursive := true))
    as changes
inner join intake.deliveries as deliveries
    on deliveries.source = $source and deliveries.delivery_id = $delivery and deliveries.status = 'loaded'
"""


def note(
    warehouse: Warehouse, contracts: Contracts, source: str, delivery_id: str, tables: Collection[str], *, full: bool
) -> None:
    """Keep what of the tables of a delivery that has just been recorded as loaded was read in another way than before.

    A row of `intake.readings` tells of one field, or of the rows in scope (`what` is empty): a digest of how it is read
    from this delivery on (null: no more), and the last sequence number of what had been sealed for the source before
    (null: the table is read for the first time). Call within the delivery's own transaction.

    Args:
        warehouse: where the readings are.
        contracts: by which the delivery was read.
        source: whose delivery it is.
        delivery_id: the delivery.
        tables: those of which a file was loaded.
        full: whether it holds every row of them, so that all are read in this way now.
    """
    before = _read_so_far(warehouse, source)
    for is_first in (True, False):
        changes = [
            {"table_name": table, "what": what, "digest": digest}
            for table in sorted(tables)
            if (table not in before) is is_first
            for what, digest in _changes(before.get(table, {}), contracts[source, table], full=full)
        ]
        if changes:
            sealed = None if is_first else _sealed(warehouse, source)
            given = {"changes": changes, "sealed": sealed, "source": source, "delivery": delivery_id}
            warehouse.run(_INSERT, given)


def note_undeclared(warehouse: Warehouse, contracts: Contracts) -> None:
    """Keep what no contract declares any more, before anything is settled: no delivery shows it, the last one included.

    A column of a company's own that has left its contract is looked at no more, and leaves its table with its values
    (`assets.erasure.undeclared`). What the last delivery held of it is not known then, though that stays the last one.
    Call within a transaction.
    """
    for source in sorted({source for source, _ in contracts}):
        for table, digests in _read_so_far(warehouse, source).items():
            declared = _reading(contracts[source, table])
            for what, known in digests.items():
                if what not in declared and known[-1] != _NO_MORE:
                    given = {"source": source, "table": table, "what": what, "sealed": _sealed(warehouse, source)}
                    warehouse.run(_UNDECLARED, given)


def _read_so_far(warehouse: Warehouse, source: str) -> dict[str, dict[str, list[str]]]:
    """The digests of each table and what is read of it, the last one at the end."""
    found: dict[str, dict[str, list[str]]] = {}
    for table, what, digests in warehouse.rows(_READ, {"source": source}):
        found.setdefault(table, {})[what] = digests
    return found


def _sealed(warehouse: Warehouse, source: str) -> int:
    is_there = warehouse.exists("manifest", "manifests")
    return int(warehouse.value(_SEALED, {"source": source})) if is_there else 0


def _changes(before: dict[str, list[str]], contract: Contract, *, full: bool) -> list[tuple[str, str | None]]:
    """What is read in another way than before, and how now; None for what is read no more."""
    now = dict.fromkeys(before, _NO_MORE) | _reading(contract)
    changes = []
    for what, digest in sorted(now.items()):
        known = before.get(what, [])
        is_as_before = known[-1:] == [digest]
        if not is_as_before and not full and known and digest != _NO_MORE:
            digest = _both(known[-1], digest)
            is_as_before = known[-1] == _both(known[-2], now[what]) if len(known) > 1 else False
        if not is_as_before:
            changes.append((what, digest or None))
    return changes


def _both(before: str, now: str) -> str:
    """The digest of a table of which some rows are read as `before`, others as `now`."""
    return _digest([before, now])


def _reading(contract: Contract) -> dict[str, str]:
    """How the rows in scope, the key and each personal field are read, in every layout of the table: digests."""
    names = [contract.key, *(column.name for column in contract.columns if column.category is not None)]
    successors = [column.name for column in contract.columns if column.name == SUCCESSOR]
    scope = [
        [
            layout.file_pattern if contract.other_layouts else None,
            _made_by(layout, layout.row_filter),
            [_told(layout, layout.column(name)) for name in successors],
            *([_told(layout, layout.last_by)] if layout.last_by else []),  # which of a key's rows are left out
        ]
        for layout in contract.layouts
    ]
    fields = {name: _digest([_told(layout, layout.column(name)) for layout in contract.layouts]) for name in names}
    return {ROWS: _digest(scope), **fields}


def _told(layout: Contract, column: Column) -> list[object]:
    """What the values of a column are made of in a layout, as far as another making could leave them empty."""
    return [
        column.physical, column.type, list(layout.format.null_tokens), layout.format.sheet,
        _places(layout, column.reads), _made_by(layout, column.transform),
    ]  # fmt: skip


def _made_by(layout: Contract, expression: Expression | None) -> list[object] | None:
    """An expression, where in the file its columns stand, and the files that it looks into."""
    if expression is None:
        return None
    used = [lookup for lookup in layout.lookups if lookup.name in expression.lookups]
    looked_into = [[each.name, each.file_pattern, list(each.columns), list(each.format.null_tokens), each.format.sheet,
                    *_meant(each, expression)] for each in used]  # fmt: skip
    return [expression.sql, _places(layout, expression.columns), looked_into]


def _meant(lookup: Lookup, expression: Expression) -> list[list[str]]:
    """The file's columns that an expression reads by the contract's names for them, which say nothing by themselves."""
    read = {folded(column) for names, column in expression.looked_up if lookup.name in names}
    return sorted([name, column] for name, column in lookup.readable.items() if name != column and folded(name) in read)


def _places(layout: Contract, columns: Sequence[str]) -> list[int]:
    """Where columns stand in a file without a header; in any other their names find them."""
    known = () if layout.format.header else layout.file_columns
    return [known.index(name) for name in columns if name in known]


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
