"""`analytics.duckdb`: the published copy for analysts, plain and without direct identifiers.

Writes the file and swaps it in. What stands in it is SQL (`assets.catalogue.published`). Reads only what the warehouse
has decided; decides nothing.

A table whose sources are not there yet is published empty. A view is read where it stands: what is wide and repeats
itself is stored once in `stored.*`, by numbers, and put together by views.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from assets.attaching import attached
from assets.catalogue.published import CATALOG, SMALLEST_GROUP, PublishedTable, published_tables
from assets.errors import CheckFailed
from assets.models import SQL
from assets.publication.standings import HELD_PARTS, remember_standing
from assets.retention.explaining import require_evaluation
from assets.site import Site
from assets.warehouse import Warehouse, discard_database, identifier, literal
from assets.writing import flush, put_in_place

if TYPE_CHECKING:
    from assets.policy import Policy

MACROS = SQL / "published_macros.sql"
#: The file is without direct identifiers, but still personal data: readable by the site's own account alone.
FILE_MODE = 0o600
#: How many dispositions make a site whose publication is worth sharing out among threads.
_WORTH_SHARING = 5_000_000

_MACRO = re.compile(r"^-- - (\w+): (.+)$", re.MULTILINE)

#: How many rows each view gives, counted where they are stored: the joins that put a view together take none away.
VIEW_ROWS = {
    "manifest.items": "select count(*) from published.stored.items",
    "retention.dispositions": "select count(*) from published.stored.dispositions",
    "retention.field_dispositions": """
        select coalesce(sum(counted.dispositions), 0)
        from published.stored.fields
        inner join (
            select category, count(*) as dispositions from published.stored.dispositions group by category
        ) as counted on fields.category = counted.category
    """,
    "retention.claims": """
        select
            (
                select coalesce(sum(counted.claims), 0)
                from published.stored.coverage
                inner join (select clock, count(*) as claims from published.stored.claims group by clock) as counted
                    on coverage.clock = counted.clock
                where not coverage.is_shared
            ) + (
                select count(distinct (claims.record, coverage.category, clocks.purpose))
                from published.stored.claims
                inner join published.stored.coverage on claims.clock = coverage.clock
                inner join published.stored.clocks on claims.clock = clocks.clock
                where coverage.is_shared
            )
    """,
}
#: Categories whose dispositions are not one for each record of their kind: counts and sums of hashes tell.
_ASTRAY = """
    select count(*)
    from published.stored.categories
    left join (
        select category, count(*) as held, sum(hash(record)) as which
        from published.stored.dispositions
        group by category
    ) as decided on categories.category = decided.category
    left join (
        select type, count(*) as held, sum(hash(record)) as which
        from published.stored.records
        group by type
    ) as kept on categories.type = kept.type
    where decided.held is distinct from kept.held or decided.which is distinct from kept.which
