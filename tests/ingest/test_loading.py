"""Deliveries in, every row accounted for."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.contracts.contract import Contract, Contracts
from assets.contracts.declarations import CONTRACTS, canonical
from assets.contracts.raw_tables import raw_columns
from assets.errors import BadInput
from assets.ingest import loading, merging, staging
from assets.ingest.accepting import accept_as_right
from assets.ingest.blocking import fresh_until
from assets.ingest.deliveries import Delivery, barred_sources, find_deliveries, prove_files
from assets.ingest.loading import ingest, load_rows
from assets.ingest.tables import prepare
from assets.warehouse import MachineLacks, Warehouse, WarehouseError
from tests.ingest.company import AS_OF, Company, StandInPolicy

CUSTOMERS = ("customer_id,customer_type,name,national_id,org_number,email,phone,street,postal_code,city,country,"
             "birth_date,customer_since,relation_ended_at,deceased_on,updated_at")  # fmt: skip
INVOICES = ("invoice_id,invoice_number,order_id,customer_id,kind,refers_to_invoice_id,issued_on,booked_on,due_on,"
            "amount,currency,buyer_name,buyer_street,buyer_postal_code,buyer_city,buyer_national_id")  # fmt: skip


CONTACTS = "contact_id,customer_id,name,email,phone,job_title,role_ended_at,updated_at\nP1,K1,,,,,,\n"


def customer(
    key: str, *, kind: str = "private", name: str = "Ada Exempel", email: str = "", since: str = "", ended: str = ""
) -> str:
    return f"{key},{kind},{name},,,{email},,,,,,,{since},{ended},,"


def customers(*rows: str) -> str:
    return "\n".join([CUSTOMERS, *rows]) + "\n"


def invoice(key: str, amount: str) -> str:
    return f"{key},,,,invoice,,2026-01-01,,,{amount},SEK,,,,,"


def test_a_delivery_becomes_typed_rows(company: Any) -> None:
    company.send(
        "crm", {"customers": customers(customer("K1", ended="2026-10-24T23:30:00Z", email=" Ada@Exempel.example "))}
    )
    report = company.ingest()
    assert [each.status for each in report.deliveries] == ["loaded"]
    found = company.warehouse.records("from raw.crm_customers")[0]
    assert found["relation_ended_at"] == date(2026, 10, 25)
    assert found["email"] == "Ada@Exempel.example"
    assert found["email_key"] == company.value("select pseudonym('ada@exempel.example')")
    assert (found["row_id"], found["in_source"], found["in_delivery"]) == (1, True, "2026-11-25-full")
    assert found["phone"] is None


@pytest.mark.parametrize(
    ("row", "rule", "column"),
    [
        (customer(""), "required", "customer_id"),
        (customer("K2", kind=""), "required", "customer_type"),
        (customer("K2", kind="robot"), "not_in_enum", "customer_type"),
        ("K2,private,,,,,,,,,,2024-02-30,,,,", "not_a_date", "birth_date"),
        ("K2,private,,,,,,,,,,2024-2-3,,,,", "not_a_date", "birth_date"),
        (customer("K2", since="2024-02-03T10:00:00Z"), "not_a_date", "customer_since"),
        (customer("K2", ended="2024-02-03 10:00"), "not_an_instant", "relation_ended_at"),
        (customer("K2", ended="2024-02-03T24:00:00Z"), "not_an_instant", "relation_ended_at"),
        (customer("K2", ended="03/02/2024"), "not_an_instant", "relation_ended_at"),
        (customer("K2", ended="0001-01-01T00:00:00"), "too_early", "relation_ended_at"),
        (customer("K2", since="1900-01-01"), "too_early", "customer_since"),
        ("K2,private,,,,,,,,,,1753-01-01,,,,", "too_early", "birth_date"),
        ("K2,private,too few", "missing_columns", None),
        (customer("K2") + ",one more", "too_many_columns", None),
    ],
)
def test_a_row_that_breaks_a_rule_is_quarantined_with_its_reason(
    company: Any, row: str, rule: str, column: str | None
) -> None:
    company.send("crm", {"customers": customers(customer("K1"), row)})
    report = company.ingest()
    assert company.rows("select rule, column_name, line from intake.quarantined") == [(rule, column, 3)]
    assert report.rows_quarantined == 1
    assert company.rows("select customer_id from raw.crm_customers") == [("K1",)]


def test_lines_are_told_right_after_a_line_that_cannot_be_read(company: Any) -> None:
    company.send(
        "crm",
        {
            "customers": customers(
                "K1,private", customer("K2"), customer("K3", kind="x"), "K4", customer("K5", kind="y")
            )
        },
    )
    company.ingest()
    assert company.rows("select line, rule from intake.quarantined order by line") == [
        (2, "missing_columns"), (4, "not_in_enum"), (5, "missing_columns"), (6, "not_in_enum"),
    ]  # fmt: skip


def test_no_personal_data_leaves_in_what_is_reported(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1", kind="Ada Exempel"))})
    report = company.ingest()
    assert "Exempel" not in repr(report)
    assert "Exempel" in company.value("select row_text from intake.quarantined")


def test_of_two_rows_with_one_key_one_is_loaded_whatever_their_order(company: Any) -> None:
    rows = [customer("K1", name="Bo"), customer("K1", name="Ada"), customer("K2")]
    company.send("crm", {"customers": customers(*rows)}, day="2026-11-24")
    company.ingest()
    company.send("crm", {"customers": customers(*reversed(rows))})
    company.ingest()
    assert company.rows("select customer_id, name, row_id from raw.crm_customers order by 1") == [
        ("K1", "Ada", 1), ("K2", "Ada Exempel", 2),
    ]  # fmt: skip
    assert company.rows("select rule, line, row_text like '%Bo%' from intake.quarantined order by line") == [
        ("duplicate_key", 2, True), ("duplicate_key", 4, True),
    ]  # fmt: skip


def test_the_order_of_a_file_does_not_decide_its_surrogates(company: Any) -> None:
    company.send("crm", {"customers": customers(*[customer(f"K{number}") for number in (5, 3, 9, 1)])})
    company.ingest()
    company.send(
        "crm", {"customers": customers(*[customer(f"K{number}") for number in (2, 9, 1, 3, 5)])}, day="2026-11-26"
    )
    company.ingest()
    assert company.rows("select customer_id, row_id from raw.crm_customers order by row_id") == [
        ("K1", 1), ("K3", 2), ("K5", 3), ("K9", 4), ("K2", 5),
    ]  # fmt: skip


@pytest.mark.parametrize("large", [8, 9])
def test_a_first_load_is_the_same_however_many_rows_are_staged_and_written_at_once(
    company: Any, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    made = []
    run = Warehouse.run
    monkeypatch.setattr(Warehouse, "run", lambda self, sql, *more: (made.append(sql), run(self, sql, *more))[1])
    lines = "order_line_id,order_id,delivery_id,product,description,quantity,unit_price\n"
    bad = "R0,O1,,Affisch,,many,1\n"
    rows = [f"R{number},O1,,{('Affisch', 'Banderoll')[number % 2]},,1,{number}\n" for number in (7, 3, 9, 1, 5, 2, 3)]
    company.send("orders", {"order_lines": lines + "".join([*rows[:2], bad, *rows[2:]])})
    monkeypatch.setattr(merging, "_AT_ONCE", 2)
    monkeypatch.setattr(staging, "_LARGE", large)
    company.ingest()
    assert any("create table main.staged_rows" in sql for sql in made) == (large == 8)
    assert not company.warehouse.exists("main", "staged_rows")
    assert company.rows("select order_line_id, row_id, unit_price from raw.orders_order_lines order by 1") == [
        ("R1", 1, 1), ("R2", 2, 2), ("R3", 3, 3), ("R5", 4, 5), ("R7", 5, 7), ("R9", 6, 9),
    ]  # fmt: skip
    assert company.value("select count(distinct product_key) from raw.orders_order_lines") == 2
    assert company.value("select count(*) from intake.quarantined") == 2


def test_a_table_may_come_in_several_files(company: Any) -> None:
    folder = company.send("crm", {"customers": customers(customer("K1"))})
    second = customers(customer("K2"), customer("K1"))
    (folder / "customers-2.csv").write_text(second, encoding="utf-8")
    described = json.loads((folder / "delivery.json").read_text())
    described["files"].append({"name": "customers-2.csv", "table": "customers", "rows": 2,
                               "sha256": hashlib.sha256(second.encode()).hexdigest()})  # fmt: skip
    (folder / "delivery.json").write_text(json.dumps(described))
    company.ingest()
    assert company.rows("select file_name, rows_in, rows_loaded, rows_quarantined from intake.files order by 1") == [
        ("customers-2.csv", 2, 1, 1), ("customers.csv", 1, 1, 0),
    ]  # fmt: skip


def test_the_same_delivery_is_taken_in_once(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1"))})
    company.ingest()
    before = company.rows("select * from intake.deliveries")
    assert company.ingest().deliveries == ()
    company.send("crm", {"customers": customers(customer("K1"))}, delivery_id="again")
    assert company.ingest().deliveries == ()
    assert company.rows("select * from intake.deliveries") == before


@pytest.mark.parametrize(("keys", "threads"), [("1", 1), ("123", 2)])
def test_a_table_is_shared_out_among_threads_when_it_is_large(
    company: Any, monkeypatch: pytest.MonkeyPatch, keys: str, threads: int
) -> None:
    seen = []
    load = loading._load
    monkeypatch.setattr(loading, "_WORTH_SHARING", 3)
    monkeypatch.setattr(
        loading, "_load", lambda warehouse, *more: (seen.append(_threads(company)), load(warehouse, *more))[1]
    )
    company.warehouse.run("set threads = 2")
    company.send("crm", {"customers": customers(*[customer(f"K{key}") for key in keys])})
    assert company.ingest().loaded
    assert (seen, _threads(company)) == ([threads], 2)


def test_a_delivery_that_is_refused_leaves_the_threads_as_they_were(company: Any) -> None:
    company.warehouse.run("set threads = 2")
    company.send("crm", {"customers": customers(customer("K1"))}, rows=7)
    assert company.ingest().rejected
    assert _threads(company) == 2


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_threads_share_out_the_files_and_no_rows_that_one_thread_reads(
    company: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    seen: dict[str, set[int]] = {}
    run = Warehouse.run

    def watched(warehouse: Warehouse, sql: str, *more: Any) -> None:
        seen.setdefault(" ".join(sql.split()[:3]), set()).add(_threads(company))
        run(warehouse, sql, *more)

    monkeypatch.setattr(loading, "_WORTH_SHARING", 1)
    monkeypatch.setattr(Warehouse, "run", watched)
    run(company.warehouse, "set threads = 2")
    company.send("crm", {"customers": customers(customer("K1"))}, mode=mode)
    assert company.ingest().loaded
    assert (seen["insert into staged_rows"], seen['insert into raw."crm_customers"']) == ({2}, {1})
    company.send("crm", {"customers": customers(customer("K1"), customer("K2"))}, day="2026-11-26")
    assert company.ingest().loaded
    assert (seen["create or replace"], _threads(company)) == ({1}, 2)


def test_a_machine_that_lacks_something_while_rows_are_written_is_told_as_such_and_settings_are_back(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed transaction takes no statement any more: one to set things back was told in place of the reason."""
    settings_of = (
        "select name, value from duckdb_settings() "
        "where name in ('threads', 'preserve_insertion_order', 'disabled_optimizers') order by name"
    )
    execute = Warehouse._execute

    def lacking(warehouse: Warehouse, sql: str, params: Any) -> Any:
        if sql.startswith("insert into raw."):
            with suppress(WarehouseError):
                execute(warehouse, "select cast('none' as integer)", None)  # by this the transaction has failed
            raise MachineLacks("The disk is full: make room, then run again.")
        return execute(warehouse, sql, params)

    company.warehouse.run("set threads = 2")
    before = company.rows(settings_of)
    company.send("crm", {"customers": customers(customer("K1"))})
    monkeypatch.setattr(Warehouse, "_execute", lacking)
    with pytest.raises(MachineLacks, match=r"^crm/\S+: The disk is full"):
        company.ingest()
    monkeypatch.undo()
    assert company.rows(settings_of) == before
    assert company.rows("select status from intake.deliveries") == []
    assert company.ingest().loaded


