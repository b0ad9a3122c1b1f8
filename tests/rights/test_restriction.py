"""While a person's data is restricted, analysts see none of its rows, nor it in a list to work from; totals keep it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from assets.attaching import attached
from assets.publication.analytics import publish
from assets.publication.report.asking import questions
from assets.rights import requests
from assets.site import Site
from assets.warehouse import Warehouse
from tests.rights.company import EXPORTS, NOW, company, evaluated, policy

#: Every published table with rows about a customer, an order or a line.
TABLES = ("sales.customers", "sales.orders", "sales.order_lines")


def published(warehouse: Warehouse, site: Site) -> dict[str, int]:
    site.make()
    publish(evaluated(warehouse), policy(), site)
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=True):
        return {table: int(reader.value(f"select count(*) from site.{table}")) for table in TABLES}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    rows = published(company(), Site(tmp_path_factory.mktemp("before") / "site"))
    assert min(rows.values()) >= 2
    return rows


@pytest.mark.parametrize(
    ("kind", "who"), [("restriction", {"customer": "C1"}), ("rectification", {"contact": "K1"})]
)  # fmt: skip
def test_restricted_people_are_absent_from_rows_until_the_answer(
    kind: str, who: dict[str, str], before: dict[str, int], tmp_path: Path
) -> None:
    warehouse = company()
    received = date(2026, 11, 20)
    number = requests.add(warehouse, kind, received_on=received, at=NOW, verified_on=received, **who)  # type: ignore[arg-type]
    after = published(warehouse, Site(tmp_path / "after"))
    assert after == {table: rows - 1 for table, rows in before.items()}
    assert warehouse.value("select count(*) from retention.dispositions where disposition = 'restrict'") > 0
    if kind == "restriction":
        requests.answered(warehouse, number, date(2026, 11, 25), NOW, notice_given_on=date(2026, 11, 24))
        assert published(warehouse, Site(tmp_path / "answered")) == before


def test_restricted_people_are_in_no_list_for_marketing(tmp_path: Path) -> None:
    """C1 and a silent customer can be reached; once restricted, the macro and the report's question leave them out."""
    silent = {
        "customer_id": "C5",
        "customer_type": "private",
        "name": "Sixten Provsson",
        "customer_since": "2024-05-01",
    }
    warehouse = company({"crm/customers": [*EXPORTS["crm/customers"], silent]})
    (passive,) = (question for question in questions() if question.id == "passive_customers")
    assert passive.keys is not None

    def listed(name: str) -> tuple[set[str], set[str], int, set[str]]:
        site = Site(tmp_path / name)
        site.make()
        publish(evaluated(warehouse), policy(), site)
        with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=True):
            reader.run("use site")
            marketing = reader.rows(
                "select record_key from held_for('direct_marketing') where record_type = 'customer'"
            )
            duty = reader.rows("select record_key from held_for('accounting') where record_type = 'invoice'")
            silent_now = {key for key, *_ in reader.rows(passive.keys or "")}
            count = sum(row[1] for row in reader.rows(passive.sql))
            reader.run("use memory")
        return {key for (key,) in marketing}, silent_now, count, {key for (key,) in duty}

    marketing, silent_now, count, duty = listed("before")
    assert marketing >= {"C1", "C5"}
    assert (silent_now, count, duty) == ({"C5"}, 1, {"I1"})
    for customer in ("C1", "C5"):
        requests.add(warehouse, "restriction", received_on=date(2026, 11, 20), at=NOW, customer=customer)
    assert listed("after") == (marketing - {"C1", "C5"}, set(), 0, {"I1"})
