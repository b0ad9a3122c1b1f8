"""Columns by which rows named records, and that come empty: whose records would be erased beside their own orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from assets.contracts.contract import Contracts
from assets.contracts.declarations import canonical
from assets.ingest.accepting import accept_as_right
from tests.ingest.company import Company, StandInPolicy

COLUMNS = [column.name for column in canonical()["orders", "orders"].columns]


def order(key: int, customer: str = "", status: str = "open") -> dict[str, str]:
    return {"order_id": f"O{key:03}", "customer_id": customer, "status": status}


def named(keys: Iterable[int]) -> list[dict[str, str]]:
    return [order(key, f"K{key:03}") for key in keys]


def nameless(keys: Iterable[int]) -> list[dict[str, str]]:
    return [order(key) for key in keys]


def table(rows: list[dict[str, str]]) -> str:
    return "\n".join([",".join(COLUMNS), *(",".join(row.get(name, "") for name in COLUMNS) for row in rows)]) + "\n"


def send(company: Company, day: int, rows: list[dict[str, str]], mode: str = "full") -> None:
    company.send("orders", {"orders": table(rows)}, day=f"2026-11-{day}", mode=mode)
    company.ingest(date(2026, 11, day))


def blocks(company: Company) -> list[str]:
    return [reason for name, reason in company.blocks("orders") if name == "orders"]


def accept(company: Company) -> str:
    at = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    return accept_as_right(company.warehouse, "orders", "orders", by="Data protection", reason="guests alone", at=at)


def test_a_reference_that_comes_empty_blocks_until_it_names_records_again(company: Any) -> None:
    send(company, 20, named(range(30)))
    assert blocks(company) == []
    for day in (21, 22):  # a source may leave it out two nights running
        send(company, day, nameless(range(30)))
        assert blocks(company) == ["emptied"]
    [detail] = [detail for (detail,) in company.rows("select detail from intake.blocks where reason = 'emptied'")]
    assert detail.startswith("customer_id names a record in none of 30 rows, where 30 did or would")
    assert "gallring accept orders orders" in detail
    send(company, 23, [order(31, "K031")], mode="delta")
    assert blocks(company) == ["emptied"], "changes bring none of the others back"
    send(company, 24, named(range(32)))
    assert blocks(company) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], nameless(range(40))),  # the first delivery
        (nameless(range(40)), nameless(range(45))),  # named nothing before
        (named(range(19)) + nameless(range(19, 60)), nameless(range(60))),  # few did
        (named(range(200)), named(range(100)) + nameless(range(100, 200))),  # only some are empty
        (named(range(30)), nameless(range(40, 59))),  # other records, and few of them
    ],
)
def test_a_reference_that_named_little_or_still_names_some_blocks_nothing(
    company: Any, before: list[dict[str, str]], after: list[dict[str, str]]
) -> None:
    if before:
        send(company, 20, before)
    send(company, 21, after)
    assert "emptied" not in blocks(company)


def test_rows_that_come_as_they_were_and_named_nothing_do_not_hide_the_others(company: Any) -> None:
    send(company, 20, named(range(25)) + nameless(range(25, 60)))
    send(company, 21, nameless(range(60)))
    assert blocks(company) == ["emptied"]


def test_rows_that_come_as_they_were_count_as_naming(company: Any) -> None:
    """Thirty orders lose their customer, the others are recognised and not looked at: not all is empty."""
    send(company, 20, named(range(60)))
    send(company, 21, nameless(range(30)) + named(range(30, 60)))
    assert blocks(company) == []


@pytest.mark.parametrize(
    "changes",
    [
        nameless(range(20)),  # the same records, which named some
        nameless(range(100, 125)),  # new ones, of which at least twenty would
    ],
)
def test_changes_that_all_come_without_the_reference_block(company: Any, changes: list[dict[str, str]]) -> None:
    send(company, 20, named(range(90)) + nameless(range(90, 100)))
    send(company, 21, changes, mode="delta")
    assert blocks(company) == ["emptied"]


def test_changes_of_rows_that_are_mostly_nobodys_block_nothing(company: Any) -> None:
    send(company, 20, named(range(30)) + nameless(range(30, 100)))
    send(company, 21, nameless(range(100, 150)), mode="delta")
    assert blocks(company) == []


def test_references_to_records_that_were_ordered_erased_may_go(company: Any) -> None:
    """A source that deletes a customer often empties the column in the orders that stay."""
    send(company, 20, named(range(30)))
    for key in range(15):
        company.order_erased("customer", f"K{key:03}", "name")
    send(company, 21, nameless(range(30)))
    assert blocks(company) == [], "fifteen are left that named somebody"


def test_a_reference_that_is_all_in_rows_of_another_customer_number_is_told_by_the_share(company: Any) -> None:
    """The system counts anew: no record is the same."""
    send(company, 20, named(range(30)))
    send(company, 21, nameless(range(500, 530)))
    assert blocks(company) == ["emptied"]


def test_a_person_may_say_that_an_empty_reference_is_right(company: Any) -> None:
    send(company, 20, named(range(30)))
    send(company, 21, nameless(range(30)))
    assert accept(company) == "2026-11-21-full"
    assert blocks(company) == []
    send(company, 22, nameless(range(31)))
    assert blocks(company) == []
    send(company, 23, named(range(31)))
    send(company, 24, nameless(range(31)))
    assert blocks(company) == ["emptied"], "what was accepted is one delivery, not a later one"


def test_changes_that_come_without_the_reference_can_be_accepted(company: Any) -> None:
    send(company, 20, named(range(30)))
    send(company, 21, nameless(range(30, 60)), mode="delta")
    assert accept(company) == "2026-11-21-delta"
    assert blocks(company) == []


def test_one_word_accepts_a_table_that_shrank_and_whose_reference_is_empty(company: Any) -> None:
    send(company, 20, named(range(100)))
    send(company, 21, nameless(range(50)))
    assert blocks(company) == ["emptied", "shrunk"]
    accept(company)
    company.ingest(date(2026, 11, 21))
    assert blocks(company) == []


def test_a_reference_that_the_contract_leaves_out_is_the_companys_decision(company: Any) -> None:
    send(company, 20, named(range(30)))
    contracts = canonical()
    orders = contracts["orders", "orders"]
    columns = tuple(
        replace(column, physical=None) if column.name == "customer_id" else column for column in orders.columns
    )
    company.policy = StandInPolicy(
        Contracts([replace(each, columns=columns) if each is orders else each for each in contracts.values()])
    )
    send(company, 21, nameless(range(30)))
    assert company.value("select count(customer_id) from raw.orders_orders") == 0
    assert blocks(company) == []
