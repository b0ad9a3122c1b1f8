"""Audits that look at many rows as the bits of few numbers find the rows that a plain look at each of them finds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

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


#: A register in which the same clocks cover several categories, two clocks of a purpose the same one, one purpose has a
#: clock for each category (as legal holds have), and nobody claims the last.
COVERAGE = (
    ("invoicing", "until_settled", "identity"), ("invoicing", "until_settled", "address"),
    ("accounting", "archive", "identity"), ("accounting", "archive", "address"), ("accounting", "archive", "email"),
    ("debts", "limitation", "email"), ("debts", "grace", "email"),
    ("hold", "identity", "identity"), ("hold", "address", "address"), ("hold", "email", "email"),
)  # fmt: skip
CATEGORIES = ("identity", "address", "email", "phone")
USES = ("invoicing", "debts")
TODAY = date(2026, 11, 26)
ENDLESS = date(9999, 12, 31)
BORNE_OUT = """
    with holding as (
        select row_id, data_category, bool_or(coalesce(ends_on >= as_of, false)) as held,
            bool_or(coalesce(ends_on >= as_of and class = 'use', false)) as used, bool_or(missing is not null) as doubt,
            max(ends_on) filter (where ends_on >= as_of) as last_day
        from retention.purpose_claims join policy.coverage using (record_type, purpose, clock)
        join policy.purposes using (purpose), retention.evaluation group by all
    )
    select record_type, row_id, data_category
    from retention.dispositions left join holding using (row_id, data_category)
    where case disposition
        when 'erase' then coalesce(held or doubt, false)
        when 'review' then coalesce(held, false)
        when 'not_personal' then false
        else not coalesce(list_contains(reasons, 'restriction (Art 18)'), false) and (
            not coalesce(held, false) or used is distinct from (disposition = 'retain')
            or keep_until is distinct from nullif(last_day, date '9999-12-31'))
    end
    order by all
"""


@pytest.mark.parametrize("seed", range(5))
def test_dispositions_not_borne_out(warehouse: Warehouse, seed: int) -> None:
    chance = random.Random(seed)
    _policy(warehouse)
    claims = _claims(chance)
    warehouse.insert(
        "retention.purpose_claims", ["record_type", "purpose", "row_id", "clock", "ends_on", "missing"], claims
    )
    columns = ["record_type", "row_id", "data_category", "disposition", "keep_until", "reasons"]
    rows = [
        row
        for row_id in range(40)
        for row in _dispositions(row_id, [claim for claim in claims if claim[2] == row_id], chance)
    ]
    warehouse.insert("retention.dispositions", columns, rows)
    audit = (AUDITS / "dispositions/not_borne_out.sql").read_text(encoding="utf-8")
    assert warehouse.rows(audit) == warehouse.rows(BORNE_OUT) == []
    found = 0
    warehouse.run("create table retention.sound as from retention.dispositions")
    for _ in range(12):
        for _ in range(chance.choice((1, 1, 3))):
            _spoil(warehouse, chance)
        expected = warehouse.rows(BORNE_OUT)
        assert warehouse.rows(f"select * from ({audit}) order by all") == expected
        found += bool(expected)
        warehouse.run("create or replace table retention.dispositions as from retention.sound")
    assert found


def _spoil(warehouse: Warehouse, chance: random.Random) -> None:
    """Write another value into one disposition."""
    changes = {
        "disposition": ("erase", "retain", "restrict", "review", "not_personal"),
        "keep_until": ("2026-12-24", None),
        "reasons": (["restriction (Art 18)"], ["orphan"], None),
        "row_id": (None,),
    }
    column = chance.choice(sorted(changes))
    warehouse.run(
        f"update retention.dispositions set {column} = $value where row_id = $row_id and data_category = $category",
        {
            "row_id": chance.randrange(40),
            "category": chance.choice(CATEGORIES),
            "value": chance.choice(changes[column]),
        },
    )


def _policy(warehouse: Warehouse) -> None:
    for statement in (
        "create schema policy",
        "create table policy.coverage (record_type varchar, purpose varchar, clock varchar, data_category varchar)",
        "create table policy.categories (category_id integer, record_type varchar, data_category varchar)",
        "create table policy.purposes (purpose varchar, class varchar)",
        "create table retention.evaluation as select date '2026-11-26' as as_of",
        "create table retention.purpose_claims (record_type varchar, purpose varchar, row_id bigint, clock varchar, "
        "ends_on date, missing varchar)",
        "create table retention.dispositions (record_type varchar, row_id bigint, data_category varchar, "
        "disposition varchar, keep_until date, reasons varchar[])",
    ):
        warehouse.run(statement)
    warehouse.insert(
        "policy.coverage", ["record_type", "purpose", "clock", "data_category"], [("order", *row) for row in COVERAGE]
    )
    warehouse.insert(
        "policy.categories",
        ["category_id", "record_type", "data_category"],
        [(at, "order", name) for at, name in enumerate(CATEGORIES)],
    )
    names = sorted({purpose for purpose, *_ in COVERAGE})
    classes = [(name, "use" if name in USES else "duty") for name in names]
    warehouse.insert("policy.purposes", ["purpose", "class"], classes)


def _claims(chance: random.Random) -> list[tuple[str, str, int, str, date | None, str | None]]:
    clocks = sorted({(purpose, clock) for purpose, clock, _ in COVERAGE})
    chosen = [(row_id, *clock) for row_id in range(40) for clock in chance.sample(clocks, chance.randrange(4))]
    ends = (TODAY - timedelta(1), TODAY, TODAY + timedelta(9), ENDLESS, None)
    return [
        ("order", purpose, row_id, clock, end, None if end is not None and chance.random() < 0.8 else "a trigger")
        for row_id, purpose, clock in chosen
        for end in [chance.choice(ends)]
    ]


def _dispositions(row_id: int, claims: list[tuple[Any, ...]], chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """What follows from a record's claims, category by category; a few records are nobody's, restricted or orphans."""
    kind = chance.choice(("claimed",) * 5 + ("not_personal", "restricted", "orphan"))
    for category in CATEGORIES:
        covering = [claim for claim in claims if (claim[1], claim[3], category) in COVERAGE]
        held = [claim for claim in covering if claim[4] is not None and claim[4] >= TODAY]
        last = max((claim[4] for claim in held), default=None)
        decided: tuple[str, date | None, list[str] | None] = ("erase", None, None)
        if kind == "not_personal":
            decided = ("not_personal", None, None)
        elif kind == "restricted":
            decided = ("restrict", None, ["restriction (Art 18)"])
        elif held:
            word = "retain" if any(claim[1] in USES for claim in held) else "restrict"
            decided = (word, None if last == ENDLESS else last, None)
        elif any(claim[5] for claim in covering):
            decided = ("review", None, ["purpose: a trigger"])
        elif kind == "orphan":
            decided = ("review", None, ["orphan"])
        yield "order", row_id, category, *decided


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
