"""While a person's data is restricted, analysts see none of its rows; totals keep it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from assets.publication.analytics import attached, publish
from assets.rights import requests
from assets.site import Site
from assets.warehouse import Warehouse
from tests.rights.company import NOW, company, evaluated, policy

#: Every published table with rows about a customer, an order or a line.
TABLES = ("sales.customers", "sales.orders", "sales.order_lines")


def published(warehouse: Warehouse, site: Site) -> dict[str, int]:
    site.make()
    publish(evaluated(warehouse), policy(), site)
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=True):
        return {table: int(reader.value(f"select count(*) from site.{table}")) for table in TABLES}


@pytest.mark.parametrize(
    ("kind", "who", "fewer"),
    [("restriction", {"customer": "C1"}, 1), ("rectification", {"customer": "C1"}, 1),
     ("restriction", {"contact": "K1"}, 1), ("restriction", {"email": "disa@hem.example"}, 1)],
)  # fmt: skip
def test_restricted_people_are_absent_from_rows(kind: str, who: dict[str, str], fewer: int, tmp_path: Path) -> None:
    warehouse = company()
    before = published(warehouse, Site(tmp_path / "before"))
    assert min(before.values()) >= 2
    received = date(2026, 11, 20)
    requests.add(warehouse, kind, received_on=received, at=NOW, verified_on=received, **who)  # type: ignore[arg-type]
    after = published(warehouse, Site(tmp_path / "after"))
    assert after == {table: rows - fewer for table, rows in before.items()}
    dispositions = "select count(*) from retention.dispositions where disposition = 'restrict'"
    assert warehouse.value(dispositions) > 0


def test_an_answered_restriction_brings_them_back(tmp_path: Path) -> None:
    warehouse = company()
    before = published(warehouse, Site(tmp_path / "before"))
    received = date(2026, 11, 20)
    number = requests.add(warehouse, "restriction", received_on=received, at=NOW, customer="C1")
    assert published(warehouse, Site(tmp_path / "meanwhile")) != before
    requests.answered(warehouse, number, date(2026, 11, 25), NOW, notice_given_on=date(2026, 11, 24))
    assert published(warehouse, Site(tmp_path / "after")) == before
