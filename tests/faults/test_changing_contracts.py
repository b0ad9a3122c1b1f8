"""Contracts that change between two nights: what is there already becomes what they say now, or they are refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from assets.contracts.declarations import load_contracts
from assets.errors import BadInput
from tests.ingest.company import Company, StandInPolicy

SHIPPED = Path(__file__).resolve().parents[2] / "expectations" / "contracts" / "crm_contacts.yaml"
HEADER = "contact_id,customer_id,name,email,phone,job_title,role_ended_at,updated_at,own\n"


def declaring(folder: Path, logical_type: str) -> StandInPolicy:
    """The shipped contract of contacts with a remembered column of a company's own, of that type."""
    own = (
        f"      - name: own\n        logicalType: {logical_type}\n        customProperties:\n"
        "          - {property: dataCategory, value: identity}\n          - {property: remembered, value: true}\n"
    )
    text = SHIPPED.read_text(encoding="utf-8")
    assert "      - name: role_ended_at\n" in text
    folder.mkdir(exist_ok=True)
    declared = text.replace("      - name: role_ended_at\n", f"{own}      - name: role_ended_at\n")
    (folder / "crm_contacts.yaml").write_text(declared, encoding="utf-8")
    return StandInPolicy(load_contracts(folder))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path)
    yield made
    made.warehouse.close()


@pytest.mark.parametrize(
    ("before", "value", "now", "later", "kept"),
    [
        ("string", "2024-01-02", "date", "2025-02-03", "2024-01-02"),
        ("string", "12.5", "number", "7", "12.5000"),
        ("string", "true", "boolean", "false", "true"),
        ("date", "2024-01-02", "string", "Ada", "2024-01-02"),
        ("number", "12.5", "string", "many", "12.5000"),
    ],
)
def test_a_column_of_another_type_is_taken_in_and_what_was_there_stays(
    company: Company, tmp_path: Path, before: str, value: str, now: str, later: str, kept: str
) -> None:
    company.policy = declaring(tmp_path / "contracts", before)
    company.send("crm", {"contacts": f"{HEADER}P1,K1,,,,,,,{value}\nP2,K1,,,,,,,{value}\n"}, day="2026-11-23")
    assert len(company.ingest().loaded) == 1
    company.policy = declaring(tmp_path / "contracts", now)
    company.send("crm", {"contacts": f"{HEADER}P1,K1,,,,,,,{later}\n"}, day="2026-11-24", mode="delta")
    assert len(company.ingest().loaded) == 1
    there = dict(company.rows("select contact_id, cast(own as varchar) from raw.crm_contacts"))
    assert (there["P2"], there["P1"].removesuffix(".0000")) == (kept, later)


@pytest.mark.parametrize(
    ("before", "value", "now"),
    [
        ("string", "Ada", "date"),
        ("string", "2024-01-02T23:30:00Z", "date"),  # in Stockholm it was the third
        ("string", "0.123456", "number"),
        ("number", "20240102", "date"),
    ],
)
def test_a_type_that_loses_what_was_taken_in_is_refused_with_the_column_and_no_value(
    company: Company, tmp_path: Path, before: str, value: str, now: str
) -> None:
    company.policy = declaring(tmp_path / "contracts", before)
    company.send("crm", {"contacts": f"{HEADER}P1,K1,,,,,,,{value}\n"}, day="2026-11-23")
    company.ingest()
    there = company.rows("from raw.crm_contacts")
    company.policy = declaring(tmp_path / "contracts", now)
    with pytest.raises(BadInput, match=r"crm_contacts\.yaml: own was .* and 1 of its values") as refused:
        company.ingest()
    assert value not in str(refused.value)
    assert company.rows("from raw.crm_contacts") == there


@pytest.mark.parametrize(("before", "value", "now"), [("date", "2024-01-02", "string"), ("string", "SEK", "date")])
def test_what_is_remembered_stays_or_the_type_is_refused(
    company: Company, tmp_path: Path, before: str, value: str, now: str
) -> None:
    company.policy = declaring(tmp_path / "contracts", before)
    company.send("crm", {"contacts": f"{HEADER}P1,K1,,,,,,,{value}\n"}, day="2026-11-23")
    company.ingest()
    company.order_erased("contact", "P1", "own")
    company.send("crm", {"contacts": f"{HEADER}P1,K1,,,,,,,\n"}, day="2026-11-24")
    company.ingest()
    kept = "select own, cast(known_own as varchar) from raw.crm_contacts"
    assert company.rows(kept) == [(None, value)]
    company.policy = declaring(tmp_path / "contracts", now)
    with pytest.raises(BadInput, match="known_own was") if now == "date" else nullcontext():
        company.ingest()
    assert company.rows(kept) == [(None, value)]
