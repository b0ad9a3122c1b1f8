"""Draws the sample company's rows: every export's CSV, a range of customers at a time, on every core.

Every trait is arithmetic over a seed (`sql/`), so ranges know nothing of each other and the bytes do not depend on who
draws what. Knows no delivery and no inbox.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from assets.contracts.contract import DELETED
from assets.contracts.declarations import canonical
from assets.warehouse import Warehouse, identifier

SQL = Path(__file__).resolve().parent / "sql"

#: How many customers' rows are drawn at once. Bounds the memory.
RANGE = 25_000

Mode = Literal["full", "delta"]
#: A source and its table.
Table = tuple[str, str]


@dataclass(frozen=True)
class Night:
    """Which company, drawn from which seed and told as of which day, and what a night's exports tell of it.

    Attributes:
        customers: how many generated customers.
        seed: another seed, another company.
        day: the day that the company is told as of.
        news_share: of how many customers in ten thousand there is news on that day.
        mode: `full` tells every row, `delta` those alone that the news makes, changes or takes away.
    """

    customers: int
    seed: int
    day: date
    news_share: int = 0
    mode: Mode = "full"


@dataclass(frozen=True)
class Drawn:
    """A file with some customers' rows of one table; the first file of a table begins with the header."""

    path: Path
    rows: int


@cache
def tables() -> tuple[Table, ...]:
    """Source and table of every export that the sample company has, in order."""
    return tuple(sorted((path.parent.name, path.stem) for path in SQL.glob("*/*.sql")))


def drawn(night: Night, folder: Path) -> Iterator[Mapping[Table, Drawn]]:
    """Write the night's rows into `folder`; for each range of customers, in order, one file a table.

    A few ranges are drawn ahead, so the files are to be taken away as they come.
    """
    starts = range(1, night.customers + 1, RANGE)
    number = min(os.cpu_count() or 1, len(starts))
    ahead: deque[Future[dict[Table, Drawn]]] = deque()
    with _drawers(night, number) as (pool, free):
        for first in starts:
            ahead.append(pool.submit(_draw, free, night, first, folder))
            if len(ahead) > number:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@contextmanager
def _drawers(night: Night, number: int) -> Iterator[tuple[ThreadPoolExecutor, SimpleQueue[Warehouse]]]:
    """As many connections as there are threads; a thread takes one for a range and puts it back."""
    free: SimpleQueue[Warehouse] = SimpleQueue()
    opened = [_prepared(night) for _ in range(number)]
    for warehouse in opened:
        free.put(warehouse)
    pool = ThreadPoolExecutor(number)
    try:
        yield pool, free
    finally:
        pool.shutdown(cancel_futures=True)
        for warehouse in opened:
            warehouse.close()


def _prepared(night: Night) -> Warehouse:
    warehouse = Warehouse.in_memory(threads=1)
    _set(warehouse, seed=night.seed, day=night.day, news_share=night.news_share, news_alone=night.mode == "delta")
    warehouse.script(SQL / "draws.sql")
    return warehouse


def _set(warehouse: Warehouse, **variables: int | date) -> None:
    for name, value in variables.items():
        warehouse.run(f"set variable {identifier(name)} = $value", {"value": value})


def _draw(free: SimpleQueue[Warehouse], night: Night, first: int, folder: Path) -> dict[Table, Drawn]:
    """Write the rows of one range's customers, one file a table."""
    warehouse = free.get()
    try:
        _set(warehouse, first=first, last=min(first + RANGE - 1, night.customers))
        selects = _full(warehouse, night) if night.mode == "full" else _delta(warehouse)
        header = "true" if first == 1 else "false"
        found = {}
        for table, select in selects.items():
            path = folder / f"{'_'.join(table)}-{first}.csv"
            copied = f"copy (\n{select}\n) to $path (format csv, header {header})"
            found[table] = Drawn(path, int(warehouse.value(copied, {"path": str(path)})))
        return found
    finally:
        free.put(warehouse)


def _full(warehouse: Warehouse, night: Night) -> dict[Table, str]:
    """What gives every row of each table."""
    return _company(warehouse, news_told=night.news_share > 0)


def _company(warehouse: Warehouse, *, news_told: bool) -> dict[Table, str]:
    _set(warehouse, news_told=news_told)
    warehouse.script(SQL / "company.sql")
    return {table: (SQL / table[0] / f"{table[1]}.sql").read_text(encoding="utf-8") for table in tables()}


def _delta(warehouse: Warehouse) -> dict[Table, str]:
    """What gives each table's rows that differ with the news told and not told; those that are gone are marked so.

    Both are cut down to the customers with news, so that neither is large.
    """
    for moment, news_told in (("before", False), ("after", True)):
        for table, select in _company(warehouse, news_told=news_told).items():
            warehouse.run(f"create or replace temp table {_name(moment, table)} as {select}")
    return {table: _difference(table) for table in tables()}


def _difference(table: Table) -> str:
    before, after = _name("before", table), _name("after", table)
    key, mark = identifier(canonical()[table].key), identifier(DELETED)
    return f"""
        select *, null as {mark} from (select * from {after} except select * from {before})
        union all
        select *, 'true' as {mark} from {before} as gone
        where not exists (select 1 from {after} as still where still.{key} = gone.{key})
        order by all
    """


def _name(moment: str, table: Table) -> str:
    return identifier("_".join((moment, *table)))
