"""A register without one of the shipped purposes: the others decide as before, and what they cannot know is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import yaml

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.policy import SHIPPED_REGISTER, Policy
from assets.policy_check import check
from assets.retention.evaluation import evaluate
from assets.retention.explaining import explain, render
from assets.warehouse import Warehouse

AS_OF = date(2026, 11, 25)
Row = dict[str, str]
EXPORTS: dict[str, list[Row]] = {
    "crm/customers": [{"customer_id": "C1", "customer_type": "private", "name": "Test Person", "email": "c1@x.example",
                       "phone": "070-1740605", "customer_since": "2024-01-01"},
                      {"customer_id": "C2", "customer_type": "private", "name": "Prov Person"}],
    "crm/consents": [
        {"consent_id": "N", "customer_id": "C2", "purpose": "newsletter", "given_at": "2019-01-01", "evidence": "form"},
        {"consent_id": "N, withdrawn", "customer_id": "C1", "purpose": "newsletter", "given_at": "2019-01-01",
         "withdrawn_at": "2020-06-01", "evidence": "form"},
        {"consent_id": "W", "customer_id": "C1", "purpose": "web_statistics", "given_at": "2019-01-01",
         "evidence": "form"},
    ],
    "orders/orders": [
        {"order_id": "paid", "customer_id": "C1", "purchase_capacity": "private", "placed_at": "2025-02-01",
         "buyer_phone": "070-1740605", "status": "delivered"},
        {"order_id": "owed", "customer_id": "C1", "purchase_capacity": "private", "placed_at": "2026-10-01",
         "buyer_phone": "070-1740605", "status": "delivered"},
    ],
    "orders/deliveries": [
        {"delivery_id": "D1", "order_id": "paid", "street": "Testgatan 1", "delivered_at": "2025-02-10"},
        {"delivery_id": "D2", "order_id": "owed", "street": "Testgatan 1", "delivered_at": "2026-10-10"},
    ],
    "orders/order_lines": [{"order_line_id": "L1", "order_id": "paid", "delivery_id": "D1", "product": "film"}],
    "orders/invoices": [
        {"invoice_id": "F1", "order_id": "paid", "customer_id": "C1", "kind": "invoice", "issued_on": "2025-02-10",
         "amount": "100", "currency": "SEK"},
        {"invoice_id": "F2", "order_id": "owed", "customer_id": "C1", "kind": "invoice", "issued_on": "2026-10-10",
         "amount": "100", "currency": "SEK"},
    ],
    "orders/payments": [{"payment_id": "B1", "invoice_id": "F1", "paid_at": "2025-02-20", "amount": "100"}],
    "mailing/subscribers": [{"subscriber_id": "S1", "customer_id": "C1", "subscribed_at": "2026-01-01"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    with Warehouse.in_memory(threads=1) as warehouse:
        load_rows(warehouse, Policy.load(), EXPORTS)
        build(warehouse)
        yield warehouse


def without(purpose: str, folder: Path) -> Policy:
    """The shipped policy without a purpose."""
    register = yaml.safe_load(SHIPPED_REGISTER.read_text(encoding="utf-8"))
    register["purposes"].pop(purpose, None)
    for recipient in register["record"]["recipients"].values():
        recipient["purposes"] = [name for name in recipient.get("purposes", []) if name != purpose]
    (folder / "register.yaml").write_text(yaml.safe_dump(register, allow_unicode=True), encoding="utf-8")
    return Policy.load(folder)


def decided(warehouse: Warehouse, policy: Policy, *, but_for: str) -> set[tuple[object, ...]]:
    """The claims of every other purpose."""
    policy.publish(warehouse)
    evaluate(warehouse, policy, AS_OF)
    return set(
        warehouse.rows(
            "select purpose, record_type, row_id, data_category, starts_on, keep_until, ended_by, missing "
            "from retention.claims where purpose <> ?",
            [but_for],
        )
    )


@pytest.mark.parametrize("purpose", ["invoicing", "debt_collection", "complaint_evidence", "newsletter"])
def test_the_other_purposes_claim_what_they_did(purpose: str, warehouse: Warehouse, tmp_path: Path) -> None:
    whole = decided(warehouse, Policy.load(), but_for=purpose)
    proofs = {claim for claim in whole if claim[0] == "accountability"} if purpose == "newsletter" else set()
    assert whole - proofs <= decided(warehouse, without(purpose, tmp_path), but_for=purpose)


@pytest.mark.parametrize("purpose", ["newsletter", "web_statistics"])
def test_a_proof_of_a_consent_to_what_the_register_lacks_is_for_review_and_says_so(
    purpose: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    policy = without(purpose, tmp_path)
    decided(warehouse, policy, but_for=purpose)
    told = render(explain(warehouse, policy, "consent", purpose[0].upper(), "en"))
    assert "Unclear: Proof of consent; the register has no purpose that the consent was given for." in told
    if purpose == "newsletter":
        ended = render(explain(warehouse, policy, "consent", "N, withdrawn", "en"))
        assert "Ended: Proof of consent, 2025-06-01" in ended
    (finding,) = [found for found in check(policy) if found.rule == "consents_for_review"]
    assert f"there is no purpose {purpose}" in finding.message


def test_the_shipped_register_leaves_no_proof_for_review() -> None:
    assert [found for found in check(Policy.load()) if found.rule == "consents_for_review"] == []
