"""The last word on each field, as bits: against a plain account kept field by field, and out of an earlier version."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest

from assets.errors import BadInput
from assets.ledger import issued, told
from assets.ledger.told import MOST_FIELDS
from assets.manifests.fields import number_fields
from assets.warehouse import Warehouse
from tests.manifests.company import DAY, Company, full
from tests.manifests.ordered import order_erased

OLD_TABLE = (
    "create table manifest.sealed_fields (record_type varchar, record_key varchar, field varchar, state varchar, "
    "item_id varchar, as_of date, action varchar)"
)
FIELDS = ("name", "email", "phone", "street", "city")
Fields = dict[tuple[str, str], tuple[str, str]]


@pytest.fixture
def warehouse() -> Warehouse:
    made = Warehouse.in_memory(threads=1)
    issued.prepare(made)
    return made


class Account:
    """The same, field by field, as an earlier version kept it: what stands, and what each item replaced."""

    def __init__(self) -> None:
        self.stands: Fields = {}
        self.replaced: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.cancelled: set[str] = set()

    def tell(self, item: str, key: str, state: str, fields: list[str]) -> None:
        for field in fields:
            if (key, field) in self.stands:
                self.replaced[item, key, field] = self.stands[key, field]
            self.stands[key, field] = (item, state)

    def take_back(self, items: set[str]) -> None:
        self.cancelled |= items
        for (key, field), (item, state) in list(self.stands.items()):
            if item in items:
                del self.stands[key, field]
                earlier: tuple[str, str] | None = (item, state)
                while earlier is not None and earlier[0] in self.cancelled:
                    earlier = self.replaced.get((earlier[0], key, field))
                if earlier is not None:
                    self.stands[key, field] = earlier


def tell(warehouse: Warehouse, item: str, key: str, state: str, fields: list[str]) -> None:
    warehouse.run("create or replace temp table naming (field varchar)")
    warehouse.insert("naming", ["field"], [(field,) for field in fields])
    warehouse.run(
        "create or replace temp table words as select 'customer' as record_type, ? as record_key, ? as state, "
        "bit_or(numbers.bit) as named, ? as item_id, date '2025-02-01' as as_of, 'redact' as action "
        "from manifest.field_numbers as numbers where numbers.record_type = 'customer' and field in (from naming)",
        [key, state, item],
    )
    told.tell(warehouse, "from words")


def stands(warehouse: Warehouse) -> Fields:
    rows = warehouse.rows("select record_key, field, item_id, state from manifest.sealed_fields")
    found = {(key, field): (item, state) for key, field, item, state in rows}
    assert len(rows) == len(found), "a field has two last words"
    return found


@pytest.mark.parametrize("seed", range(4))
def test_bits_say_what_an_account_field_by_field_says(warehouse: Warehouse, seed: int) -> None:
    choice = random.Random(seed)
    account = Account()
    told.number(warehouse, "select 'customer' as record_type, unnest(['name', 'email', 'phone', 'street', 'city']) "
                           "as field, 0 as position")  # fmt: skip
    items: list[str] = []
    for turn in range(25):
        deed = choice.choice(("tell", "tell", "tell", "take back"))
        if deed == "tell" or not items:
            item, key = f"item {turn}", f"C{choice.randrange(2)}"
            state = choice.choice(("erase", "erase", "restrict", "retain"))
            fields = choice.sample(FIELDS, choice.randint(1, len(FIELDS)))
            items.append(item)
            tell(warehouse, item, key, state, fields)
            account.tell(item, key, state, fields)
        else:
            taken = set(choice.sample(items, min(len(items), choice.randint(1, 2))))
            warehouse.run("create or replace temp table taken (item_id varchar)")
            warehouse.insert("taken", ["item_id"], [(item,) for item in sorted(taken | account.cancelled)])
            issued.take_back(warehouse, "from taken")
            account.take_back(taken)
        assert stands(warehouse) == account.stands
        ordered = {(key, field) for key, field in warehouse.rows(
            "select record_key, field from manifest.ordered_fields")}  # fmt: skip
        assert ordered == {place for place, (_, state) in account.stands.items() if state == "erase"}
        assert warehouse.value("select count(*) from manifest.told where named = 0") == 0
        grain = "record_type, record_key, state, item_id"
        repeated = f"select count(*) from (from manifest.told select {grain} group by all having count(*) > 1)"
        assert warehouse.value(repeated) == 0


# -- out of an earlier version ----------------------------------------------------------------------------------------


def as_an_earlier_version(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Put the rows of fields in a table again, as they stood before they were bits."""
    rows = warehouse.rows("from manifest.sealed_fields order by all")
    warehouse.run("create table manifest.earlier as from manifest.sealed_fields order by hash(field)")
    for view in ("ordered_records", "ordered_fields", "sealed_fields", "told"):
        warehouse.run(f"drop view manifest.{view}")
    for table in ("told_bits", "field_numbers", "earlier"):
        if table == "earlier":
            warehouse.run(OLD_TABLE)
            warehouse.run("insert into manifest.sealed_fields by name from manifest.earlier")
            warehouse.run(
                "create view manifest.ordered_fields as select sealed.record_type, sealed.record_key, sealed.field, "
                "sealed.item_id, sealed.as_of from manifest.sealed_fields as sealed where sealed.state = 'erase'"
            )
        warehouse.run(f"drop table manifest.{table}")
    warehouse.ask_anew()
    return rows


