"""People whose data may not be used (Art 18, or a duty alone) are in totals and in no row that analysts get."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from assets.attaching import attached
from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.ledger import issued
from assets.policy import Policy
from assets.publication.analytics import publish
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import Warehouse

AS_OF = date(2026, 11, 25)
#: C1 buys now; C2 buys now and has asked for a restriction; C3 bought long ago, and bookkeeping alone keeps it.
PLACED = {"C1": "2026-11-01", "C2": "2026-11-01", "C3": "2021-03-01"}


def exports() -> dict[str, list[dict[str, Any]]]:
    people = [
        {"customer_id": key, "customer_type": "private", "name": f"Person {key}", "customer_since": placed}
        for key, placed in PLACED.items()
    ]
    orders = [
        {"order_id": f"O{key}", "customer_id": key, "purchase_capacity": "private", "placed_at": placed,
         "status": "closed" if key == "C3" else "open", "closed_at": "2021-04-01" if key == "C3" else None,
         "buyer_name": f"Person {key}"}
        for key, placed in PLACED.items()
    ]  # fmt: skip
    orders += [{**order, "order_id": f"N{order['customer_id']}"} for order in orders]  # of these no line is delivered
    lines = [
        {"order_line_id": f"L{key}", "order_id": f"O{key}", "product": "Film", "quantity": "1", "unit_price": "100"}
        for key in PLACED
    ]
    invoices = [
        {"invoice_id": f"I{key}", "order_id": f"O{key}", "customer_id": key, "kind": "invoice", "issued_on": placed,
         "booked_on": placed, "due_on": placed, "amount": "100", "currency": "SEK"}
        for key, placed in PLACED.items()
    ]  # fmt: skip
    request = {"request_id": "R1", "customer_id": "C2", "kind": "restriction", "received_at": "2026-11-10"}
    return {"crm/customers": people, "orders/orders": orders, "orders/order_lines": lines, "orders/invoices": invoices,
            "office/requests": [request]}  # fmt: skip


@pytest.fixture(scope="module")
def analytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Warehouse, Warehouse]]:
    """The warehouse, and a reader that has the published file open as `a`."""
    policy, site = Policy.load(), Site(tmp_path_factory.mktemp("restricted"))
    with Warehouse.in_memory(pseudonym_key=b"k" * 32) as warehouse, Warehouse.in_memory() as reader:
        policy.publish(warehouse)
        load_rows(warehouse, policy, exports())
        issued.prepare(warehouse)
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        publish(warehouse, policy, site, smallest_group=1)
        with attached(reader, site.analytics, "a", read_only=True):
            yield warehouse, reader


def test_restricted_people_are_in_totals_and_in_no_row(analytics: tuple[Warehouse, Warehouse]) -> None:
    warehouse, reader = analytics
    decided = dict(
        reader.rows(
            "select record_key, disposition from a.retention.dispositions "
            "where record_type = 'order_line' and data_category = 'transaction' order by all"
        )
    )
    assert decided == {"LC1": "retain", "LC2": "restrict", "LC3": "restrict"}
    pseudonyms = {key: warehouse.value("select pseudonym('customer:' || $key)", {"key": key}) for key in PLACED}
    orders = {kind: warehouse.value("select pseudonym('order:' || $key)", {"key": f"{kind}C1"}) for kind in "ON"}
    assert reader.rows("select customer_pseudonym from a.sales.customers") == [(pseudonyms["C1"],)]
    assert reader.rows(
        "select customer_pseudonym, order_pseudonym, lines, amount from a.sales.orders order by lines desc"
    ) == [(pseudonyms["C1"], orders["O"], 1, 100), (pseudonyms["C1"], orders["N"], 0, None)]
    assert reader.rows("select order_pseudonym from a.sales.order_lines") == [(orders["O"],)]
    assert reader.value("select sum(amount) from a.sales.totals") == 300
    assert reader.value("select sum(invoices) from a.sales.totals") == 3