def _threads(company: Any) -> int:
    return int(company.value("select current_setting('threads')"))


def test_what_a_full_delivery_leaves_out_has_left_the_source(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1", since="2020-01-01"), customer("K2"))}, day="2026-11-24")
    company.send("crm", {"customers": customers(customer("K2"))})
    company.ingest()
    gone = company.warehouse.records("from raw.crm_customers where customer_id = 'K1'")[0]
    assert gone["in_source"] is False
    assert gone["name"] is None
    assert gone["customer_since"] == date(2020, 1, 1)
    assert gone["name_key"] is not None
    assert gone["in_delivery"] == "2026-11-25-full"


def test_a_row_that_is_there_again_is_itself(company: Any) -> None:
    for day, rows in (("23", [customer("K1"), customer("K2")]), ("24", [customer("K2")]), ("25", [customer("K1")])):
        company.send("crm", {"customers": customers(*rows)}, day=f"2026-11-{day}")
    company.ingest()
    assert company.rows("select customer_id, row_id, in_source, name from raw.crm_customers order by 1") == [
        ("K1", 1, True, "Ada Exempel"), ("K2", 2, False, None),
    ]  # fmt: skip


def test_a_quarantined_row_keeps_its_earlier_good_version_in_the_source(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1"), customer("K2"))}, day="2026-11-24")
    company.send("crm", {"customers": customers(customer("K1", kind="?"))})
    company.ingest()
    assert company.rows("select customer_id, name, in_source, in_delivery from raw.crm_customers order by 1") == [
        ("K1", "Ada Exempel", True, "2026-11-24-full"), ("K2", None, False, "2026-11-25-full"),
    ]  # fmt: skip


def test_a_row_that_was_set_aside_says_what_it_names_whatever_the_file_calls_it(company_with: Any) -> None:
    """By the contract's own reading, and though the row's text is not kept: its order had a field ordered erased."""
    text = (CONTRACTS / "orders_orders.yaml").read_text(encoding="utf-8")
    for name, more in (("customer_id", "transformLogic: ltrim(Kund, '#')"), ("contact_id", "physicalName: Kontakt")):
        assert text.count(f"- name: {name}\n") == 1
        text = text.replace(f"- name: {name}\n", f"- name: {name}\n        {more}\n")
    company = company_with(orders_orders=text)
    header = "order_id,Kund,Kontakt,purchase_capacity,placed_at,status,closed_at,buyer_name,buyer_email,buyer_phone,"
    header += "invoice_street,invoice_postal_code,invoice_city\n"
    rows = ("O1,#007,A1,?" + "," * 9, "O2,#008,,?" + "," * 9, ",#009" + "," * 11, "O3,,,?" + "," * 9, "O4,#010")
    company.order_erased("order", "O2", "buyer_name")
    company.send("orders", {"orders": header + "\n".join(rows) + "\n"})
    company.ingest()
    assert company.rows("select record_key, row_text is null, refers_to from intake.quarantined order by line") == [
        ("O1", False, {"contact_id": "A1", "customer_id": "007"}), ("O2", True, {"customer_id": "008"}),
        (None, False, {"customer_id": "009"}), ("O3", False, None), (None, False, None),
    ]  # fmt: skip


def test_an_address_of_a_row_that_was_set_aside_is_kept_as_its_hash(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1", kind="?", email=" Ada@Exempel.example"))})
    company.ingest()
    hashed = str(company.value("select pseudonym('ada@exempel.example')"))
    assert company.rows("select refers_to from intake.quarantined") == [({"email_key": hashed},)]


@pytest.mark.parametrize("unreadable", ["K2,private", customer("")])
def test_nobody_counts_as_gone_while_a_row_without_a_key_may_be_theirs(company: Any, unreadable: str) -> None:
    company.send("crm", {"customers": customers(customer("K1"), customer("K2"))}, day="2026-11-24")
    company.send("crm", {"customers": customers(customer("K1"), unreadable)})
    company.ingest()
    assert company.rows("select customer_id, in_source from raw.crm_customers order by 1") == [
        ("K1", True),
        ("K2", True),
    ]


def test_a_delta_changes_adds_and_deletes_what_it_names(company: Any) -> None:
    company.send("crm", {"customers": customers(*[customer(f"K{number}") for number in (1, 2, 3)])}, day="2026-11-24")
    header, rows = (
        CUSTOMERS + ",_deleted",
        [customer("K1", name="Bo") + ",false", customer("K4") + ",", "K2" + "," * 15 + ",true"],
    )
    company.send("crm", {"customers": "\n".join([header, *rows]) + "\n"}, mode="delta")
    company.ingest()
    assert company.rows("select customer_id, name, in_source, row_id from raw.crm_customers order by 1") == [
        ("K1", "Bo", True, 1), ("K2", None, False, 2), ("K3", "Ada Exempel", True, 3), ("K4", "Ada Exempel", True, 4),
    ]  # fmt: skip
    assert company.rows("select rows_in, rows_loaded from intake.files where delivery_id like '%delta'") == [(3, 3)]


def test_deleted_counts_in_deltas_alone_and_must_be_true_or_false(company: Any) -> None:
    company.send("crm", {"customers": f"{CUSTOMERS},_deleted\n{customer('K1')},true\n"}, day="2026-11-24")
    company.send("crm", {"customers": f"{CUSTOMERS},_deleted\n{customer('K1')},perhaps\n"}, mode="delta")
    company.ingest()
    assert company.rows("select customer_id, in_source from raw.crm_customers") == [("K1", True)]
    assert company.rows("select rule, column_name from intake.quarantined") == [("not_true_or_false", "_deleted")]


_ACTIVE = """
apiVersion: v3.2.0
kind: DataContract
id: test-crm-customers
version: 1.0.0
status: active
domain: crm
servers:
  - {server: inbox, type: local, path: inbox/crm, format: csv}
schema:
  - name: customers
    customProperties:
      - {property: rowFilter, value: "state = 'active'"}
    properties:
      - {name: customer_id}
      - {name: customer_type, transformLogic: "'private'"}
      - {name: name}
"""


def test_what_is_deleted_in_a_delta_has_left_though_no_filter_can_tell(company_with: Any) -> None:
    """What came out of scope, deleted or not, is as it was until a full delivery: it may be another table's."""
    company = company_with(crm_customers=_ACTIVE)
    known = "".join(f"{key},active,Ada Exempel\n" for key in ("K1", "K2", "K3", "K4", "K5", "K6"))
    company.send("crm", {"customers": f"customer_id,state,name\n{known}"}, day="2026-11-24")
    changes = [
        "K1,,,true", "K2,closed,Ada Exempel,", "K3,closed,Ada Exempel,", "K3,active,Bo Exempel,",
        "K4,,,perhaps", "K4,closed,,", "K5,active,Ada Exempel,false", "K6,closed,Ada Exempel,true",
        "K9,closed,,false", ",,,true",
    ]  # fmt: skip
    delta = "\n".join(["customer_id,state,name,_deleted", *changes]) + "\n"
    company.send("crm", {"customers": delta}, mode="delta")
    company.ingest()
    assert company.rows("select customer_id, name, in_source from raw.crm_customers order by 1") == [
        ("K1", None, False), ("K2", "Ada Exempel", True), ("K3", "Bo Exempel", True), ("K4", "Ada Exempel", True),
        ("K5", "Ada Exempel", True), ("K6", "Ada Exempel", True),
    ]  # fmt: skip
    assert company.rows("select line, rule, column_name from intake.quarantined order by 1") == [
        (6, "not_true_or_false", "_deleted"), (11, "required", "customer_id"),
    ]  # fmt: skip
    assert company.rows(
        "select rows_in, rows_loaded, rows_quarantined, rows_out_of_scope from intake.files "
        "where delivery_id like '%delta'"
    ) == [(10, 3, 2, 5)]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("transformLogic: \"operation = 'D'\"", ("I", "U", "D", "")),
        ("physicalName: operation", ("false", "0", "True", "")),
    ],
)
def test_a_contract_says_which_rows_of_a_delta_have_left(
    company_with: Any, made: str, words: tuple[str, str, str, str]
) -> None:
    """A full delivery needs no such column, and a row that it holds is there, whatever it says."""
    deleted = f"      - {{name: _deleted, logicalType: boolean, {made}}}\n"
    company = company_with(crm_customers=_ACTIVE + deleted)
    known = "".join(f"{key},active,Ada Exempel\n" for key in ("K1", "K2", "K3", "K4"))
    company.send("crm", {"customers": f"customer_id,state,name\n{known}"}, day="2026-11-24")
    rows = zip(("K1,active,Bo Exempel", "K2,active,Cy Exempel", "K3,,", "K4,active,Di Exempel"), words, strict=True)
    delta = "".join(f"{row},{word},\n" for row, word in rows)
    company.send("crm", {"customers": f"customer_id,state,name,operation,_deleted\n{delta}"}, mode="delta")
    assert company.ingest().rejected == ()
    there = "select customer_id, name, in_source from raw.crm_customers order by 1"
    left = [("K1", "Bo Exempel", True), ("K2", "Cy Exempel", True), ("K3", None, False), ("K4", "Di Exempel", True)]
    assert company.rows(there) == left
    assert company.rows("select count(*) from intake.quarantined") == [(0,)]
    whole = f"K1,active,Bo Exempel,{words[2]}\n"
    company.send("crm", {"customers": f"customer_id,state,name,operation\n{whole}"}, day="2026-11-26")
    assert company.ingest().rejected == ()
    assert company.rows(there)[0] == left[0]


def test_a_mapped_deletion_is_needed_in_a_delta_and_must_be_true_or_false(company_with: Any) -> None:
    company = company_with(crm_customers=_ACTIVE + "      - {name: _deleted, transformLogic: lower(operation)}\n")
    company.send("crm", {"customers": "customer_id,state,name\nK1,active,Ada Exempel\n"}, day="2026-11-24")
    delta = "customer_id,state,name,operation\nK1,active,Ada Exempel,D\n"
    company.send("crm", {"customers": delta}, mode="delta")
    assert company.ingest().rejected == ()
    assert company.rows("select rule, column_name from intake.quarantined") == [("not_true_or_false", "_deleted")]
    company.send(
        "crm", {"customers": "customer_id,state,name\nK1,active,Ada Exempel\n"}, day="2026-11-26", mode="delta"
    )
    assert "the column operation is missing" in company.ingest().rejected[0].reason


def test_an_expression_for_deletions_that_fails_is_told_with_its_row(company_with: Any) -> None:
    deleted = '      - {name: _deleted, transformLogic: "cast(operation as integer) = 3"}\n'
    company = company_with(crm_customers=_ACTIVE + deleted)
    company.send("crm", {"customers": "customer_id,state,name\nK1,active,Ada Exempel\n"}, day="2026-11-24")
    delta = "customer_id,state,name,operation\nK1,active,Ada Exempel,1\nK2,active,Bo Exempel,D\n"
    company.send("crm", {"customers": delta}, mode="delta")
    (rejected,) = company.ingest().rejected
    assert "transformLogic of _deleted in the contract of crm/customers fails on a value" in rejected.reason
    assert "row 3" in rejected.reason
    assert company.rows("select customer_id, in_source from raw.crm_customers") == [("K1", True)]


_CHANGES = _ACTIVE.replace("rowFilter, value: \"state = 'active'\"", "lastBy, value: {last}")


def _changed(company: Any, *rows: str, mode: str = "delta", day: str = "2026-11-25") -> None:
    """A known customer K1, called Ada, and then `rows` of it."""
    header = "customer_id,name,changed,_deleted\n"
    if mode == "delta":
        company.send("crm", {"customers": header + "K1,Ada,2026-11-01,\n"}, day="2026-11-24")
    company.send("crm", {"customers": header + "\n".join(rows) + "\n"}, mode=mode, day=day)
    assert company.ingest().rejected == ()


def _customers(company: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = company.rows("select customer_id, name, in_source from raw.crm_customers order by 1")
    return found


def _last_by(company_with: Any, kind: str) -> Any:
    changed = f"      - {{name: changed, logicalType: {kind}}}\n"
    return company_with(crm_customers=_CHANGES.replace("{last}", "changed") + changed)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("rows", "left"),
    [
        (("K1,Ada,,", "K1,Bo,,"), [("K1", "Ada", True)]),
        (("K1,Bo,,", "K1,,,true"), [("K1", "Ada", True)]),
        (("K2,Bo,,", "K2,Cy,,"), [("K1", "Ada", True)]),
        (("K1,Bo,,", "K1,Cy,,", "K2,Di,,"), [("K1", "Ada", True), ("K2", "Di", True)]),
    ],
)
def test_of_rows_of_a_delta_that_contradict_each_other_none_is_taken(
    company_with: Any, rows: tuple[str, ...], left: list[tuple[Any, ...]], order: int
) -> None:
    """Nobody knows which came last: what was known stays, and what is ordered of it waits for a person."""
    company = company_with(crm_customers=_ACTIVE.replace("state = 'active'", "true"))
    _changed(company, *rows[::order])
    assert _customers(company) == left
    assert company.rows("select rule, record_key, count(*) from intake.quarantined group by all") == [
        ("duplicate_key", rows[0][:2], 2)
    ]
    assert company.rows(
        "select rows_in, rows_loaded, rows_quarantined, rows_out_of_scope from intake.files "
        "where delivery_id like '%delta'"
    ) == [(len(rows), len(rows) - 2, 2, 0)]


@pytest.mark.parametrize(
    ("row", "again", "left"),
    [
        ("K1,Bo,,", "K1,Bo,,false", ("K1", "Bo", True)),
        ("K1,,,true", "K1,,,1", ("K1", None, False)),
        ("K1,,,true", "K1,Ada,,true", ("K1", None, False)),
    ],
)
def test_of_rows_of_a_delta_that_say_the_same_one_is_taken(
    company_with: Any, row: str, again: str, left: tuple[Any, ...]
) -> None:
    company = company_with(crm_customers=_ACTIVE.replace("state = 'active'", "true"))
    _changed(company, row, again)
    assert _customers(company) == [left]
    assert company.rows("select rule, record_key from intake.quarantined") == [("duplicate_key", "K1")]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("kind", "early", "late"),
    [
        ("timestamp", "2026-11-25T08:00:00", "2026-11-25T08:00:00.5"),
        ("timestamp", "2026-11-25T09:30:00+02:00", "2026-11-25T08:00:00Z"),
        ("timestamp", "2026-11-25", "2026-11-25 00:00:01"),
        ("date", "2026-11-09", "2026-11-10"),
        ("number", "9", "10"),
        ("number", "20261125021530122", "20261125021530123"),
        ("string", "a9", "b1"),
    ],
)
def test_of_rows_of_a_key_the_last_is_taken_where_the_contract_says_by_what(
    company_with: Any, kind: str, early: str, late: str, order: int
) -> None:
    """The earlier ones are no errors, and nobody has to look at them."""
    company = _last_by(company_with, kind)
    rows = (f"K1,Ada Changed,{early},", f"K1,Bo,{late},", f"K2,Cy,{early},", f"K2,,{late},true")
    _changed(company, *rows[::order])
    assert _customers(company) == [("K1", "Bo", True)]
    assert company.rows("select * from intake.quarantined") == []
    assert company.rows(
        "select rows_in, rows_loaded, rows_quarantined, rows_out_of_scope from intake.files "
        "where delivery_id like '%delta'"
    ) == [(4, 2, 0, 2)]
    rows = (f"K1,Ada,{late},", f"K1,Cy,{early},", f"K3,Di,{early},")
    for day in ("2026-11-26", "2026-11-27"):
        _changed(company, *rows[::order], mode="full", day=day)
        assert _customers(company) == [("K1", "Ada", True), ("K3", "Di", True)]
    assert company.value("select count(*) from intake.quarantined") == 0
    assert "changed" not in raw_columns(company.policy.contracts["crm", "customers"])


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("rows", "outside"),
    [
        (("K1,Bo,2,", "K1,Cy,2,"), 0),
        (("K1,Di,1,", "K1,Bo,2,", "K1,Cy,2,"), 1),
        (("K1,Bo,2,", "K1,,2,true"), 0),
        (("K1,Bo,2,", "K1,,,true"), 0),
        (("K1,Bo,2,", "K1,Cy,soon,"), 0),
    ],
)
def test_rows_of_which_nobody_can_tell_the_last_are_set_aside_in_a_delta(
    company_with: Any, rows: tuple[str, ...], outside: int, order: int
) -> None:
    company = _last_by(company_with, "number")
    _changed(company, *rows[::order])
    assert _customers(company) == [("K1", "Ada", True)]
    assert company.rows("select rule, count(*) from intake.quarantined group by rule") == [("duplicate_key", 2)]
    assert company.value("select rows_out_of_scope from intake.files where delivery_id like '%delta'") == outside