def test_what_an_earlier_version_told_still_stands() -> None:
    company = Company(threads=1)
    for key in ("C1", "C2", "C3"):
        company.add("customer", key)
    outcomes = {
        ("customer", "C1"): full("customer", "erase"),
        ("customer", "C2"): {"phone": "erase", "email": "restrict"},
    }
    company.night(DAY, outcomes)
    company.night(DAY + timedelta(days=1), outcomes := {**outcomes, ("customer", "C2"): {"phone": "restrict"}})
    warehouse = company.warehouse
    ordered = warehouse.rows("from manifest.ordered_fields order by all")
    rows = as_an_earlier_version(warehouse)
    assert company.propose(DAY + timedelta(days=2), outcomes) == set()
    assert warehouse.rows("from manifest.sealed_fields order by all") == rows != []
    assert warehouse.rows("from manifest.ordered_fields order by all") == ordered != []
    assert warehouse.value("select count(*) from duckdb_tables() where table_name = 'sealed_fields'") == 0
    lifted = company.propose(DAY + timedelta(days=3), {**outcomes, ("customer", "C2"): {}})
    assert {item[1:4] for item in lifted} == {("customer", "C2", "lift")}


def test_rows_that_cannot_be_brought_over_change_nothing(warehouse: Warehouse) -> None:
    order_erased(warehouse, "customer", "C1", "name", "email", item="X", as_of=DAY)
    as_an_earlier_version(warehouse)
    warehouse.run("insert into manifest.sealed_fields values ('customer', 'C1', null, 'erase', 'X', null, 'erase')")
    for _ in range(2):
        with pytest.raises(BadInput, match=r"2 of 3 rows.*Restore"):
            told.prepare(warehouse)
    assert warehouse.value("select count(*) from manifest.sealed_fields") == 3


# -- numbers ----------------------------------------------------------------------------------------------------------


def classify(company: Company, *fields: str) -> None:
    """Another policy: customers have these classified fields, in this order."""
    company.warehouse.run("delete from policy.fields where record_type = 'customer'")
    for position, field in enumerate(fields):
        company.warehouse.run(
            "insert into policy.fields values ('customer', 'crm', 'customers', ?, 'identity', ?)", [field, position]
        )
    number_fields(company.warehouse)


def bits(company: Company) -> dict[str, int]:
    return dict(company.warehouse.rows("select field, bit from manifest.field_numbers where record_type = 'customer'"))


def test_a_field_keeps_its_bit_whatever_a_later_policy_classifies() -> None:
    company = Company(threads=1)
    issued.prepare(company.warehouse)
    classify(company, "name", "email")
    order_erased(company.warehouse, "customer", "C1", "email")
    first = bits(company)
    classify(company, "nickname", "email", "name", "alias")
    assert {field: bit for field, bit in bits(company).items() if field in first} == first == {"name": 1, "email": 2}
    assert bits(company) == {**first, "nickname": 4, "alias": 8}
    classify(company, "alias")
    assert company.warehouse.rows("select record_key, field from manifest.ordered_fields") == [("C1", "email")]


def test_items_name_fields_in_the_order_of_a_contract_that_gained_some() -> None:
    company = Company(threads=1)
    company.add("customer", "C1")
    company.propose(DAY, {})
    company.warehouse.run("update policy.fields set position = position + 10 where record_type = 'customer'")
    company.warehouse.run("alter table raw.crm_customers add column alias varchar default 'x'")
    company.warehouse.run("insert into policy.fields values ('customer', 'crm', 'customers', 'alias', 'address', 1)")
    ((_, _, _, _, named),) = company.propose(DAY, {("customer", "C1"): {"address": "erase"}})
    assert named == ("alias", "street", "city")
    ((_, _, _, _, named),) = company.propose(DAY, {("customer", "C1"): {"phone": "erase"}})
    assert company.kept("redact")[0]["fields"] == ["alias", "name", "email", "street", "city"]


def test_bits_come_free_of_fields_that_nothing_was_told_about() -> None:
    company = Company(threads=1)
    issued.prepare(company.warehouse)
    classify(company, *(f"old_{number}" for number in range(MOST_FIELDS)))
    order_erased(company.warehouse, "customer", "C1", "old_0", "old_7")
    classify(company, *(f"new_{number}" for number in range(MOST_FIELDS - 2)))
    numbered = bits(company)
    assert len(set(numbered.values())) == len(numbered) == MOST_FIELDS
    assert (numbered["old_0"], numbered["old_7"]) == (1, 128)
    assert company.warehouse.rows("select field from manifest.ordered_fields order by all") == [("old_0",), ("old_7",)]
    with pytest.raises(BadInput, match=r"customer has more than 120 fields.*earlier policies.*leave columns out"):
        classify(company, *(f"new_{number}" for number in range(MOST_FIELDS - 1)))


def test_an_older_day_stays_with_its_words(warehouse: Warehouse) -> None:
    order_erased(warehouse, "customer", "C1", "name", item="A", as_of=date(2025, 2, 1))
    order_erased(warehouse, "customer", "C1", "email", "name", item="B", as_of=date(2025, 3, 1))
    rows = warehouse.rows("select field, item_id, as_of from manifest.ordered_fields order by all")
    assert rows == [("email", "B", date(2025, 3, 1)), ("name", "B", date(2025, 3, 1))]
    replaced = warehouse.rows("select item_id, field, told_by, as_of from manifest.replaced_fields")
    assert replaced == [("B", "name", "A", date(2025, 2, 1))]