"""


@dataclass(frozen=True)
class Publication:
    """What was published: counts alone."""

    path: Path
    as_of: date
    rows: Mapping[str, int]
    size_bytes: int


def publish(warehouse: Warehouse, policy: Policy, site: Site, *, smallest_group: int = SMALLEST_GROUP) -> Publication:
    """Write `analytics.duckdb` anew and swap it in; whoever has the old file open goes on reading that one.

    The day's counts join the history first; which records hold a value is looked up for both.

    What fewer than `smallest_group` customers share is folded in the aggregates. Must not be called inside a
    transaction: one transaction writes to one database.

    Raises:
        CheckFailed: the warehouse was not evaluated under this policy, or a record's field would be left out.
        BadInput: what the policy calls its claims by could name somebody.
    """
    from assets.policy_check import require_words_that_name_nobody

    as_of = require_evaluation(warehouse, policy)
    require_words_that_name_nobody(policy)
    building = site.temporary / site.analytics.name
    site.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with as_many_threads_as_pay(warehouse):
            remember_standing(warehouse)
            rows = warehouse.sparing(lambda: _write(warehouse, building, smallest_group))
            warehouse.run(f"drop table {HELD_PARTS}")
        building.chmod(FILE_MODE)
        size = building.stat().st_size
        _swap(building, site.analytics)
    finally:
        discard_database(building)
    return Publication(site.analytics, as_of, rows, size)


def _write(warehouse: Warehouse, building: Path, smallest_group: int) -> dict[str, int]:
    """Write the new file; how many rows each table and view of it has."""
    discard_database(building)
    tables = published_tables()
    with attached(warehouse, building, CATALOG, is_new=True):
        _make(warehouse, tables)
        rows = _fill(warehouse, [table for table in tables if not table.is_view], smallest_group)
        rows |= {table.name: int(warehouse.value(VIEW_ROWS[table.name])) for table in tables if table.is_view}
        _require_every_field(warehouse, rows["retention.field_dispositions"])
        warehouse.run(f"checkpoint {CATALOG}")
    return rows


def as_many_threads_as_pay(warehouse: Warehouse) -> AbstractContextManager[None]:
    """One thread for a small site: there the others would wait for one another more than they save."""
    decided = int(warehouse.value("select count(*) from retention.dispositions"))
    return warehouse.one_thread() if decided < _WORTH_SHARING else nullcontext()


def _make(warehouse: Warehouse, tables: Sequence[PublishedTable]) -> None:
    """Make every table empty, the views over them and the common questions, each with what it says of itself."""
    with warehouse.transaction():
        for schema in sorted({table.schema for table in tables}):
            warehouse.run(f"create schema if not exists {CATALOG}.{identifier(schema)}")
        for table in tables:
            if table.is_view:
                warehouse.run(f"create view {table.sql_name} as {table.view_statement}")
            else:
                definitions = ", ".join(map(table.definition, table.columns))
                warehouse.run(f"create table {table.sql_name} ({definitions})")
            _describe(warehouse, table)
        with standing_in(warehouse, CATALOG):  # a question names its tables as a reader of the file does
            warehouse.script(MACROS)
            for name, comment in _MACRO.findall(MACROS.read_text(encoding="utf-8")):
                warehouse.run(f"comment on macro table {identifier(name)} is {literal(comment)}")


@contextmanager
def standing_in(warehouse: Warehouse, catalog: str) -> Iterator[None]:
    """Names without a catalog are those of `catalog`, for as long as the block runs."""
    before = warehouse.value("select current_setting('search_path')")
    warehouse.run(f"use {identifier(catalog)}")
    try:
        yield
    finally:
        warehouse.run(f"set search_path = {literal(before)}")


def _fill(warehouse: Warehouse, tables: Sequence[PublishedTable], smallest_group: int) -> dict[str, int]:
    """Fill the tables whose sources are there; how many rows each holds."""
    given: dict[str, int] = {"smallest_group": smallest_group}
    there = set(
        warehouse.rows(
            "select schema_name, table_name from duckdb_tables() where database_name = $catalog "
            "union all select schema_name, view_name from duckdb_views() where database_name = $catalog",
            {"catalog": warehouse.catalog},
        )
    )
    for table in tables:
        if there.issuperset(table.sources):
            params = {name: given[name] for name in table.model.parameters} or None
            warehouse.run(f"insert into {table.sql_name} by name {table.model.statement}", params)
    return {table.name: int(warehouse.value(f"select count(*) from {table.sql_name}")) for table in tables}


def _describe(warehouse: Warehouse, table: PublishedTable) -> None:
    kind = "view" if table.is_view else "table"
    warehouse.run(f"comment on {kind} {table.sql_name} is {literal(table.comment)}")
    for column in table.columns:
        where = f"{table.sql_name}.{identifier(column.name)}"
        warehouse.run(f"comment on column {where} is {literal(column.comment)}")


def _require_every_field(warehouse: Warehouse, published: int) -> None:
    expected = warehouse.value(
        "select coalesce(sum(records.held * fields.named), 0) "
        "from (select source, record_type, count(*) as held from retention.records group by all) as records "
        "inner join (select source, record_type, count(*) as named from policy.fields group by all) as fields "
        "on records.source = fields.source and records.record_type = fields.record_type"
    )
    if published != expected:
        raise CheckFailed(
            f"{expected} fields of records need a disposition and {published} have one: nothing was published. "
            "Look for a record type or data category of the contracts that the evaluation leaves out."
        )
    astray = warehouse.value(_ASTRAY)
    if astray:
        raise CheckFailed(
            f"In {astray} data categories the dispositions are not those of the records, one each: nothing was "
            "published. Evaluate everything anew: `gallring run --full`."
        )


def _swap(building: Path, target: Path) -> None:
    """Put the finished file in the old one's place, so that a power cut leaves the one or the other."""
    flush(building)
    put_in_place(building, target)