def test_of_rows_of_a_key_a_full_delivery_takes_one_though_nobody_can_tell_the_last(company_with: Any) -> None:
    company = _last_by(company_with, "number")
    rows = ("K1,Bo,2,", "K1,Ada,2,", "K1,Aa,1,", "K2,Di,,", "K2,Cy,7,")
    for day, each in (("2026-11-24", rows), ("2026-11-25", rows[::-1])):
        _changed(company, *each, mode="full", day=day)
        assert _customers(company) == [("K1", "Ada", True), ("K2", "Cy", True)]
    assert company.rows("select rule, count(*) from intake.quarantined group by rule") == [("duplicate_key", 4)]
    assert company.rows("select distinct rows_loaded, rows_quarantined, rows_out_of_scope from intake.files") == [
        (2, 2, 1)
    ]


def test_by_a_column_of_the_table_too_a_row_is_the_last_by_its_instant(company_with: Any) -> None:
    """Of `updated_at` the table keeps the day alone."""
    text = _CHANGES.replace("{last}", "updated_at") + "      - {name: updated_at, physicalName: changed}\n"
    company = company_with(crm_customers=text)
    _changed(company, "K1,Cy,2026-11-25T08:00:00Z,", "K1,Bo,2026-11-25T07:59:59Z,")
    assert company.rows("select name, updated_at from raw.crm_customers") == [("Cy", date(2026, 11, 25))]


