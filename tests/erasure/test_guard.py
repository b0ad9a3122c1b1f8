"""The re-ingest guard: what was ordered erased and comes again stays out, and the facts without the person count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.manifests.fields import find_held_fields
from assets.models import SQL, Model
from assets.warehouse import Warehouse
from tests.beginning import begin, keep
from tests.erasure.house import CANARY, PSEUDONYM_KEY, House, company, customer

DAY = date(2026, 11, 25)
TEXTS = ("crm_customers", "orders_orders", "orders_order_lines", "orders_invoices", "orders_payments",
         "mailing_subscribers")  # fmt: skip
K1 = {"crm/customers": [customer("K1")]}


@pytest.fixture
def house() -> Iterator[House]:
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        yield House(warehouse)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse in memory from whose own copies K1, ordered erased, has gone."""
    path = tmp_path_factory.mktemp("erased") / "kept.duckdb"
    with Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY) as warehouse:
        House(warehouse).night(DAY, K1)
        keep(warehouse, path)
    return path


@pytest.fixture
def erased(kept: Path) -> Iterator[House]:
    """A house that begins there."""
    with begin(kept, pseudonym_key=PSEUDONYM_KEY) as warehouse:
        yield House(warehouse)


def canaries(house: House) -> int:
    """How many rows of the raw tables hold the canary anywhere."""
    return sum(
        house.warehouse.value(f"select count(*) from raw.{table} as each where cast(each as varchar) like '%{CANARY}%'")
        for table in TEXTS
    )


def sums(house: House, smallest_group: str = "1") -> list[tuple[Any, ...]]:
    """What sales counts: invoices by month, order lines, and both published totals."""
    totals = [
        Model("analytics", SQL / "analytics" / f"sales.{name}.sql").statement.replace("$smallest_group", smallest_group)
        for name in ("totals", "product_totals")
    ]
    numbers = [sorted(house.warehouse.rows(f"select * exclude ({column}) from ({total})"), key=str)
               for column, total in zip(("month", "product"), totals, strict=True)]  # fmt: skip
    return [*numbers[0], house.warehouse.rows(f"select sum(lines), sum(quantity), sum(amount) from ({totals[1]})")[0]]


def test_sums_are_the_same_over_a_year_of_nights(house: House) -> None:
    """A night every five weeks: the source is deaf at first, obeys, restores an old backup, and obeys again."""
    exports = company()
    house.seal(DAY, exports)
    counted, before = sums(house), canaries(house)
    assert before == 9, "the control: the canary is there before it is erased"
    house.erase(DAY)
    decided = house.dispositions()
    obeyed = {
        **exports,
        "crm/customers": exports["crm/customers"][1:],
        "orders/orders": exports["orders/orders"][1:],
        "orders/order_lines": exports["orders/order_lines"][1:],
        "mailing/subscribers": [],
    }
    nights = [*[exports] * 3, *[obeyed] * 3, *[exports] * 2, *[obeyed] * 3]
    for number, arriving in enumerate(nights):
        house.night(DAY + timedelta(days=35 * number), arriving)
        assert sums(house) == counted, f"night {number}"
        if number == 0:
            assert house.dispositions() == decided
    people_left = house.warehouse.value(f"select count(*) from raw.crm_customers where name like '%{CANARY} K1%'")
    assert people_left == 0


def test_what_comes_again_is_never_stored_and_counts_as_held(erased: House) -> None:
    erased.evaluate(DAY + timedelta(days=1), K1)
    assert erased.warehouse.rows("select name, email, birth_date, withheld from raw.crm_customers") == [
        (None, None, None, ["name", "email", "phone", "street", "city"])
    ]
    erased.warehouse.run("create table manifest.some as select 'customer' as record_type, 1 as row_id")
    find_held_fields(erased.warehouse, "manifest.some", "manifest.found")
    assert erased.warehouse.rows("select field from manifest.found order by position") == [
        ("name",), ("email",), ("phone",), ("street",), ("city",),
    ]  # fmt: skip


def test_a_delta_is_guarded_too_and_a_row_that_leaves_is_no_longer_held(erased: House) -> None:
    erased.evaluate(DAY, {"crm/customers": [customer("K1", city="Lund")]}, mode="delta")
    assert erased.warehouse.rows("select city, in_source, len(withheld) from raw.crm_customers") == [(None, True, 5)]
    erased.evaluate(DAY, {"crm/customers": []})
    assert erased.warehouse.rows("select in_source, withheld from raw.crm_customers") == [(False, None)]


def test_keys_are_still_read_from_what_is_kept_out(erased: House) -> None:
    earlier = erased.warehouse.value("select name_key from raw.crm_customers")
    erased.evaluate(DAY, {"crm/customers": [customer("K1", name=None)]})
    assert erased.warehouse.value("select name_key from raw.crm_customers") == earlier
    erased.evaluate(DAY, {"crm/customers": [customer("K1", name="Någon Annan")]})
    assert erased.warehouse.value("select name_key from raw.crm_customers") not in (earlier, None)


