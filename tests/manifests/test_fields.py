"""A bit per field: as many as a number has, in the contract's order, and shown as rows to whoever asks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from assets.errors import BadInput
from assets.ledger.told import MOST_FIELDS
from assets.manifests import changes, gate
from assets.manifests.changes import propose
from tests.manifests.company import DAY, POLICY, Company, full

C1 = ("customer", "C1")


@pytest.fixture
def company() -> Company:
    made = Company(threads=1)
    made.add("customer", "C1", city=None)
    return made


def classify(company: Company, count: int) -> None:
    """Give web events `count` classified fields, all in its one table."""
    for number in range(count - 3):
        company.warehouse.run(f"alter table raw.web_events add column extra_{number} varchar default 'x'")
        company.warehouse.run(
            "insert into policy.fields values ('web_event', 'web', 'events', ?, 'behaviour', ?)",
            [f"extra_{number}", number + 10],
        )


def test_a_record_of_as_many_fields_as_can_be_told_of_is_told_of_by_name(company: Company) -> None:
    classify(company, MOST_FIELDS)
    company.add("web_event", "E1")
    items = company.propose(DAY, {("web_event", "E1"): {"behaviour": "erase"}})
    ((_, _, _, action, named),) = items
    extras = tuple(f"extra_{number}" for number in range(MOST_FIELDS - 3))
    assert (action, named) == ("redact", ("cookie_id", "url", *extras))
    assert gate.refusals(company.warehouse) == []
    company.seal(DAY)
    sealed = company.warehouse.value("select count(*) from manifest.sealed_fields where state = 'erase'")
    assert sealed == MOST_FIELDS - 1


def test_a_record_type_of_more_fields_is_refused_with_what_to_do(company: Company) -> None:
    classify(company, MOST_FIELDS + 1)
    with pytest.raises(BadInput, match=r"web_event has 121 classified fields.*leave columns out"):
        company.propose(DAY, {})


def test_what_an_earlier_version_kept_as_tables_becomes_views(company: Company) -> None:
    company.warehouse.run("create schema manifest")
    for name in ("held_fields", "changed_fields", "told_records"):
        company.warehouse.run(f"create table manifest.{name} (record_type varchar)")
    for _ in range(2):
        company.propose(DAY, {C1: {"address": "erase"}})
    rows = company.warehouse.rows("select record_key, field, action from manifest.changed_fields")
    assert rows == [("C1", "street", "redact")]
    held = company.warehouse.rows("select field, data_category from manifest.held_fields order by position")
    assert held == [("name", "identity"), ("email", "email"), ("phone", "phone"), ("street", "address")]
    assert not company.warehouse.exists("manifest", "told_records")
    company.warehouse.run("create view manifest.told_records as select record_type from manifest.field_bits")
    company.propose(DAY, {C1: {"address": "erase"}})
    assert not company.warehouse.exists("manifest", "told_records")


def test_every_working_table_is_made_anew(company: Company) -> None:
    company.propose(DAY, {C1: full("customer", "erase")})
    assert gate.refusals(company.warehouse) == []
    for table in (*changes.WORKING_TABLES, *gate.WORKING_TABLES):
        company.warehouse.run(f"delete from {table}")
    proposed = company.proposed()
    propose(company.warehouse, POLICY, DAY)
    assert company.proposed() == proposed
    assert gate.refusals(company.warehouse) == []


def test_ends_of_one_purpose_are_kept_apart_and_in_order(company: Company) -> None:
    company.evaluate(DAY, {C1: {"phone": "erase"}})
    for category, days in (("identity", 9), ("email", 3), ("address", None)):
        end = date(9999, 12, 31) if days is None else DAY + timedelta(days=days)
        company.warehouse.run("update retention.purpose_claims set ends_on = ? where clock = ?", [end, category])
    propose(company.warehouse, POLICY, DAY)
    assert company.kept("redact") == [
        {"fields": ["email"], "purpose": "selling", "until": str(date(2025, 2, 4))},
        {"fields": ["name"], "purpose": "selling", "until": str(date(2025, 2, 10))},
        {"fields": ["street"], "purpose": "selling", "until": None},
    ]
