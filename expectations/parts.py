"""Reading what a large SELECT reads by parts: a range of records at a time, in the memory that one range takes.

A SELECT file says of itself that it can be made so, in its header: `By parts: row_id of schema.table, schema.other.`
Those tables have the column, and the rows of each that meet have the same number there. Knows nothing of who runs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: Up to how many records are read in one statement whatever the memory, and how many at least at once when there are
#: more. Every part looks through the whole tables, whose rows lie in no order: the fewer parts, the better.
FEW, AT_ONCE = 4_000_000, 500_000
#: How many at most at once, and the bytes of the memory limit that each may take, its rows in every table counted.
#: Parts of nine million took 24 GB, where the limit was 19: DuckDB takes more than it counts where it spills.
MOST_AT_ONCE, BYTES_EACH = 2_500_000, 3_072
#: Of `at_once`: bytes that are always there, so that the memory is not asked for, and that are kept free for what a
#: statement takes beside its rows; and how many rows at least are read at once.
ALWAYS_THERE, FEWEST_AT_ONCE = 64 << 20, 10_000
_MEMORY = "select parse_formatted_bytes(current_setting('memory_limit'))"
_BY_PARTS = re.compile(r"By parts: ([a-z_]+) of ([a-z_., ]+[a-z_])\.$", re.MULTILINE)


def at_once(rows: int, bytes_each: int, count: Callable[[str], int]) -> int:
    """How many of some rows a statement takes that holds so many bytes of each: all of them where there is the memory.

    Args:
        rows: how many there are.
        bytes_each: of the memory limit; what the statement holds beside and what DuckDB does not count are to be in it.
        count: answers a SELECT of one number.
    """
    if rows * bytes_each <= ALWAYS_THERE:
        return max(rows, 1)
    most = max(FEWEST_AT_ONCE, (count(_MEMORY) - ALWAYS_THERE) // bytes_each)
    return -(-rows // -(-rows // most))  # parts of one size


@dataclass(frozen=True)
class Parts:
    """What a SELECT says it can be made by: a column, a number from 0 on, and the tables that are read by ranges of it.

    The first table's largest number is the last that there is.
    """

    column: str
    tables: tuple[str, ...]

    @classmethod
    def of(cls, header: str) -> Parts | None:
        """What the comments that open a file say, each line of them whole; `None` when they say nothing of parts."""
        said = _BY_PARTS.search(header)
        return cls(said.group(1), tuple(said.group(2).split(", "))) if said else None

    def selects(self, select: str, count: Callable[[str], int], bytes_each: int = 0) -> Iterator[str]:
        """The SELECT, or as many as there are ranges: together they return its rows, each row once.

        Args:
            select: what reads the tables, each by its whole name.
            count: answers a SELECT of one number.
            bytes_each: what it holds of each number (`at_once`); 0: a large SELECT of many tables, by `BYTES_EACH`.
        """
        last = count(f"select coalesce(max({self.column}), 0) from {self.tables[0]}")
        if bytes_each:
            size = at_once(last + 1, bytes_each, count)
        else:
            size = last + 1 if last < FEW else max(AT_ONCE, min(MOST_AT_ONCE, count(_MEMORY) // BYTES_EACH))
        if size > last:
            yield select
            return
        for first in range(0, last + 1, size):  # open at both ends: whatever number a row has, it is in one of them
            bounds = [f"{self.column} >= {first}"] if first else []
            bounds += [f"{self.column} < {first + size}"] if first + size <= last else []
            inside = " and ".join(bounds)
            rows = inside if first else f"{inside} or {self.column} is null"
            part = select
            for table in self.tables:
                part = re.sub(
                    rf"\b(from|join)\s+{re.escape(table)}(?!\w)", rf"\1 (select * from {table} where {rows})", part
                )
            yield part
