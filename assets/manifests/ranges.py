"""Ranges of records that are proposed on at once: as many as the memory holds, and all of them where it holds them.

A range is one of `row_id`, the number of a record within its record type, in every table that has it. Types have from a
few to millions of records, so that a range of low numbers holds records of all types and one of high numbers of few:
ranges are cut so that each holds as many records. Knows nothing of what is read by ranges.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Range:
    """The numbers from `first` on to the one before `end`; `None`: no bound on that side."""

    first: int | None = None
    end: int | None = None

    @property
    def is_first(self) -> bool:
        """Whether no range comes before it."""
        return self.first is None

    @property
    def is_all(self) -> bool:
        """Whether it is the only one."""
        return self.first is None and self.end is None

    def holds(self, row_id: str = "row_id") -> str:
        """Whether the range has the number of the column `row_id`, as a condition."""
        bounds = [f"{row_id} >= {self.first}"] if self.first is not None else []
        bounds += [f"{row_id} < {self.end}"] if self.end is not None else []
        return " and ".join(bounds) or "true"

    def of(self, table: str) -> str:
        """The rows of a table that are in it, as a SELECT."""
        return f"select * from {table} where {self.holds()}"


#: All records.
EVERY = Range()


def ranges(last: Sequence[int], at_once: int) -> list[Range]:
    """The ranges that together have every number, each with some `at_once` records at most.

    Args:
        last: the last number of each record type.
        at_once: how many records a range may have, those of all types together.
    """

    def up_to(number: int) -> int:
        return sum(min(number, each) for each in last)

    highest = max(last, default=0)
    count = -(-up_to(highest) // at_once)
    cuts = [bisect_left(range(highest + 1), nth * up_to(highest) // count, key=up_to) for nth in range(1, count)]
    bounds = [None, *sorted(set(cuts)), None]
    return [Range(first, end) for first, end in pairwise(bounds)]