def changed_in(company: Any) -> dict[str, str]:
    return dict(company.rows("select customer_id, changed_in from raw.crm_customers"))


def test_a_row_tells_the_delivery_that_last_changed_it(company: Any) -> None:
    names = {"K1": "Ada", "K2": "Bo", "K3": "Cy"}
    first = [customer(key, name=name) for key, name in names.items()]
    company.send("crm", {"customers": customers(*first)}, day="2026-11-23")
    company.ingest()
    second = [customer("K1", name="Ada"), customer("K2", name="Bob"), customer("K4", name="Di")]
    company.send("crm", {"customers": customers(*second)}, day="2026-11-24")
    company.ingest()
    old, new = "2026-11-23-full", "2026-11-24-full"
    assert changed_in(company) == {"K1": old, "K2": new, "K3": new, "K4": new}
    rows = [f"{row},false" for row in (*second[1:], customer("K3", name="Cy"))]
    company.send("crm", {"customers": "\n".join([CUSTOMERS + ",_deleted", *rows]) + "\n"}, mode="delta")
    company.ingest()
    assert changed_in(company) == {"K1": old, "K2": new, "K3": "2026-11-25-delta", "K4": new}
    assert company.rows("select distinct in_delivery from raw.crm_customers where customer_id <> 'K1'") == [
        ("2026-11-25-delta",)
    ]


