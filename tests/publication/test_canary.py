"""No published column carries a text of a source: a canary stands in every one of them, all the way to the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from assets.attaching import attached
from assets.contracts.contract import Contract
from assets.contracts.raw_tables import raw_columns
from assets.core.building import build
from assets.ingest.tables import prepare
from assets.ledger import issued
from assets.policy import Policy
from assets.publication.analytics import publish
from assets.retention.evaluation import evaluate
from assets.retention.explaining import explain, render
from assets.site import Site
from assets.warehouse import Warehouse, identifier

AS_OF = date(2026, 11, 25)
CANARY = "kanariefågel"
#: Columns whose words the rules know; whatever is personal among them gets the canary in a second row of its own.
WORDS = {
    "customer_type": "private",
    "kind": "invoice",
    "status": "open",
    "purchase_capacity": "private",
    "purpose": "newsletter",
    "event": "filed",
}
#: Days that would close or end what should be there to be published.
LATER = {"relation_ended_at", "deceased_on", "role_ended_at", "closed_at", "withdrawn_at", "unsubscribed_at",
         "released_at", "answered_at", "case_closed_at", "refers_to_invoice_id"}  # fmt: skip


def value_of(contract: Contract, name: str, sql_type: str, canary: bool) -> object:
    """A value for a column: keys that fit together, days close to the evaluation, canaries in every other text."""
    row = 2 if canary else 1
    if name in {"row_id", "in_source", "in_delivery", "changed_in"}:
        return {"row_id": row, "in_source": True, "in_delivery": "D1", "changed_in": "D1"}[name]
    if name in LATER:
        return None
    if sql_type == "varchar" and (name == contract.key or (name.endswith("_id") and "national" not in name)):
        return f"{name}-{row}"
    if name in WORDS and not canary:
        return WORDS[name]
    return {
        "varchar": CANARY, "varchar[]": None, "date": date(2026, 11, 1), "boolean": True, "uuid": None,
    }.get(sql_type, 10)  # fmt: skip


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.load()


@pytest.fixture(scope="module")
def warehouse(policy: Policy) -> Iterator[Warehouse]:
    """Two rows in every table, evaluated: one with the rules' own words, one with the canary in their place too."""
    with Warehouse.in_memory(pseudonym_key=b"k" * 32) as warehouse:
        policy.publish(warehouse)
        issued.prepare(warehouse)
        prepare(warehouse, policy)
        for contract in policy.contracts.values():
            columns = raw_columns(contract)
            rows = [
                [value_of(contract, name, sql_type, canary) for name, sql_type in columns.items()]
                for canary in (False, True)
            ]
            warehouse.insert(f"raw.{identifier(contract.raw_table)}", list(columns), rows)
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        yield warehouse


def test_no_text_of_a_source_is_published(warehouse: Warehouse, policy: Policy, tmp_path: Path) -> None:
    site = Site(tmp_path)
    published = publish(warehouse, policy, site)
    assert published.rows["retention.field_dispositions"] == 2 * sum(
        len(fields) for categories in policy.fields.values() for fields in categories.values()
    )
    assert published.rows["sales.order_lines"] >= 1
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "a", read_only=True):
        for name in published.rows:
            schema, _, table = name.rpartition(".")
            where = f"a.{identifier(schema or 'main')}.{identifier(table)}"
            found = reader.value(
                f"select count(*) from {where} as t where contains(cast(t as varchar), $c)", {"c": CANARY}
            )
            assert found == 0, f"{name} carries a personal text"


def test_no_text_of_a_source_is_explained(warehouse: Warehouse, policy: Policy) -> None:
    records = warehouse.rows("select record_type, record_key from retention.records")
    assert len(records) == 2 * len(policy.fields)
    for record_type, record_key in records:
        explanation = explain(warehouse, policy, record_type, record_key, "en")
        assert len(explanation.fields) == sum(map(len, policy.fields[record_type].values()))
        assert CANARY not in render(explanation)