def test_a_field_that_is_to_be_kept_after_all_is_let_in_again(erased: House) -> None:
    held = {**K1, "office/holds": [{"hold_id": "H1", "record_type": "customer", "record_key": "K1",
                                         "placed_at": "2026-11-26"}]}  # fmt: skip
    report = erased.seal(DAY + timedelta(days=1), held)
    assert [manifest.counts["restrict"] for manifest in report.sealed] == [1], "the order is taken back: restrict"
    assert erased.warehouse.value("select name from raw.crm_customers") is None, "what is gone is gone"
    erased.night(DAY + timedelta(days=2), held)
    assert erased.warehouse.rows("select name, withheld from raw.crm_customers") == [(f"{CANARY} K1", None)]


def test_a_field_whose_order_is_taken_back_counts_as_kept_out_until_it_comes_again(erased: House) -> None:
    """Also where the table is written anew that night, for another record: its source has it, and it is not here."""
    held = {"crm/customers": [customer("K1"), customer("K2")],
            "office/holds": [{"hold_id": "H1", "record_type": "customer", "record_key": "K1", "fields": "phone",
                              "placed_at": "2026-11-26"}]}  # fmt: skip
    assert erased.night(DAY + timedelta(days=1), held).reasons == ("ordered",), "the other record's values go"
    stored = "select phone, withheld from raw.crm_customers where customer_id = 'K1'"
    assert erased.warehouse.rows(stored) == [(None, ["name", "email", "phone", "street", "city"])]
    erased.night(DAY + timedelta(days=2), held)
    assert erased.warehouse.rows(stored) == [("070-1740605", ["name", "email", "street", "city"])]


def test_a_quarantined_row_of_an_erased_record_brings_no_text(house: House) -> None:
    exports = {"orders/invoices": [{"invoice_id": "I1", "kind": "invoice", "amount": "1", "buyer_name": CANARY,
                                    "issued_on": "2010-01-01"}]}  # fmt: skip
    house.night(DAY, exports)
    bad = [{**exports["orders/invoices"][0], "issued_on": "yesterday"},
           {"invoice_id": "I9", "kind": "invoice", "amount": "much"}]  # fmt: skip
    house.evaluate(DAY, {"orders/invoices": bad})
    assert house.warehouse.rows("select record_key, row_text is null from intake.quarantined order by record_key") == [
        ("I1", True),
        ("I9", False),
    ]


# -- suppression -------------------------------------------------------------------------------------------------------


def suppressed(house: House) -> list[tuple[Any, ...]]:
    return house.warehouse.rows("select since from retention.suppressions order by since")


def objection(**values: Any) -> dict[str, Any]:
    return {"request_id": "R1", "kind": "objection", "received_at": "2026-11-01", **values}


def test_an_objection_lives_on_after_everything_else_has_gone(house: House) -> None:
    house.night(DAY, {"crm/customers": [customer("K1")], "office/requests": [objection(customer_id="K1")]})
    assert suppressed(house) == [(date(2026, 11, 1),)]
    house.night(DAY + timedelta(days=1), {"crm/customers": [], "office/requests": []})
    assert canaries(house) == 0
    assert suppressed(house) == [(date(2026, 11, 1),)]
    wanted = house.warehouse.value("select pseudonym($address)", {"address": f"k1@{CANARY}.example".lower()})
    assert house.warehouse.rows("select email_key from retention.suppressions") == [(wanted,)]


@pytest.mark.parametrize(("subscribed", "left"), [("2026-11-01", 1), ("2026-11-02", 0), ("2026-12-24", 1)])
def test_a_new_opt_in_ends_it_from_its_day(house: House, subscribed: str, left: int) -> None:
    house.evaluate(DAY, {
        "office/requests": [objection(email="k1@hem.example")],
        "mailing/subscribers": [{"subscriber_id": "S1", "email": " K1@hem.example", "subscribed_at": subscribed}],
    })  # fmt: skip
    assert len(suppressed(house)) == left


@pytest.mark.parametrize(
    ("objected", "opt_in", "left"),
    [
        ("2026-11-01", {"subscribed_at": "2026-11-02", "unsubscribed_at": "2026-11-10"}, 1),
        ("2026-11-01", {"subscribed_at": "2026-11-02", "unsubscribed_at": "2026-12-24"}, 0),
        ("2024-11-01", {"subscribed_at": "2024-11-02"}, 1),
        ("2024-11-01", {"subscribed_at": "2024-11-25"}, 0),
    ],
    ids=["withdrawn", "to be withdrawn", "over after two years", "on its last day"],
)
def test_an_opt_in_that_no_longer_stands_lets_the_objection_speak_again(
    house: House, objected: str, opt_in: dict[str, str], left: int
) -> None:
    house.evaluate(DAY, {
        "office/requests": [objection(email="k1@hem.example", received_at=objected)],
        "mailing/subscribers": [{"subscriber_id": "S1", "email": "k1@hem.example", **opt_in}],
    })  # fmt: skip
    assert len(suppressed(house)) == left


def test_an_objection_that_is_still_to_come_suppresses_nothing(house: House) -> None:
    house.evaluate(DAY, {"office/requests": [objection(email="k1@hem.example", received_at="2026-11-26")]})
    assert suppressed(house) == []


def test_what_is_published_of_it_is_counts(house: House) -> None:
    house.evaluate(DAY, {"office/requests": [objection(email="k1@hem.example")]})
    published = Model("analytics", SQL / "analytics" / "retention.suppressions.sql").statement
    assert house.warehouse.records(published) == [{"month": date(2026, 11, 1), "addresses": 1}]