def test_what_is_withheld_from_now_on_changes_the_row(company: Any) -> None:
    for day in ("23", "24", "25"):
        company.send("crm", {"customers": customers(customer("K1"), customer("K2"))}, day=f"2026-11-{day}")
        if day == "24":
            company.order_erased("customer", "K1", "name")
        company.ingest()
    assert changed_in(company) == {"K1": "2026-11-24-full", "K2": "2026-11-23-full"}


# -- rows that come again as they were ---------------------------------------------------------------------------------


def test_a_row_that_is_recognised_is_told_to_have_come_again(company: Any) -> None:
    for day in ("24", "25"):
        company.send("crm", {"customers": customers(customer("K1"), customer("K2"))}, day=f"2026-11-{day}")
        report = company.ingest()
    assert report.deliveries[0].files[0].loaded == 2
    assert company.rows("select distinct in_delivery, changed_in from raw.crm_customers") == [
        ("2026-11-25-full", "2026-11-24-full")
    ]


def test_a_second_row_beside_a_recognised_one_is_quarantined_as_ever(company: Any) -> None:
    rows = [customer("K1", name="Bo"), customer("K2")]
    company.send("crm", {"customers": customers(*rows)}, day="2026-11-24")
    company.ingest()
    rows = [*rows, customer("K1", name="Ada"), customer("K2")]
    company.send("crm", {"customers": customers(*rows)})
    company.ingest()
    assert company.rows("select customer_id, name, changed_in from raw.crm_customers order by 1") == [
        ("K1", "Ada", "2026-11-25-full"), ("K2", "Ada Exempel", "2026-11-24-full"),
    ]  # fmt: skip
    assert company.rows("select rule, line, record_key from intake.quarantined order by line") == [
        ("duplicate_key", 2, "K1"), ("duplicate_key", 5, "K2"),
    ]  # fmt: skip


