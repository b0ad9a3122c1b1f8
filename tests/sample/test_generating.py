"""The sample company's exports fit their contracts, are always the same, and name nobody who exists."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.errors import BadInput
from assets.ingest.contracts import TABLES, canonical
from assets.sample.generating import generate, tables, telling_cases

OFFICIAL_TEST_NUMBERS = {
    "7001012393", "9006022397", "9107172380", "0002292399", "2402292383", "9001019802", "2601612381",
    "2021005489", "2021005448", "2021000050",
}  # fmt: skip


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inbox of a company of 300 generated customers and the telling cases."""
    folder = tmp_path_factory.mktemp("inbox")
    generate(folder, customers=300, seed=7, cases=telling_cases())
    return folder


def rows_of(inbox: Path, source: str, table: str) -> list[dict[str, str]]:
    (path,) = inbox.glob(f"{source}/*/{table}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def everything(inbox: Path) -> Iterator[tuple[str, str]]:
    """Every column name and value of every export."""
    for source, table in tables():
        for row in rows_of(inbox, source, table):
            yield from row.items()


def test_every_table_of_the_contracts_is_exported() -> None:
    assert sorted(tables()) == sorted(TABLES)


@pytest.mark.parametrize(("source", "table"), TABLES)
def test_an_export_has_the_columns_of_its_contract(inbox: Path, source: str, table: str) -> None:
    (path,) = inbox.glob(f"{source}/*/{table}.csv")
    header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert sorted(header) == sorted(column.name for column in canonical()[source, table].columns)


@pytest.mark.parametrize(("source", "table"), TABLES)
def test_an_export_has_rows_and_every_column_a_value_somewhere(inbox: Path, source: str, table: str) -> None:
    rows = rows_of(inbox, source, table)
    assert [column for column in rows[0] if not any(row[column] for row in rows)] == []


def test_control_totals_are_those_of_the_files(inbox: Path) -> None:
    deliveries = sorted(inbox.glob("*/*/delivery.json"))
    assert [path.parent.parent.name for path in deliveries] == ["crm", "mailing", "office", "orders", "web"]
    for path in deliveries:
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["extracted_at"] == "2026-11-22T02:00:00Z"
        for file in content["files"]:
            data = (path.parent / file["name"]).read_bytes()
            assert file["sha256"] == hashlib.sha256(data).hexdigest()
            assert file["rows"] == len(rows_of(inbox, content["source"], file["table"]))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_company(inbox: Path, tmp_path: Path) -> None:
    generate(tmp_path / "same", customers=300, seed=7, cases=telling_cases())
    generate(tmp_path / "other", customers=300, seed=8, cases=telling_cases())
    for path in sorted(inbox.rglob("*.csv")):
        place = path.relative_to(inbox)
        assert path.read_bytes() == (tmp_path / "same" / place).read_bytes()
    assert rows_of(inbox, "crm", "customers") != rows_of(tmp_path / "other", "crm", "customers")


def test_keys_are_unique_and_references_are_met_but_for_the_cases_that_tell_otherwise(inbox: Path) -> None:
    orders = [row["order_id"] for row in rows_of(inbox, "orders", "orders")]
    assert len(orders) == len(set(orders)) > 600
    lines = {row["order_id"] for row in rows_of(inbox, "orders", "order_lines")}
    assert lines - set(orders) == {"O9099"}


def test_every_kind_of_customer_and_every_kind_of_request_word_is_there(inbox: Path) -> None:
    customers = rows_of(inbox, "crm", "customers")
    kinds = [row["customer_type"] for row in customers]
    assert 0.5 < kinds.count("private") / len(kinds) < 0.7
    assert kinds.count("sole_trader") > 20
    assert kinds.count("company") > 50
    assert "hushåll" in kinds


def test_nothing_happened_after_the_exports_were_taken(inbox: Path) -> None:
    instants = [value for name, value in everything(inbox) if name.endswith("_at") and value[:2] == "20"]
    assert max(value for value in instants if not value.startswith("2026-13")) <= "2026-11-22T02:00:00Z"


def test_people_and_numbers_are_invented(inbox: Path) -> None:
    for name, value in everything(inbox):
        if "@" in value:
            assert value.lower().endswith(".example")
        if name.endswith("phone") and value:
            assert re.fullmatch(r"070-17406(0[5-9]|[1-9][0-9])", value)
        if name.endswith(("national_id", "org_number")) and value:
            assert value.replace("-", "")[-10:] in OFFICIAL_TEST_NUMBERS


def test_a_delivery_is_never_written_over(inbox: Path) -> None:
    with pytest.raises(BadInput, match="there already"):
        generate(inbox, customers=1)


def test_money_has_two_decimals(inbox: Path) -> None:
    amounts = [row["amount"] for row in rows_of(inbox, "orders", "invoices") if row["amount"] != "tolv kronor"]
    assert all(re.fullmatch(r"[0-9]+\.[0-9]{2}", amount) for amount in amounts)
