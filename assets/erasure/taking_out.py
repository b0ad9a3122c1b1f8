"""Erasure in place: what must go leaves the tables in one transaction, and the file when that is written anew.

Holds what a table loses (`Change`), how its few rows make way for others and how that is proved before it is committed;
and until when the file may hold the bytes of what left its tables so (`lingering`). No table shows such values, to
nobody; they stand in places of the file that DuckDB has not used again, as minima and maxima of old columns, too.
Finds nothing that must go, and decides nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from assets.erasure.periods import last_day
from assets.warehouse import RewriteFailed, Warehouse, identifier

#: The rows that take the place of others.
_INSTEAD = "rows_instead"


@dataclass(frozen=True)
class Change:
    """What a table loses.

    Attributes:
        selects: the SELECTs that together give all rows of the table without it, each in the memory that it takes.
        instead: the SELECT that gives the rows to stand in the place of those that make way, in the table's columns.
        rows: the condition of the rows that make way, and of those that take their place: by what changes in none.
        gone: the condition of those of them that leave altogether.
        stays: the columns of which nothing changes.
        count: how many rows make way, about.
    """

    selects: Sequence[str]
    instead: str
    rows: str
    stays: tuple[str, ...]
    count: int
    gone: str = "false"


@dataclass(frozen=True)
class Lingering:
    """Values that left the tables on the day `since` or after it, and the file's bytes by the end of `until`."""

    since: date
    until: date


def take_out(warehouse: Warehouse, changes: Mapping[str, Change]) -> int:
    """Take from tables what they lose, and prove it: how many rows made way. Runs inside the caller's transaction.

    Each table must hold as many rows as before but for those that leave; in the columns that stay they must hold what
    they held, and in all columns what was to take their place.

    Raises:
        RewriteFailed: a table does not hold exactly what was to stay. The caller's transaction is to be taken back.
    """
    return sum(_replace(warehouse, table, change) for table, change in changes.items())


def _replace(warehouse: Warehouse, table: str, change: Change) -> int:
    schema, name = table.split(".")
    full = f"{schema}.{identifier(name)}"
    staying = f"coalesce(sum(hash({', '.join(identifier(column) for column in change.stays)})), 0)"
    everything = "coalesce(sum(hash(*columns(*))), 0)"
    warehouse.run(f"create or replace temp table {_INSTEAD} as {change.instead}")
    rows = _asked(warehouse, f"select count(*) from {full}")[0]
    made_way, leaving = _asked(
        warehouse, f"select count(*), count(*) filter (where {change.gone}) from {full} as each_row where {change.rows}"
    )
    stayed = _asked(warehouse, f"select {staying} from {full} as each_row where {change.rows} and not ({change.gone})")
    wanted = _asked(warehouse, f"select count(*), {everything} from temp.{_INSTEAD} as each_row")
    warehouse.run(f"delete from {full} as each_row where {change.rows}")
    warehouse.run(f"insert into {full} by name from temp.{_INSTEAD}")
    found = _asked(warehouse, f"select count(*), {everything}, {staying} from {full} as each_row where {change.rows}")
    left = _asked(warehouse, f"select count(*) from {full}")[0]
    warehouse.run(f"drop table temp.{_INSTEAD}")
    if found != (made_way - leaving, wanted[1], *stayed) or wanted[0] != found[0] or left != rows - leaving:
        raise RewriteFailed(
            f"Table {table} would not hold what was to stay: nothing was changed. Look for a failing disk; "
            "`gallring restore` brings back the last backup."
        )
    return made_way


def _asked(warehouse: Warehouse, question: str) -> tuple[int, ...]:
    return tuple(int(each) for each in warehouse.rows(question)[0])


def lingering(warehouse: Warehouse, period: str) -> Lingering | None:
    """Since when and until when the file may hold bytes of what left its tables since it was last written anew.

    None: it holds none. A period that was shortened since counts at once; one that was lengthened, for what leaves the
    tables from then on, because the earlier day was promised.

    Args:
        warehouse: with or without `erasure.rewrites`, also of an earlier version.
        period: how long the file may hold them.
    """
    if "bytes_until" not in warehouse.columns("erasure", "rewrites"):
        return None
    taken = warehouse.rows(
        "select as_of, bytes_until from erasure.rewrites where bytes_until is not null and sequence > "
        "(select coalesce(max(sequence), 0) from erasure.rewrites where bytes_until is null)"
    )
    if not taken:
        return None
    return Lingering(min(on for on, _ in taken), min(min(until, last_day(on, period)) for on, until in taken))
