"""The suites against a small company: it passes them whole, and each check sees the fault that it is there for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assets.core.building import build
from assets.ingest.loading import load_rows
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse
from expectations.specs import STOPS, suite
from expectations.validation import AUDITS, Verdict, run_suite, validate
from tests.expectations.checks import EVERY_CHECK
from tests.expectations.company import AS_OF, evaluated_warehouse

Fault = tuple[str, str]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    with evaluated_warehouse() as warehouse:
        yield warehouse


@pytest.mark.parametrize("stop", STOPS)
def test_a_sound_company_passes_every_check(warehouse: Warehouse, stop: str) -> None:
    verdicts = validate(warehouse, stop)
    assert [verdict.name for verdict in verdicts if not verdict.passed] == []
    assert [verdict.name for verdict in verdicts if verdict.unexpected] == []


def test_the_company_has_every_disposition_and_action_to_check(warehouse: Warehouse) -> None:
    dispositions = warehouse.rows("select distinct disposition from retention.dispositions order by all")
    assert [row[0] for row in dispositions] == ["erase", "not_personal", "restrict", "retain", "review"]
    actions = warehouse.rows("select distinct action from manifest.proposed order by all")
    assert {"erase", "redact", "restrict"} <= {row[0] for row in actions}


#: check -> (the table that is spoiled, how). Checks on one column's nulls and values are spoiled by rule, see `_fault`.
FAULTS: dict[str, Fault] = {
    "every_row_in_is_accounted_for": ("intake.files", "update {} set rows_loaded = rows_loaded + 1"),
    "office_fiscal_years_end_after_they_start": ("raw.office_fiscal_years", "update {} set ends_on = starts_on - 1"),
    "crm_quotes_are_valid_for_ten_years_at_most": ("raw.crm_quotes", "update {} set valid_until = date '2206-02-01'"),
    "orders_invoices_fall_due_within_ten_years": ("raw.orders_invoices", "update {} set due_on = date '2206-02-01'"),
    "office_fiscal_years_do_not_overlap": ("raw.office_fiscal_years", "update {} set ends_on = date '2030-04-30'"),
    "core_has_every_row_of_raw": ("core.sends", "delete from {}"),
    "records_are_unique": ("core.records", "insert into {0} select * from {0} limit 1"),
    "references_lead_somewhere": ("core.payments", "update {} set invoice_id = 999999"),
    "references_reach_records": (
        "raw.crm_consents",
        "insert into {0} select it.* replace ('K404' as contact_id) from {0} as it, range(20) where in_source",
    ),
    **{
        f"{table}_name_known_records": (f"core.{table}", "update {} set customer_id = null")
        for table in ("orders", "quotes", "interactions", "consents", "subscribers", "web_events")
    },
    "order_lines_name_known_records": ("core.order_lines", "update {} set delivery_id = null"),
    "invoices_name_known_records": ("core.invoices", "update {} set order_id = null"),
    "rows_belong_to_one_person": ("core.people", "insert into {0} select * from {0} limit 1"),
    "people_cover_every_row": ("core.people", "delete from {} where node_type = 'contact'"),
    "linked_rows_are_one_person": ("core.people", "update {} set person_id = node_id"),
    "merged_rows_share_a_link": ("core.people", "update {0} set person_id = (select min(node_id) from {0})"),
    "addresses_have_one_key": ("raw.mailing_subscribers", "update {} set email_key = uuid()"),
    "evaluation_is_of_one_day": ("retention.evaluation", "insert into {0} select * from {0}"),
    "claims_are_of_registered_purposes": ("policy.purposes", "delete from {} where purpose = 'newsletter'"),
    "claims_are_covered_by_the_register": ("policy.coverage", "delete from {} where purpose = 'newsletter'"),
    "clocks_are_known_to_the_register": ("retention.purpose_claims", "update {} set clock = 'sundial'"),
    "claims_are_about_records": ("purposes.newsletter", "update {} set row_id = 999999"),
    "claims_have_an_end_or_a_reason": ("purposes.accounting", "update {} set ends_on = null where missing is null"),
    "claims_are_active_through_their_last_day": ("retention.claims", "update {} set is_active = false"),
    "uses_of_contacts_end_with_their_role": (
        "retention.claims",
        "update {} set keep_until = null, open_ended = true where record_type = 'contact'",
    ),
    "claims_start_before_they_end": ("purposes.accounting", "update {} set starts_on = ends_on + 1"),
    "categories_are_decided_once": ("retention.dispositions", "insert into {0} select * from {0} limit 1"),
    "categories_are_all_decided": ("retention.dispositions", "delete from {} where record_type = 'payment'"),
    "dispositions_are_about_records": ("retention.records", "delete from {} where record_type = 'payment'"),
    "records_are_those_in_the_sources": ("retention.records", "delete from {} where record_type = 'payment'"),
    "dispositions_follow_from_the_claims": ("retention.purpose_claims", "update {} set ends_on = date '2020-01-01'"),
    "last_days_are_possible": ("retention.dispositions", "update {} set keep_until = date '2020-01-01'"),
    "reviews_have_a_reason": ("retention.dispositions", "update {} set reasons = null"),
    "companies_alone_are_not_personal": ("core.customers", "update {} set customer_type = 'company'"),
    "restricted_people_are_restricted": ("retention.dispositions", "update {} set disposition = 'retain'"),
    "legal_holds_are_kept": ("retention.dispositions", "update {} set disposition = 'erase'"),
    "kept_fields_are_not_ordered_erased": ("manifest.proposed", "update {} set action = 'erase'"),
    "items_say_why": ("manifest.proposed", "update {} set because = '[]'"),
    "erasures_are_told_exactly_once": ("manifest.proposed", "delete from {} where action = 'redact'"),
    "items_are_unique": ("manifest.proposed", "insert into {0} select * from {0} limit 1"),
    "items_name_known_fields": ("manifest.proposed", "update {} set fields = ['shoe_size'] where action <> 'erase'"),
    "earlier_manifests_hold_what_they_count": ("manifest.items", "delete from {}"),
    "earlier_manifests_form_a_chain": ("manifest.manifests", "update {} set previous = 'another' where sequence > 1"),
}


@pytest.mark.parametrize("name", [spec.name for spec in EVERY_CHECK])
def test_a_check_sees_its_fault(warehouse: Warehouse, name: str) -> None:
    spec = next(spec for spec in EVERY_CHECK if spec.name == name)
    expectation = next(one for one in suite(spec.stop)["expectations"] if one["meta"]["name"] == name)
    with _spoiled(warehouse, *_fault(expectation)):
        (verdict,) = run_suite(warehouse, spec.stop, {"expectations": [expectation]})
    assert not verdict.passed
    assert verdict.unexpected > 0


#: Ways in which a disposition and its claims can disagree, each of which has to be seen.
DISAGREEMENTS = {
    "kept without a claim": "update {} set disposition = 'retain', keep_until = null where disposition = 'erase'",
    "restricted though in use": "update {} set disposition = 'restrict' where disposition = 'retain'",
    "in use though only a duty keeps it": "update {} set disposition = 'retain' where disposition = 'restrict'",
    "erased though kept": "update {} set disposition = 'erase', keep_until = null where disposition = 'restrict'",
    "erased though in doubt": "update {} set disposition = 'erase' where disposition = 'review'",
    "reviewed though kept": "update {} set disposition = 'review', keep_until = null where disposition = 'retain'",
    "a day too long": "update {} set keep_until = keep_until + 1",
    "an end where there is none": "update {} set keep_until = date '2027-01-01' where keep_until is null "
    "and disposition = 'retain'",
}


@pytest.mark.parametrize("how", sorted(DISAGREEMENTS))
def test_a_disposition_that_its_claims_do_not_bear_out_is_seen(warehouse: Warehouse, how: str) -> None:
    with _spoiled(warehouse, "retention.dispositions", DISAGREEMENTS[how]):
        verdict = _verdict(warehouse, "dispositions", "dispositions_follow_from_the_claims")
    assert verdict.unexpected > 0


@pytest.mark.parametrize(
    ("fault", "blamed"),
    [
        ("insert into {0} select * from {0} where action in ('erase', 'redact')", "erasures_are_told_exactly_once"),
        ("update {} set fields = ['name'] where action = 'redact'", "erasures_are_told_exactly_once"),
        ("update {} set action = 'redact' where action = 'restrict'", "kept_fields_are_not_ordered_erased"),
        ("update {} set fields = [] where action = 'redact'", "items_name_known_fields"),
    ],
)
def test_a_spoiled_proposal_is_seen(warehouse: Warehouse, fault: str, blamed: str) -> None:
    with _spoiled(warehouse, "manifest.proposed", fault):
        assert _verdict(warehouse, "manifests", blamed).unexpected > 0


def test_a_date_ahead_of_the_delivery_is_a_finding(warehouse: Warehouse) -> None:
    name = "crm_interactions_dates_are_plausible"
    for day, unexpected in (("2026-11-27", 0), ("2026-11-28", 4)):
        with _spoiled(warehouse, "raw.crm_interactions", f"update {{}} set occurred_at = date '{day}'"):
            assert _verdict(warehouse, "raw", name).unexpected == unexpected


#: Registers that the site enters in too, and a day of theirs.
ENTERED = {"office_holds": "placed_at", "office_requests": "received_at"}
#: What is told after the office's export: an entry at the site, or another source's delivery; and how it is taken back.
TOLD = {
    "entry": ("insert into office.events (happened_at) values (timestamp '2026-12-03 09:00:00')",
              "delete from office.events"),
    "delivery": ("update intake.deliveries set extracted_at = extracted_at + interval 8 day where source = 'web'",
                 "update intake.deliveries set extracted_at = extracted_at - interval 8 day where source = 'web'"),
}  # fmt: skip


@pytest.mark.parametrize("table", ENTERED)
@pytest.mark.parametrize("told", TOLD)
def test_a_day_in_a_register_is_measured_by_what_was_told_last_and_not_by_the_offices_export(
    warehouse: Warehouse, told: str, table: str
) -> None:
    name, entered = f"{table}_dates_are_plausible", f"update {{}} set {ENTERED[table]} = date '2026-12-03'"
    with _spoiled(warehouse, f"raw.{table}", entered):
        assert _verdict(warehouse, "raw", name).unexpected > 0
        tell, take_back = TOLD[told]
        warehouse.run(tell)
        try:
            assert _verdict(warehouse, "raw", name).unexpected == 0
        finally:
            warehouse.run(take_back)


@pytest.mark.parametrize(
    ("table", "column", "name"),
    [
        ("crm_quotes", "valid_until", "crm_quotes_are_valid_for_ten_years_at_most"),
        ("orders_invoices", "due_on", "orders_invoices_fall_due_within_ten_years"),
    ],
)
def test_a_planned_day_is_a_finding_where_it_lies_more_than_ten_years_ahead(
    warehouse: Warehouse, table: str, column: str, name: str
) -> None:
    for day, is_seen in (("2036-11-25", False), ("2036-11-26", True), ("9999-12-31", True)):
        with _spoiled(warehouse, f"raw.{table}", f"update {{}} set {column} = date '{day}'"):
            verdict = _verdict(warehouse, "raw", name)
        assert (verdict.unexpected > 0, verdict.severity) == (is_seen, "warning")


def test_what_names_an_unknown_record_is_a_finding_and_what_names_none_is_not() -> None:
    """An order that named customer 1001.0 kept nothing of customer 1001, who was ordered erased without a word."""
    customer = {"customer_id": "1001", "customer_type": "private", "name": "Ada Exempel"}
    order: dict[str, str | None] = {"placed_at": "2026-06-01", "status": "open"}
    invoice: dict[str, str | None] = {"issued_on": "2026-06-02", "amount": "100", "currency": "SEK", "order_id": "O1"}
    policy, exports = Policy.load(), {
        "crm/customers": [customer],
        "crm/interactions": [{"interaction_id": "I1", "customer_id": "1001", "contact_id": "K9", "channel": "note"}],
        "orders/orders": [
            {"order_id": "O1", "customer_id": "1001", **order}, {"order_id": "O2", "customer_id": "1001.0", **order},
            {"order_id": "O3", "contact_id": "K9", **order}, {"order_id": "O4", **order},
        ],
        "orders/order_lines": [{"order_line_id": "R1", "order_id": "O1", "delivery_id": "L9"}],
        "orders/invoices": [
            {"invoice_id": "F1", "kind": "invoice", **invoice},
            {"invoice_id": "F2", "kind": "invoice", "customer_id": "1001.0", **invoice},
            {"invoice_id": "F3", "kind": "credit_note", "refers_to_invoice_id": "F1", **invoice},
            {"invoice_id": "F4", "kind": "credit_note", "refers_to_invoice_id": "F1.0", **invoice},
        ],
    }  # fmt: skip
    with Warehouse.in_memory(threads=1) as warehouse:
        load_rows(warehouse, policy, exports)
        policy.publish(warehouse)
        build(warehouse)
        found = {verdict.name: verdict.unexpected for verdict in validate(warehouse, "core") if not verdict.passed}
        assert found == {
            "interactions_name_known_records": 1, "order_lines_name_known_records": 1, "orders_name_known_records": 2,
            "invoices_name_known_records": 2,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "unexpected"),
    [(["1001.0"] * 20, 1), (["1001.0"] * 19, 0), (["1001.0"] * 20 + ["1001"], 0), ([None] * 20, 0)],
)
def test_a_key_that_is_written_otherwise_in_all_of_an_export_blocks(keys: list[str | None], unexpected: int) -> None:
    policy, exports = Policy.load(), {
        "crm/customers": [{"customer_id": "1001", "customer_type": "private", "name": "Ada Exempel"}],
        "orders/orders": [
            {"order_id": f"O{number}", "customer_id": key, "placed_at": "2026-06-01", "status": "open"}
            for number, key in enumerate(keys)
        ],
    }  # fmt: skip
    with Warehouse.in_memory(threads=1) as warehouse:
        load_rows(warehouse, policy, exports)
        policy.publish(warehouse)
        build(warehouse)
        verdict = _verdict(warehouse, "core", "references_reach_records")
    assert (verdict.unexpected, verdict.severity) == (unexpected, "critical")


@pytest.mark.parametrize(("due_on", "unexpected"), [("2026-12-01", 0), ("2025-12-01", 4)])
def test_a_prepaid_order_is_no_finding_and_an_invoice_due_before_it_was_issued_is_one(
    due_on: str, unexpected: int
) -> None:
    paid_on = "2026-11-01" if unexpected == 0 else "2026-11-10"
    policy, exports = Policy.load(), {
        "crm/customers": [{"customer_id": "C1", "customer_type": "private", "name": "Prepaid Test"}],
        "orders/orders": [{"order_id": "O1", "customer_id": "C1", "placed_at": "2026-11-01", "status": "open"}],
        "orders/deliveries": [{"delivery_id": "L1", "order_id": "O1", "delivered_at": "2026-11-05"}],
        "orders/invoices": [
            {"invoice_id": "F1", "order_id": "O1", "customer_id": "C1", "kind": "invoice", "booked_on": "2026-11-02",
             "due_on": due_on, "amount": "100", "currency": "SEK"},
        ],
        "orders/payments": [{"payment_id": "B1", "invoice_id": "F1", "paid_at": paid_on, "amount": "100"}],
    }  # fmt: skip
    with Warehouse.in_memory(threads=1) as warehouse:
        load_rows(warehouse, policy, exports)
        policy.publish(warehouse)
        build(warehouse)
        evaluate(warehouse, policy, AS_OF)
        assert _verdict(warehouse, "claims", "claims_start_before_they_end").unexpected == unexpected


@pytest.mark.parametrize("path", sorted(AUDITS.glob("*/*.sql")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_audit_grows_with_its_rows_and_not_with_their_square(warehouse: Warehouse, path: Path) -> None:
    """A condition on one side of an outer join alone makes DuckDB compare every row with every other."""
    plan = warehouse.rows(f"explain (format json) {path.read_text(encoding='utf-8')}")[0][1]
    loops = [step for step in _steps(json.loads(plan)) if step["name"] == "BLOCKWISE_NL_JOIN"]
    assert {step["extra_info"]["Join Type"] for step in loops} <= {"INNER"}


def _steps(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in plan:
        yield step
        yield from _steps(step["children"])


def _verdict(warehouse: Warehouse, stop: str, name: str) -> Verdict:
    chosen = [one for one in suite(stop)["expectations"] if one["meta"]["name"] == name]
    (verdict,) = run_suite(warehouse, stop, {"expectations": chosen})
    return verdict


def _fault(expectation: dict[str, Any]) -> Fault:
    """How to break one check: by its name, else by what kind of expectation it is."""
    name, table = expectation["meta"]["name"], expectation["meta"]["asset"]
    if name in FAULTS:
        return FAULTS[name]
    column = expectation["kwargs"].get("column", "")
    by_kind = {
        "expect_column_values_to_not_be_null": f"update {{}} set {column} = null",
        "expect_column_values_to_be_in_set": f"update {{}} set {column} = 'zebra'",
        "expect_column_values_to_be_between": f"update {{}} set {column} = -1",
    }
    if expectation["type"] in by_kind:
        return table, by_kind[expectation["type"]]
    return table, _by_ending(warehouse_columns=expectation["kwargs"]["unexpected_rows_query"], name=name)


def _by_ending(warehouse_columns: str, name: str) -> str:
    """How to break one of the checks that many tables have, from its name and the columns that its query reads."""
    words = warehouse_columns.replace("(", " ").replace(")", " ").replace(",", " ").split()
    if name.endswith("_keys_are_unique"):
        return "insert into {0} select * from {0} limit 1"
    if name.endswith("_dates_are_plausible"):
        column = next(word for word in words if word.endswith(("_at", "_on", "_since")))
        return f"update {{}} set {column} = date '1066-10-14'"
    if name.endswith("_are_recognisable"):
        return "update {} set email_key = null"
    parent = words[words.index("null") - 2]
    return f"update {{}} set {parent} = null"


@contextmanager
def _spoiled(warehouse: Warehouse, table: str, fault: str) -> Iterator[None]:
    """A table (or, meanwhile a table, a view) with a fault in it, put right afterwards. Its words may be any."""
    schema, _, name = table.partition(".")
    view = warehouse.value("select sql from duckdb_views() where schema_name = ? and view_name = ?", [schema, name])
    warehouse.run("create schema if not exists saved")
    warehouse.run(f"create or replace table saved.it as from {table}")
    if view:
        warehouse.run(f"drop view {table}")
    try:
        warehouse.run(f"create or replace table {table} as select {_as_text(warehouse)} from saved.it")
        warehouse.run(fault.format(table))
        yield
    finally:
        if view:
            warehouse.run(f"drop table {table}")
            warehouse.run(view)
        else:
            warehouse.run(f"create or replace table {table} as from saved.it")


def _as_text(warehouse: Warehouse) -> str:
    """The columns of the saved table, those of closed words as text."""
    columns = "select column_name, data_type from duckdb_columns() where schema_name = 'saved' order by column_index"
    return ", ".join(
        f"cast({name} as varchar) as {name}" if kind.startswith("ENUM") else name
        for name, kind in warehouse.rows(columns)
    )