def test_a_known_row_is_judged_again_under_another_contract(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1"), customer("K2", kind="company"))}, day="2026-11-24")
    company.ingest()
    company.policy = StandInPolicy(Contracts([_without_companies(each) for each in canonical().values()]))
    company.send("crm", {"customers": customers(customer("K1"), customer("K2", kind="company"))})
    company.ingest()
    assert company.rows("select rule, record_key from intake.quarantined") == [("not_in_enum", "K2")]


def _without_companies(contract: Contract) -> Contract:
    columns = tuple(
        replace(column, enum=("private", "sole_trader")) if column.name == "customer_type" else column
        for column in contract.columns
    )
    return replace(contract, columns=columns)


# -- memory ------------------------------------------------------------------------------------------------------------


def invoices(*rows: str) -> str:
    return "\n".join([INVOICES, *rows]) + "\n"


def test_an_obeyed_redaction_is_remembered(company: Any) -> None:
    company.send("orders", {"invoices": invoices(invoice("F1", "100.50"), invoice("F2", "7"))}, day="2026-11-24")
    company.ingest()
    company.order_erased("invoice", "F1", "amount")
    company.send("orders", {"invoices": invoices(invoice("F1", ""), invoice("F2", ""))})
    company.ingest()
    assert company.rows("select invoice_id, amount, known_amount from raw.orders_invoices order by 1") == [
        ("F1", None, pytest.approx(100.5)), ("F2", 7, 7),
    ]  # fmt: skip
    assert company.rows("select rule, column_name from intake.quarantined") == [("required", "amount")]


def test_an_obeyed_erasure_keeps_what_the_rules_read(company: Any) -> None:
    company.send("orders", {"invoices": invoices(invoice("F1", "100.50"))}, day="2026-11-24")
    company.send("orders", {"invoices": invoices()})
    company.ingest()
    assert company.rows("select amount, known_amount, kind, issued_on, in_source from raw.orders_invoices") == [
        (None, pytest.approx(100.5), "invoice", date(2026, 1, 1), False)
    ]


def test_keys_survive_only_an_ordered_null(company: Any) -> None:
    rows = [customer("K1", email="ada@exempel.example"), customer("K2", email="bo@exempel.example")]
    company.send("crm", {"customers": customers(*rows)}, day="2026-11-24")
    company.ingest()
    company.order_erased("customer", "K1", "email")
    company.send("crm", {"customers": customers(customer("K1"), customer("K2"))})
    company.ingest()
    assert company.rows("select email, email_key is not null from raw.crm_customers order by customer_id") == [
        (None, True), (None, False),
    ]  # fmt: skip


def test_numbers_are_hashed_by_their_last_ten_digits_and_only_when_valid(company: Any) -> None:
    exports = {
        "crm/customers": [
            {"customer_id": "A", "customer_type": "private", "national_id": "199006022397"},
            {"customer_id": "B", "customer_type": "sole_trader", "org_number": "900602-2397"},
            {"customer_id": "C", "customer_type": "company", "org_number": "202100-5489"},
            {"customer_id": "D", "customer_type": "private", "national_id": "199006022398"},
            {"customer_id": "E", "customer_type": "company", "org_number": "900602-2397"},
        ]
    }
    load_rows(company.warehouse, company.policy, exports)
    keys = dict(company.rows("select customer_id, coalesce(national_id_key, org_number_key) from raw.crm_customers"))
    assert keys["A"] == keys["B"] is not None
    assert keys["C"] is not None
    assert keys["D"] is keys["E"] is None


# -- files that change ------------------------------------------------------------------------------------------------

CHANGING = "event_id,customer_id,cookie_id,ip,user_agent,kind,url,statistics_consent,occurred_at\n"


@pytest.mark.parametrize("how", ["written", "replaced", "removed"])
def test_a_file_that_changes_between_its_proof_and_its_reading_is_not_taken_in(
    company: Company, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    row = "E{},,,,,view,,true,2026-11-01\n"
    path = company.send("web", {"events": CHANGING + row.format(1)}) / "events.csv"
    whole = path.read_bytes()

    def proved_then_changed(delivery: Delivery) -> Mapping[str, tuple[int, ...]]:
        stood = prove_files(delivery)
        if how == "written":
            path.write_bytes(whole.replace(b"E1", b"E2"))
        else:
            path.unlink()
        if how == "replaced":
            path.write_bytes(whole.replace(b"E1", b"E2"))
        return stood

    monkeypatch.setattr("assets.ingest.loading.prove_files", proved_then_changed)
    (rejected,) = company.ingest().rejected
    assert rejected.reason == "events.csv was changed while it was read; the next run tries the delivery again"
    assert company.value("select count(*) from raw.web_events") == 0
    monkeypatch.undo()
    path.write_bytes(whole)
    assert len(company.ingest().loaded) == 1
    assert company.value("select event_id from raw.web_events") == "E1"


@pytest.mark.parametrize("whole", [False, True])
def test_a_delivery_that_goes_while_it_is_looked_at_ends_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """One that is renamed by its source after it was found, and what others have sent."""
    folder = company.send("web", {"events": CHANGING})
    company.send("crm", {"customers": customers(customer("K1"))})

    def gone(delivery: Delivery) -> Mapping[str, tuple[int, ...]]:
        if delivery.folder == folder and folder.is_dir():
            folder.rename(folder.parent / ".away") if whole else (folder / "events.csv").unlink()
        return prove_files(delivery)

    monkeypatch.setattr("assets.ingest.loading.prove_files", gone)
    report = company.ingest()
    assert [each.source for each in report.loaded] == ["crm"]
    (rejected,) = report.rejected
    told = "its folder, or a file in it, went away while it was looked at; the next run tries the delivery again"
    assert rejected.reason == (told if whole else "events.csv is listed but not there")


def test_a_folder_that_goes_before_its_description_is_read_is_no_delivery(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = company.send("web", {"events": CHANGING})
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: (exists(path), path.parent == folder and exists(folder)
                                                      and folder.rename(folder.parent / ".away"))[0])  # fmt: skip
    assert find_deliveries(company.site) == []
    assert barred_sources(company.site) == []


def test_a_rejected_delta_blocks_until_a_full_delivery_brings_its_table(company: Company) -> None:
    holds = "hold_id,record_type,record_key,fields,placed_at,released_at,reason\n"
    years = "starts_on,ends_on\n2025-05-01,2026-04-30\n"
    company.send("office", {"fiscal_years": years}, day="2026-11-20")
    company.send("office", {"holds": holds}, day="2026-11-21", mode="delta", rows=7)
    company.ingest()
    assert ("holds", "rejected") in company.blocks("office")
    told = company.rows("select distinct detail from intake.blocks where reason = 'rejected'")
    assert [detail.partition(":")[0].partition(" of ")[2] for (detail,) in told] == ["holds"], "what is to come again"
    company.send("office", {"fiscal_years": years}, day="2026-11-22")
    company.ingest()
    assert ("holds", "rejected") in company.blocks("office"), "the holds that it was to bring are not known yet"
    company.send("office", {"holds": holds}, day="2026-11-23")
    company.ingest()
    assert ("holds", "rejected") not in company.blocks("office")


@pytest.mark.parametrize(("source", "asked"), [("legacy", ""), ("CRM", ": is crm meant?")])
def test_a_delivery_of_a_source_without_a_contract_is_told_and_holds_up_nobody(
    company: Company, source: str, asked: str
) -> None:
    """No later delivery could take such a block away; the source that is meant goes stale by its own freshness."""
    before = company.ingest() and company.rows("from intake.blocks order by all")
    folder = company.send(source, {"customers": customers(customer("K1"))})
    for _ in range(2):
        (rejected,) = company.ingest().rejected
        assert (rejected.source, rejected.reason) == (source, f"no contract names this source{asked}")
        assert company.rows("from intake.blocks order by all") == before
    assert (company.site.quarantine / source / folder.name / "reason.json").is_file()
    shutil.rmtree(folder)
    company.ingest()
    assert company.rows("from intake.blocks order by all") == before
    assert company.rows("select source, status from intake.deliveries") == [(source, "rejected")]


# -- what is rejected --------------------------------------------------------------------------------------------------


def test_a_wrong_row_count_rejects_the_whole_delivery(company: Any) -> None:
    text = customers(customer("K1"), customer("K2"))
    folder = company.send("crm", {"customers": text, "contacts": "contact_id,customer_id\n"}, rows=3)
    report = company.ingest()
    assert report.deliveries[0].status == "rejected"
    assert company.value("select count(*) from raw.crm_customers") == 0
    assert "holds 2 rows where delivery.json states 3" in report.deliveries[0].reason
    reason = json.loads((company.site.quarantine / "crm" / folder.name / "reason.json").read_text())
    assert reason["reason"] == report.deliveries[0].reason
    assert (
        company.rows("select status, rows_in, rows_loaded from intake.files order by all") == [("rejected", 0, 0)] * 2
    )


def test_a_truncated_file_rejects_and_a_completed_one_is_taken_in_under_the_same_id(company: Any) -> None:
    folder = company.send("crm", {"customers": customers(customer("K1"), customer("K2"))})
    whole = (folder / "customers.csv").read_bytes()
    (folder / "customers.csv").write_bytes(whole[:-20])
    assert "sha256" in company.ingest().deliveries[0].reason
    company.ingest()
    assert company.rows("select status from intake.deliveries") == [("rejected",)]
    assert ("customers", "rejected") in company.blocks("crm")
    (folder / "customers.csv").write_bytes(whole)
    company.ingest()
    assert company.rows("select status, sequence from intake.deliveries") == [("loaded", 1)]
    assert "rejected" not in dict(company.blocks("crm")).values()


@pytest.mark.parametrize(("place", "rows"), [(1, 0), (1, 1), (1, 3), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)])
def test_an_unclosed_quote_rejects(company: Any, place: int, rows: int) -> None:
    """Whatever number of rows is stated: what a reader took them for that lost the last one, or what there are."""
    keys = ("K1", "K2", "K3")
    company.send("crm", {"customers": customers(*map(customer, keys))}, day="2026-11-24")
    company.ingest()
    broken = [customer(key, name='"Ada' if key == f"K{place}" else "Ada") for key in keys]
    company.send("crm", {"customers": customers(*broken)}, rows=rows)
    (rejected,) = company.ingest().rejected
    assert rejected.reason == f"customers.csv: a quote is not closed, near line {place + 1} or before it"
    assert company.rows("select distinct in_source from raw.crm_customers") == [(True,)]


def test_a_missing_column_rejects_and_an_unknown_one_warns_and_is_never_stored(company: Any) -> None:
    company.send("crm", {"customers": "customer_id,name\nK1,Ada\n"}, day="2026-11-24")
    company.send("crm", {"customers": f"{CUSTOMERS},shoe_size\n{customer('K1')},38\n"})
    report = company.ingest()
    assert "customers.csv: the column" in report.rejected[0].reason
    assert "shoe_size" in company.value("select reason from intake.files where status = 'loaded'")
    assert "shoe_size" not in company.warehouse.columns("raw", "crm_customers")


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "orders"},
        {"delivery_id": "another"},
        {"mode": "half"},
        {"extracted_at": "2026-11-25"},
        {"extracted_at": "2026-11-25T02:00:00"},
        {"extracted_at": "2026-13-25T02:00:00Z"},
        {"files": []},
        {"files": [{"name": "../customers.csv", "table": "customers", "rows": 1, "sha256": "0" * 64}]},
        {"files": [{"name": "/etc/hostname", "table": "customers", "rows": 1, "sha256": "0" * 64}]},
        {"files": [{"name": "*.csv", "table": "customers", "rows": 1, "sha256": "0" * 64}]},
        {"files": [{"name": "gone.csv", "table": "customers", "rows": 1, "sha256": "0" * 64}]},
        {"files": [{"name": "customers.csv", "table": "invoices", "rows": 1, "sha256": "0" * 64}]},
        {"files": [{"name": "customers.csv", "table": "customers", "rows": True, "sha256": "0" * 64}]},
        {"files": [{"name": "customers.csv", "table": "customers", "rows": 1}]},
    ],
)
def test_a_description_that_cannot_be_right_rejects(company: Any, changes: dict[str, Any]) -> None:
    company.send("crm", {"customers": customers(customer("K1"))}, delivery_id="d", described=changes)
    assert len(company.ingest().rejected) == 1
    assert company.value("select count(*) from raw.crm_customers") == 0
    assert company.rows("select status from intake.deliveries") == [("rejected",)]


@pytest.mark.parametrize("what", ["link", "surplus", "folder", "linked description", "no JSON"])
def test_a_folder_that_holds_more_than_plain_listed_files_rejects(company: Any, tmp_path: Any, what: str) -> None:
    folder = company.send("crm", {"customers": customers(customer("K1"))})
    outside = tmp_path / "outside"
    if what == "link":
        (folder / "customers.csv").rename(outside)
        (folder / "customers.csv").symlink_to(outside)
    elif what == "surplus":
        (folder / "notes.txt").write_text("?")
    elif what == "folder":
        (folder / "more").mkdir()
    elif what == "linked description":
        (folder / "delivery.json").rename(outside)
        (folder / "delivery.json").symlink_to(outside)
    else:
        (folder / "delivery.json").write_text("{")
    assert len(company.ingest().rejected) == 1


def test_a_folder_without_a_description_is_still_arriving(company: Any) -> None:
    (company.send("crm", {"customers": customers()}) / "delivery.json").unlink()
    assert company.ingest().deliveries == ()


