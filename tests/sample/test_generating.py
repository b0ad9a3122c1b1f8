"""The sample company's exports fit their contracts, are always the same, and name nobody who exists."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.contracts.contract import DELETED, TABLES
from assets.contracts.declarations import canonical
from assets.errors import BadInput
from assets.sample import drawing
from assets.sample.drawing import tables
from assets.sample.generating import generate, generate_next_night, telling_cases

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


def test_neither_the_size_of_a_range_nor_the_number_of_cores_is_seen_in_the_rows(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "RANGE", 90)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    generate(tmp_path, customers=300, seed=7, cases=telling_cases())
    for source, table in tables():
        assert sorted(map(str, rows_of(tmp_path, source, table))) == sorted(map(str, rows_of(inbox, source, table)))
    for path in tmp_path.glob("crm/*/customers.csv"):
        assert path.read_bytes() == next(inbox.glob("crm/*/customers.csv")).read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A company's first night, and the next one told in full and as a delta: news of three customers in ten."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("first", "full", "delta")}
    generate(folders["first"], customers=800, seed=3)
    generate_next_night(folders["full"], customers=800, seed=3, percent=30)
    generate_next_night(folders["delta"], customers=800, seed=3, percent=30, mode="delta")
    return folders


def exported(inbox: Path, source: str, table: str) -> dict[str, dict[str, str]]:
    """The rows of a table by key; none where it was not delivered. Rows without a key are left out."""
    key = canonical()[source, table].key
    if not list(inbox.glob(f"{source}/*/{table}.csv")):
        return {}
    return {row[key]: row for row in rows_of(inbox, source, table) if row[key]}


@pytest.mark.parametrize(("source", "table"), TABLES)
def test_the_delta_of_a_night_is_what_lies_between_the_two_fulls(
    nights: dict[str, Path], source: str, table: str
) -> None:
    first, full, delta = (exported(nights[name], source, table) for name in ("first", "full", "delta"))
    for key, row in delta.items():
        if row.pop(DELETED) == "true":
            assert first.pop(key) == row
        else:
            assert first.get(key) != row
            first[key] = row
    assert first == full


def test_a_night_brings_every_kind_of_news(nights: dict[str, Path]) -> None:
    delta = {place: exported(nights["delta"], *place) for place in TABLES}
    first = {place: exported(nights["first"], *place) for place in TABLES}
    for place in (("crm", "interactions"), ("orders", "orders"), ("orders", "payments"), ("web", "events")):
        assert delta[place].keys() - first[place].keys(), place
    assert any(row[DELETED] == "true" for row in delta["web", "events"].values())
    moved, left = [], []
    for key, row in delta["crm", "customers"].items():
        moved.append(row["street"] != first["crm", "customers"][key]["street"])
        left.append(row["relation_ended_at"] != first["crm", "customers"][key]["relation_ended_at"])
    assert any(moved)
    assert any(left)
    assert any(row["withdrawn_at"].startswith("2026-11-22") for row in delta["crm", "consents"].values())


def test_the_next_night_is_a_delivery_of_the_next_day_with_its_control_totals(nights: dict[str, Path]) -> None:
    for mode in ("full", "delta"):
        deliveries = sorted(nights[mode].glob("*/*/delivery.json"))
        assert deliveries
        for path in deliveries:
            content = json.loads(path.read_text(encoding="utf-8"))
            assert (content["mode"], content["extracted_at"]) == (mode, "2026-11-23T02:00:00Z")
            assert {file["name"] for file in content["files"]} == {each.name for each in path.parent.glob("*.csv")}
            for file in content["files"]:
                data = (path.parent / file["name"]).read_bytes()
                assert file["sha256"] == hashlib.sha256(data).hexdigest()
                assert file["rows"] == len(rows_of(nights[mode], content["source"], file["table"]))
    assert not list(nights["delta"].glob("office/*"))
