"""Audits that look at many rows as the bits of few numbers find the rows that a plain look at each of them finds."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from assets.warehouse import Warehouse
from expectations.validation import AUDITS

#: Surrogates on both sides of where one number ends and the next begins.
SURROGATES = (None, 0, 1, 31, 32, 33, 63, 64, 95, 96, 1_000_000, 1_000_001)
PARENTS = ("customer", "contact", "quote", "order", "delivery", "invoice", "subscriber")
#: Table of core -> the columns that refer to a parent.
CHILDREN = {
    "contacts": ("customer_id",), "interactions": ("customer_id", "contact_id"),
    "quotes": ("customer_id", "contact_id"), "consents": ("customer_id", "contact_id"),
    "orders": ("customer_id", "contact_id"), "invoices": ("customer_id", "order_id"),
    "subscribers": ("customer_id", "contact_id"), "web_events": ("customer_id",),
    "requests": ("customer_id", "contact_id"), "quote_documents": ("quote_id",),
    "deliveries": ("order_id",), "order_lines": ("order_id", "delivery_id"), "proof_approvals": ("order_id",),
    "complaints": ("order_id",), "payments": ("invoice_id",), "claim_events": ("invoice_id",),
    "sends": ("subscriber_id",),
}  # fmt: skip
TABLES = {"delivery": "deliveries"} | {name: f"{name}s" for name in PARENTS if name != "delivery"}


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with Warehouse.in_memory() as warehouse:
        for schema in ("core", "retention"):
            warehouse.run(f"create schema {schema}")
        yield warehouse


@pytest.mark.parametrize("seed", range(5))
def test_repeated_records(warehouse: Warehouse, seed: int) -> None:
    chance = random.Random(seed)
    _records(warehouse, chance)
    plain = (
        "select record_type, row_id from core.records group by all having count(*) > 1 or row_id is null order by all"
    )
    _finds(warehouse, "core/repeated_records", plain)


@pytest.mark.parametrize("seed", range(5))
def test_claims_about_nothing(warehouse: Warehouse, seed: int) -> None:
    chance = random.Random(seed)
    _records(warehouse, chance)
    warehouse.run("create table retention.evaluation as select date '2026-11-26' as as_of")
    warehouse.run(
        "create table retention.purpose_claims (record_type varchar, row_id bigint, ends_on date, missing varchar)"
    )
    warehouse.insert(
        "retention.purpose_claims",
        ["record_type", "row_id", "ends_on", "missing"],
        [
            (chance.choice(("order", "quote", "nothing")), chance.choice(SURROGATES),
             chance.choice(("2026-11-25", "2026-11-26", None)), chance.choice((None, "a trigger")))
            for _ in range(60)
        ],
    )  # fmt: skip
    plain = """
        select record_type, row_id from retention.purpose_claims as claims
        where (ends_on >= date '2026-11-26' or missing is not null) and not exists (
            select 1 from core.records
            where records.record_type = claims.record_type and records.row_id = claims.row_id
        )
        order by all
    """
    _finds(warehouse, "claims/about_nothing", plain)


@pytest.mark.parametrize("seed", range(5))
def test_dangling_references(warehouse: Warehouse, seed: int) -> None:
    chance = random.Random(seed)
    keys = {TABLES[name]: f"{name}_id" for name in PARENTS}
    for table in sorted(CHILDREN.keys() | keys.keys()):
        columns = sorted({*CHILDREN.get(table, ()), *([keys[table]] if table in keys else [])})
        warehouse.run(f"create table core.{table} ({', '.join(f'{column} bigint' for column in columns)})")
        rows = [tuple(chance.choice(SURROGATES) for _ in columns) for _ in range(5)]
        warehouse.insert(f"core.{table}", columns, rows)
    plain = " union all ".join(
        f"select 'core.{table}.{column}' as reference, {column} as surrogate from core.{table} as child "
        f"where {column} is not null and not exists (select 1 from core.{TABLES[column.removesuffix('_id')]} as parent "
        f"where parent.{column} = child.{column})"
        for table, columns in CHILDREN.items()
        for column in columns
    )
    _finds(warehouse, "core/dangling_references", f"select * from ({plain}) order by all")


def _records(warehouse: Warehouse, chance: random.Random) -> None:
    warehouse.run("create table core.records (record_type varchar, row_id bigint)")
    rows = [(chance.choice(("order", "quote")), chance.choice(SURROGATES)) for _ in range(chance.choice((8, 16)))]
    warehouse.insert("core.records", ["record_type", "row_id"], rows)


def _finds(warehouse: Warehouse, audit: str, plain: str) -> None:
    """An audit finds what the plain look finds, and there was something to find."""
    expected = warehouse.rows(plain)
    assert expected
    text = (AUDITS / f"{audit}.sql").read_text(encoding="utf-8")
    assert warehouse.rows(f"select * from ({text}) order by all") == expected