def test_an_older_extract_that_comes_late_is_not_applied(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1", name="Bo"))})
    company.ingest()
    company.send("crm", {"customers": customers(customer("K1", name="Ada"))}, day="2026-11-20")
    report = company.ingest()
    assert "superseded" in report.rejected[0].reason
    assert company.rows("select name from raw.crm_customers") == [("Bo",)]
    assert "rejected" not in dict(company.blocks("crm")).values()


def test_changes_that_come_late_and_are_lost_block_until_the_next_full_delivery(company: Any) -> None:
    for day, name in (("24", "Bo"), ("23", "Ada")):
        company.send("crm", {"customers": customers(customer("K1", name=name))}, day=f"2026-11-{day}", mode="delta")
        company.ingest()
    assert company.rows("select name from raw.crm_customers") == [("Bo",)]
    assert ("customers", "rejected") in company.blocks("crm")
    company.send("crm", {"customers": customers(customer("K1"))})
    company.ingest()
    assert ("customers", "rejected") not in company.blocks("crm")


def test_an_id_that_was_used_for_other_content_rejects(company: Any) -> None:
    folder = company.send("crm", {"customers": customers(customer("K1"))})
    company.ingest()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    company.send("crm", {"customers": customers(customer("K1"), customer("K2"))})
    assert "other content" in company.ingest().rejected[0].reason


# -- blocks ------------------------------------------------------------------------------------------------------------


def test_tables_that_never_arrived_block_unless_they_are_optional(company: Any) -> None:
    company.ingest()
    assert company.blocks("office") == company.blocks("web") == []
    assert ("customers", "never_arrived") in company.blocks("crm")
    assert ("quote_documents", "never_arrived") not in company.blocks("crm")


def test_a_full_delivery_gets_stale_as_the_day_of_evaluation_moves_on(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1"))}, day="2026-11-22")
    company.ingest(date(2026, 11, 25))
    assert dict(company.blocks("crm")).get("customers") is None
    company.send("crm", {"customers": customers(customer("K2"))}, day="2026-11-25", mode="delta")
    company.ingest(date(2026, 11, 26))
    assert dict(company.blocks("crm"))["customers"] == "stale"


def test_the_last_extract_of_any_kind_is_a_witness_to_its_day(company: Any) -> None:
    """Changes arrive each night, and the full exports are late: what goes by its age goes all the same."""
    for day, mode, fresh in (("2026-11-18", "full", 21), ("2026-11-19", "delta", 21), ("2026-11-25", "delta", 25)):
        company.send("crm", {"customers": customers(customer("K1"))}, day=day, mode=mode)
        company.ingest()
        assert fresh_until(company.warehouse, company.policy) == date(2026, 11, fresh)


def test_a_table_that_shrank_too_much_blocks_however_often_it_comes_as_short(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    company.send("crm", {"customers": customers(*many)}, day="2026-11-22")
    for day, rows in (("2026-11-23", 79), ("2026-11-24", 79), ("2026-11-25", 78)):
        company.send("crm", {"customers": customers(*many[:rows])}, day=day)
        company.ingest()
        assert dict(company.blocks("crm"))["customers"] == "shrunk"


def test_a_table_that_is_whole_again_no_longer_blocks(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    for day, rows in (("2026-11-22", 100), ("2026-11-23", 50), ("2026-11-24", 50), ("2026-11-25", 81)):
        company.send("crm", {"customers": customers(*many[:rows])}, day=day)
    company.ingest()
    assert "customers" not in dict(company.blocks("crm"))


def test_small_losses_never_add_up_to_a_block(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    for day, rows in (("2026-11-22", 100), ("2026-11-23", 85), ("2026-11-24", 70), ("2026-11-25", 60)):
        company.send("crm", {"customers": customers(*many[:rows])}, day=day)
    company.ingest()
    assert "customers" not in dict(company.blocks("crm"))


def test_a_person_may_say_that_a_shrunk_table_is_right(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    company.send("crm", {"customers": customers(*many)}, day="2026-11-22")
    company.send("crm", {"customers": customers(*many[:40])}, day="2026-11-23")
    company.ingest()
    at = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    accepted = accept_as_right(
        company.warehouse, "crm", "customers", by="Data protection", reason="a division was sold", at=at
    )
    assert accepted == "2026-11-23-full"
    company.ingest()
    assert "customers" not in dict(company.blocks("crm"))
    company.send("crm", {"customers": customers(*many[:20])}, day="2026-11-24")
    company.ingest()
    assert dict(company.blocks("crm"))["customers"] == "shrunk", "what was accepted is one delivery, not the next one"


def test_only_a_table_that_is_blocked_as_shrunk_can_be_accepted(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1"))})
    company.ingest()
    with pytest.raises(BadInput, match="crm customers is not blocked"):
        accept_as_right(
            company.warehouse, "crm", "customers", by="Someone", reason="none", at=datetime(2026, 11, 25, tzinfo=UTC)
        )


def test_rows_that_a_manifest_ordered_away_do_not_count_as_shrinking(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    company.send("crm", {"customers": customers(*many)}, day="2026-11-24")
    company.ingest()
    for number in range(50, 100):
        company.order_erased("customer", f"K{number:03}", "name")
    company.send("crm", {"customers": customers(*many[:50])})
    company.ingest()
    assert "customers" not in dict(company.blocks("crm"))


def test_rows_that_a_manifest_ordered_away_may_leave_by_a_delta(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    company.send("crm", {"customers": customers(*many)}, day="2026-11-22")
    company.ingest()
    for number in range(50, 100):
        company.order_erased("customer", f"K{number:03}", "name")
    gone = [f"K{number:03}" + "," * 15 + ",true" for number in range(50, 100)]
    delta = "\n".join([CUSTOMERS + ",_deleted", *gone]) + "\n"
    company.send("crm", {"customers": delta}, day="2026-11-23", mode="delta")
    for day in ("2026-11-24", "2026-11-25"):
        company.send("crm", {"customers": customers(*many[:50])}, day=day)
    company.ingest()
    assert "customers" not in dict(company.blocks("crm"))


def test_rows_that_left_by_a_delta_unordered_count_as_shrinking(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    company.send("crm", {"customers": customers(*many)}, day="2026-11-23")
    gone = [f"K{number:03}" + "," * 15 + ",true" for number in range(50, 100)]
    delta = "\n".join([CUSTOMERS + ",_deleted", *gone]) + "\n"
    company.send("crm", {"customers": delta}, day="2026-11-24", mode="delta")
    company.send("crm", {"customers": customers(*many[:50])}, day="2026-11-25")
    company.ingest()
    assert dict(company.blocks("crm"))["customers"] == "shrunk"


def test_rows_that_were_only_to_lose_a_field_count_as_shrinking(company: Any) -> None:
    many = [customer(f"K{number:03}") for number in range(100)]
    company.send("crm", {"customers": customers(*many)}, day="2026-11-24")
    company.ingest()
    for number in range(50, 100):
        company.order_erased("customer", f"K{number:03}", "name", action="redact")
    company.send("crm", {"customers": customers(*many[:50])})
    company.ingest()
    assert dict(company.blocks("crm"))["customers"] == "shrunk"


def test_a_small_table_may_lose_any_share(company: Any) -> None:
    company.send("crm", {"customers": customers(*[customer(f"K{number}") for number in range(19)])}, day="2026-11-24")
    company.send("crm", {"customers": customers()})
    company.ingest()
    assert "customers" not in dict(company.blocks("crm"))


ORDERS = """
apiVersion: v3.2.0
kind: DataContract
id: test-orders
version: 1.0.0
status: active
domain: orders
servers:
  - {server: inbox, type: local, path: inbox/orders, format: csv}
schema:
  - name: orders
    physicalName: web*.csv
    properties:
      - {name: order_id}
      - {name: status, transformLogic: "'closed'"}
"""
TILL = ORDERS.replace("web*.csv", "till*.csv").replace("test-orders", "test-orders-till")


def of_two_systems(company: Any, day: int, **rows: range) -> list[str]:
    """A delivery of a table that two systems write, taken in; what blocks it then."""
    content = {name: "order_id\n" + "".join(f"{name[0]}{row:03}\n" for row in known) for name, known in rows.items()}
    files = [
        {"name": f"{name}.csv", "table": "orders", "rows": len(rows[name]),
         "sha256": hashlib.sha256(text.encode()).hexdigest()} for name, text in content.items()
    ]  # fmt: skip
    folder = company.send("orders", {}, day=f"2026-11-{day}", described={"files": files})
    for name, text in content.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    company.ingest(date(2026, 11, day))
    return [reason for table, reason in company.blocks("orders") if table == "orders"]


def test_one_of_two_systems_files_that_comes_empty_blocks_however_few_rows_it_had(company_with: Any) -> None:
    company = company_with(orders_orders=ORDERS, **{"orders_orders.till": TILL})
    assert of_two_systems(company, 20, web=range(50), till=range(8)) == []
    for day in (21, 22):
        assert of_two_systems(company, day, web=range(50), till=range(0)) == ["shrunk"]
    detail = company.value("select detail from intake.blocks where table_name = 'orders'")
    assert detail.startswith("till*.csv: 0 rows after 8; 8 left")
    at = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    accept_as_right(company.warehouse, "orders", "orders", by="Data protection", reason="the till was sold", at=at)
    assert of_two_systems(company, 23, web=range(50), till=range(0)) == []


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ({"web": range(500), "till": range(40)}, []),
        ({"web": range(500), "till": range(30)}, ["shrunk"]),  # two per cent of the table, forty of the till's
        ({"web": range(530), "till": range(30)}, ["shrunk"]),  # new rows of one do not stand for the other's
    ],
)
def test_what_each_of_two_systems_brings_may_shrink_by_itself(
    company_with: Any, after: dict[str, range], found: list[str]
) -> None:
    company = company_with(orders_orders=ORDERS, **{"orders_orders.till": TILL})
    of_two_systems(company, 20, web=range(500), till=range(50))
    assert of_two_systems(company, 21, **after) == found


@pytest.mark.parametrize(
    ("till", "web", "found"),
    [
        (8, 0, []),  # all that left had been ordered
        (7, 0, ["shrunk"]),
        (0, 8, ["shrunk"]),  # what was ordered of the other system's rows, and left, excuses none
    ],
)
def test_rows_of_one_system_that_were_ordered_away_excuse_no_others(
    company_with: Any, till: int, web: int, found: list[str]
) -> None:
    company = company_with(orders_orders=ORDERS, **{"orders_orders.till": TILL})
    of_two_systems(company, 20, web=range(50), till=range(8))
    for key in [*(f"t{row:03}" for row in range(till)), *(f"w{row:03}" for row in range(web))]:
        company.order_erased("order", key, "buyer_name")
    assert of_two_systems(company, 21, web=range(web, 50), till=range(0)) == found


# -- rows without files ------------------------------------------------------------------------------------------------


def test_rows_of_a_scenario_go_through_the_same_judgements(company: Any) -> None:
    report = load_rows(
        company.warehouse,
        company.policy,
        {
            "web/events": [
                {"event_id": "E1", "statistics_consent": "true"},
                {"event_id": "E2", "statistics_consent": "ja"},
            ],
            "office/fiscal_years": [{"starts_on": "2025-07-01", "ends_on": "2026-06-30"}],
        },
    )
    assert report.rows_quarantined == 1
    assert company.rows("select event_id, statistics_consent from raw.web_events") == [("E1", True)]
    assert company.rows("select starts_on, row_id from raw.office_fiscal_years") == [(date(2025, 7, 1), 1)]
    assert company.rows("select line, rule from intake.quarantined") == [(2, "not_true_or_false")]


@pytest.mark.parametrize("blank", [" ", "\n", "\r", "\t", "\v", "\f", "\xa0", "\ufeff"])
def test_rows_as_scenarios_state_them_are_taken_in_without_any_kind_of_blank_around_them(
    company: Company, blank: str
) -> None:
    rows = [{"event_id": f"{blank}E1{blank}", "url": f"{blank}{blank}"}, {"event_id": "E2", "url": f"/om oss{blank}"}]
    load_rows(company.warehouse, company.policy, {"web/events": rows})
    assert company.rows("select event_id, url from raw.web_events order by 1") == [("E1", None), ("E2", "/om oss")]


@pytest.mark.parametrize(
    ("exports", "said"),
    [
        ({"crm/customer": []}, "no table crm/customer"),
        ({"crm/customers": [{"customer_id": "K", "nmae": "Ada"}]}, "row 1: there is no column nmae"),
    ],
)
def test_unknown_tables_and_columns_of_a_scenario_are_told(company: Any, exports: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        load_rows(company.warehouse, company.policy, exports)


# -- properties --------------------------------------------------------------------------------------------------------

_CELL = st.text(alphabet=st.sampled_from("aZ9å \",;'-\n\t\\"), max_size=6)
_ROW = st.fixed_dictionaries(
    {"customer_id": st.sampled_from(["", "K1", "K2", "K3", "K4"]),
     "customer_type": st.sampled_from(["private", "company", "x", ""]),
     "name": _CELL, "birth_date": st.sampled_from(["", "2024-02-29", "2023-02-29", "x"])}
)  # fmt: skip


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _as_csv(rows: list[dict[str, str]]) -> str:
    names = CUSTOMERS.split(",")
    return "\n".join([CUSTOMERS, *(",".join(_quoted(row.get(name, "")) for name in names) for row in rows)]) + "\n"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_ROW, max_size=12), order=st.randoms())
def test_rows_in_are_rows_loaded_and_quarantined_and_their_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], order: Any
) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)
    seen = []
    for variant in (rows, shuffled):
        made = Company(tmp_path_factory.mktemp("company"))
        with made.warehouse:
            made.send("crm", {"customers": _as_csv(variant)}, rows=len(rows))
            outcome = made.ingest().deliveries[0].files[0]
            assert outcome.rows_in == len(rows) == outcome.loaded + outcome.quarantined
            assert made.value("select count(*) from raw.crm_customers") == outcome.loaded
            assert made.value("select count(*) from intake.quarantined") == outcome.quarantined
            seen.append(
                (made.rows("select * from raw.crm_customers order by row_id"),
                 made.rows("select rule, column_name, row_text from intake.quarantined order by all"))
            )  # fmt: skip
    assert seen[0] == seen[1]


def test_an_interrupted_load_leaves_nothing_of_itself(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company.send("crm", {"customers": customers(customer("K1"))})
    monkeypatch.setattr(loading, "_record", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        company.ingest()
    assert company.value("select count(*) from raw.crm_customers") == 0
    monkeypatch.undo()
    company.ingest()
    assert company.value("select count(*) from raw.crm_customers") == 1


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


_KILLED = """
import os, signal, sys
from pathlib import Path
from assets.ingest import loading
from assets.contracts.contract import Contract, Contracts
from assets.contracts.declarations import CONTRACTS, canonical
from assets.site import Site
from assets.warehouse import Warehouse
from tests.ingest.company import AS_OF, StandInPolicy
loading._record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
site = Site(Path(sys.argv[1]))
with Warehouse.open(site.warehouse, key="k" * 32) as warehouse:
    loading.ingest(warehouse, StandInPolicy(canonical()), site, as_of=AS_OF)
"""


def test_a_kill_in_the_middle_leaves_no_half_delivery(company: Any) -> None:
    company.send("crm", {"customers": customers(customer("K1")), "contacts": CONTACTS})
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(company.site.path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Warehouse.open(company.site.warehouse, key="k" * 32) as warehouse:
        assert warehouse.value("select count(*) from raw.crm_customers") == 0
        assert ingest(warehouse, company.policy, company.site, as_of=AS_OF).loaded
        assert warehouse.rows("select row_id, customer_id from raw.crm_customers") == [(1, "K1")]


def test_every_table_is_there_before_anything_arrives() -> None:
    with Warehouse.in_memory() as warehouse:
        prepare(warehouse, StandInPolicy(canonical()))
        for contract in canonical().values():
            assert warehouse.columns("raw", contract.raw_table) == list(raw_columns(contract))
        prepare(warehouse, StandInPolicy(canonical()))
