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
_MEMORY = "select parse_formatted_bytes(current_setting('memory_limit'))"
_BY_PARTS = re.compile(r"By parts: ([a-z_]+) of ([a-z_., ]+[a-z_])\.$", re.MULTILINE)


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

    def selects(self, select: str, count: Callable[[str], int]) -> Iterator[str]:
        """The SELECT, or as many as there are ranges: together they return its rows, each row once.

        Args:
            select: what reads the tables, each by its whole name.
            count: answers a SELECT of one number.
        """
        last = count(f"select coalesce(max({self.column}), 0) from {self.tables[0]}")
        if last < FEW:
            yield select
            return
        at_once = max(AT_ONCE, min(MOST_AT_ONCE, count(_MEMORY) // BYTES_EACH))
        for first in range(0, last + 1, at_once):
            inside = f"{self.column} between {first} and {first + at_once - 1}"
            rows = inside if first else f"{inside} or {self.column} is null"
            part = select
            for table in self.tables:
                part = re.sub(
                    rf"\b(from|join)\s+{re.escape(table)}\b", rf"\1 (select * from {table} where {rows})", part
                )
            yield part
