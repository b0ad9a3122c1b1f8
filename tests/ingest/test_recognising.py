"""A row that is recognised ends up as it would if it were judged and stored anew: random nights, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.contracts.contract import Contract, Contracts
from assets.contracts.declarations import canonical
from assets.contracts.raw_tables import raw_columns
from assets.erasure.erasing import erase_own_copies
from tests.ingest.company import AS_OF, Company

COLUMNS = ("invoice_id", "kind", "amount", "currency", "issued_on", "buyer_name", "_deleted")
FIELDS = ("buyer_name", "amount", "currency", "buyer_city")

_ROW = st.tuples(
    st.sampled_from(["F1", "F2", "F3", "F4", "F5", ""]),
    st.sampled_from(["invoice", "invoice", "credit_note", "x"]),
    st.sampled_from(["1", "2.50", "", "1,5"]),
    st.sampled_from(["SEK", "EUR", ""]),
    st.sampled_from(["2026-01-01", " 2026-01-02", "2026-02-30"]),
    st.sampled_from(["Ada Exempel", " Bo\u00a0", ""]),
    st.sampled_from(["", "", "true"]),
)
_NIGHT = st.tuples(
    st.sampled_from(["full", "full", "full", "delta"]),
    st.lists(_ROW, max_size=6),
    st.sets(st.tuples(st.sampled_from(["F1", "F2", "F3"]), st.sampled_from(FIELDS)), max_size=4),
    st.booleans(),
)


def _file(rows: list[tuple[str, ...]]) -> tuple[str, int]:
    names = [each.name for each in _contract().columns] + ["_deleted"]
    lines = [",".join(dict(zip(COLUMNS, row, strict=True)).get(name, "") for name in names) for row in rows]
    return "\n".join([",".join(names), *lines]) + "\n", len(lines)


def _contract() -> Contract:
    return canonical()["orders", "invoices"]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nights=st.lists(_NIGHT, min_size=2, max_size=4), repeated=st.booleans())
def test_recognising_changes_nothing(tmp_path_factory: pytest.TempPathFactory, nights: Any, repeated: bool) -> None:
    columns = ", ".join(f'"{name}"' for name in raw_columns(_contract()) if name != "row_digest")
    told = []
    for recognising in (True, False):
        company = Company(tmp_path_factory.mktemp("company"), Contracts([_contract()]))
        with company.warehouse:
            seen: list[tuple[str, ...]] = []
            for number, (mode, rows, ordered, erasing) in enumerate(nights, start=1):
                seen = [*seen, *rows] if repeated else rows
                text, count = _file(seen)
                company.send("orders", {"invoices": text}, day=f"2026-11-{number:02}", mode=mode, rows=count)
                company.ingest()
                _order(company, ordered, erasing)
                if not recognising:
                    company.warehouse.run("update raw.orders_invoices set row_digest = null")
            told.append(
                [company.rows(f"select {columns} from raw.orders_invoices order by row_id"),
                 company.rows("select * from intake.quarantined order by all"),
                 company.rows("select * from intake.files order by all")]
            )  # fmt: skip
    assert told[0] == told[1]


def _order(company: Company, ordered: set[tuple[str, str]], erasing: bool) -> None:
    """These fields are ordered erased, and no others any more; the site's own copies of them go, or not yet."""
    _take_back(company)
    for key, field in sorted(ordered):
        company.order_erased("invoice", key, field)
    if erasing:
        company.warehouse.run("create schema if not exists policy")
        company.warehouse.run(
            "create or replace table policy.records as select 'invoice' as record_type, 'orders' as source, "
            "'invoices' as table_name"
        )
        erase_own_copies(company.warehouse, company.policy, as_of=AS_OF)


def _take_back(company: Company) -> None:
    for (table,) in company.rows(
        "select table_name from duckdb_tables() where table_name in ('told_bits', 'sealed_fields')"
    ):
        company.warehouse.run(f"delete from manifest.{table}")


def _delivered(company: Company, day: str) -> None:
    text, count = _file([("F1", "invoice", "1", "SEK", "2026-01-01", "Ada Exempel", "")])
    company.send("orders", {"invoices": text}, day=day, rows=count)
    company.ingest()


def _digest(company: Company) -> Any:
    return company.value("select row_digest from raw.orders_invoices")


def test_a_row_of_which_fields_are_ordered_erased_is_recognised_by_a_keyed_hash(company: Company) -> None:
    company.policy.contracts = Contracts([_contract()])
    _delivered(company, "2026-11-01")
    plain = _digest(company)
    _order(company, {("F1", "buyer_name")}, erasing=True)
    marked = _digest(company)
    assert marked not in (None, plain)
    _delivered(company, "2026-11-02")
    assert company.value("select in_delivery || ' ' || changed_in from raw.orders_invoices").startswith("2026-11-02")
    assert company.value("select changed_in from raw.orders_invoices").startswith("2026-11-01")
    company.warehouse.run("update raw.orders_invoices set withheld = ['kept if recognised']")
    _delivered(company, "2026-11-03")
    assert company.value("select withheld from raw.orders_invoices") == ["kept if recognised"]
    assert _digest(company) == marked


def test_a_row_is_looked_at_again_when_its_order_is_another_one(company: Company) -> None:
    company.policy.contracts = Contracts([_contract()])
    _delivered(company, "2026-11-01")
    _order(company, {("F1", "buyer_name")}, erasing=True)
    marked = _digest(company)
    _order(company, {("F1", "currency")}, erasing=False)
    _delivered(company, "2026-11-02")
    assert company.rows("select buyer_name, currency, withheld from raw.orders_invoices") == [
        ("Ada Exempel", None, ["currency"])
    ]
    assert _digest(company) != marked
    _take_back(company)
    _delivered(company, "2026-11-03")
    assert company.rows("select buyer_name, currency, withheld from raw.orders_invoices") == [
        ("Ada Exempel", "SEK", None)
    ]


def test_an_order_that_comes_back_does_not_vouch_for_a_row_that_lost_more_meanwhile(company: Company) -> None:
    company.policy.contracts = Contracts([_contract()])
    _delivered(company, "2026-11-01")
    _order(company, {("F1", "currency")}, erasing=True)
    _delivered(company, "2026-11-02")
    _order(company, {("F1", "currency"), ("F1", "buyer_name")}, erasing=True)
    _order(company, {("F1", "currency")}, erasing=True)
    _delivered(company, "2026-11-03")
    assert company.rows("select buyer_name, currency, withheld from raw.orders_invoices") == [
        ("Ada Exempel", None, ["currency"])
    ]
