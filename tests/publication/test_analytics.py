"""What analysts get: every field's disposition, described, without a person in it, swapped in under a reader."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.attaching import attached
from assets.catalogue.published import published_tables
from assets.errors import CheckFailed
from assets.ledger import issued
from assets.publication.analytics import publish
from assets.publication.report.asking import published
from assets.site import Site
from assets.warehouse import Warehouse
from tests.publication.house import CANARY, ENDS, StubPolicy, hand_made

POLICY: Any = StubPolicy()
RELATIONS = """
    select database_name, schema_name, table_name as name, comment from duckdb_tables()
    union all
    select database_name, schema_name, view_name, comment from duckdb_views() where not internal
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "site")
    site.make()
    return site


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with hand_made() as warehouse:
        yield warehouse


@pytest.fixture
def reader() -> Iterator[Warehouse]:
    with Warehouse.in_memory() as reader:
        yield reader


def rows(reader: Warehouse, site: Site, sql: str) -> list[tuple[Any, ...]]:
    with attached(reader, site.analytics, "a", read_only=True):
        return reader.rows(sql)


def texts_of(reader: Warehouse, site: Site) -> str:
    """Every value of every published column as one text."""
    with attached(reader, site.analytics, "a", read_only=True):
        tables = reader.rows(f"select schema_name, name from ({RELATIONS}) where database_name = 'a'")
        assert len(tables) == len(published_tables())
        found = [reader.rows(f'select cast(t as varchar) from a."{schema}"."{table}" as t') for schema, table in tables]
    return "\n".join(text for table in found for (text,) in table)


def test_every_field_of_every_record_has_one_disposition(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    found = rows(
        reader,
        site,
        "select record_type, record_key, field, disposition, keep_until, purposes from a.retention.field_dispositions "
        "order by all",
    )
    assert found == [
        ("customer", "C1", "birth_date", "retain", None, ["order_fulfilment"]),
        ("customer", "C1", "email", "erase", None, []),
        ("customer", "C1", "name", "retain", None, ["order_fulfilment"]),
        ("customer", "C2", "birth_date", "erase", None, []),
        ("customer", "C2", "email", "erase", None, []),
        ("customer", "C2", "name", "erase", None, []),
        ("order", "O1", "buyer_name", "retain", None, []),
        ("order", "O2", "buyer_name", "erase", None, []),
        ("order_line", "L1", "description", "retain", ENDS, ["accounting", "product_development"]),
        ("order_line", "L1", "product", "retain", ENDS, ["accounting", "product_development"]),
        ("order_line", "L2", "description", "review", None, []),
        ("order_line", "L2", "product", "review", None, []),
    ]


def test_no_published_column_carries_a_personal_text(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert CANARY not in texts_of(reader, site)
    assert CANARY.encode() not in site.analytics.read_bytes()


def test_a_product_is_named_once_enough_customers_bought_it(
    warehouse: Warehouse, reader: Warehouse, site: Site
) -> None:
    def named() -> list[tuple[Any, ...]]:
        publish(warehouse, POLICY, site, smallest_group=5)
        return rows(reader, site, "select product, amount from a.sales.order_lines")

    others = "select 'X' || i as order_id, 'C' || i as customer_id, true as in_source from range(3, {}) as r(i)"
    for last in (5, 6):
        warehouse.run(f"insert into raw.orders_orders by name {others.format(last)}")
        warehouse.run(
            "insert into raw.orders_order_lines by name "
            f"select order_id, true as in_source, $product as product from ({others.format(last)})",
            {"product": CANARY},
        )
        assert named() == [(None if last == 5 else CANARY, 20)]


def test_sales_tell_apart_only_who_is_in_ordinary_use(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert rows(reader, site, "select placed_on, lines, amount from a.sales.orders") == [(date(2026, 11, 1), 1, 20)]
    assert rows(reader, site, "select orders, amount from a.sales.customers") == [(1, 20)]


def test_an_order_without_lines_goes_by_its_own_identity(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    found = "select placed_on, lines, amount from a.sales.orders"
    warehouse.run("update retention.dispositions set disposition = 'retain' where record_type = 'order'")
    warehouse.run("delete from raw.orders_order_lines where order_id = 'O1'")
    publish(warehouse, POLICY, site)
    assert rows(reader, site, found) == [(date(2026, 11, 1), 0, None)], "a line of the other is not in ordinary use"
    assert rows(reader, site, "select orders, amount from a.sales.customers") == [(1, None)]
    for disposition in ("restrict", "review", "erase"):
        warehouse.run(
            "update retention.dispositions set disposition = $disposition where record_type = 'order'",
            {"disposition": disposition},
        )
        publish(warehouse, POLICY, site)
        assert rows(reader, site, found) == []


def test_totals_hold_what_was_erased_and_tell_no_small_group(
    warehouse: Warehouse, reader: Warehouse, site: Site
) -> None:
    def totals(smallest_group: int) -> list[tuple[Any, ...]]:
        publish(warehouse, POLICY, site, smallest_group=smallest_group)
        return rows(
            reader, site, "select month, currency, invoices, amount from a.sales.totals order by all nulls last"
        )

    assert totals(1) == [(date(2020, 1, 1), None, 1, 20), (date(2026, 11, 1), "SEK", 1, 20)]
    assert totals(2) == [(None, None, 2, None)]  # of one the currency is not stated
    assert totals(9) == [(None, None, 2, None)]
    months = {"2026-08-01": 4, "2026-09-01": 3, "2026-10-01": 1, "2020-01-01": 5}
    for month, customers in months.items():
        warehouse.run(
            "insert into raw.orders_invoices by name select 100 + i as row_id, true as in_source, "
            "'K' || i as customer_id, 'invoice' as kind, cast($month as date) as issued_on, 1 as amount, "
            "'SEK' as currency from range($customers) as r(i)",
            {"month": month, "customers": customers},
        )
    assert totals(3) == [
        (date(2020, 1, 1), "SEK", 5, 5),
        (date(2026, 8, 1), "SEK", 4, 4),
        (None, "SEK", 5, 24),  # October and November would name two customers, so September is folded with them
        (None, None, 1, None),  # one customer's, and nothing is left to fold it with: counted, and no amount told
    ]


def test_no_amount_of_too_few_customers_stands_in_totals(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    invoice = (
        "insert into raw.orders_invoices by name select $first + i as row_id, true as in_source, 'K' || i as "
        "customer_id, $kind as kind, date '2026-05-01' as issued_on, {} as amount, $currency as currency "
        "from range($customers) as r(i)"
    )
    for first, kind, currency, customers in (
        (500, "invoice", "SEK", 6), (600, "invoice", "EUR", 1), (700, "credit_note", "SEK", 1),
    ):  # fmt: skip
        given = {"first": first, "kind": kind, "currency": currency, "customers": customers}
        warehouse.run(invoice.format("7000 + i"), given)
    unpriced = {"first": 800, "kind": "invoice", "currency": "NOK", "customers": 5}
    warehouse.run(invoice.format("case when i = 0 then 99 end"), unpriced)
    publish(warehouse, POLICY, site, smallest_group=4)
    found = rows(reader, site, "select kind, currency, month, invoices, amount from a.sales.totals order by all")
    assert found == [
        ("credit_note", None, None, 1, None),
        ("invoice", "NOK", date(2026, 5, 1), 5, None),  # one of the five has an amount: it would be hers
        ("invoice", "SEK", None, 7, 42035),
        ("invoice", None, None, 2, None),
    ]


def test_amounts_of_several_currencies_are_not_added_up(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    """Folded because each is too small alone, they are counted."""
    made = (
        "insert into raw.orders_invoices by name select $first + i as row_id, true as in_source, 'K' || i as "
        "customer_id, $kind as kind, date '2026-05-01' as issued_on, 100 as amount, $currency as currency "
        "from range($first, $first + 2) as r(i)"
    )
    for first, kind, currency in (
        (500, "invoice", "EUR"), (600, "invoice", "NOK"), (700, "credit_note", "EUR"), (800, "credit_note", "EUR"),
    ):  # fmt: skip
        warehouse.run(made, {"first": first, "kind": kind, "currency": currency})
    publish(warehouse, POLICY, site, smallest_group=3)
    found = rows(reader, site, "select kind, currency, invoices, amount from a.sales.totals order by all")
    assert found == [("credit_note", "EUR", 4, 400), ("invoice", None, 6, None)]
    warehouse.run("delete from raw.orders_invoices where currency is distinct from 'EUR' or kind = 'invoice'")
    publish(warehouse, POLICY, site, smallest_group=5)
    found = rows(reader, site, "select kind, currency, invoices, amount from a.sales.totals")
    assert found == [("credit_note", None, 4, None)]
    publish(warehouse, POLICY, site, smallest_group=4)
    warehouse.run("update raw.orders_invoices set currency = null")
    publish(warehouse, POLICY, site, smallest_group=4)
    found = rows(reader, site, "select kind, currency, invoices, amount from a.sales.totals")
    assert found == [("credit_note", None, 4, 400)]


def test_no_amount_of_too_few_customers_stands_in_product_totals(
    warehouse: Warehouse, reader: Warehouse, site: Site
) -> None:
    publish(warehouse, POLICY, site, smallest_group=1000)
    told = rows(reader, site, "select product, lines > 0, quantity, amount from a.sales.product_totals")
    assert told == [(None, True, None, None)]


def test_lines_and_invoices_of_one_order_are_no_group(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    """Of a guest's order nobody knows the customer: what it holds says nothing of how many people bought it."""
    warehouse.run("insert into raw.orders_orders by name select 'G1' as order_id, true as in_source")
    warehouse.run(
        "insert into raw.orders_orders by name select 'G2' as order_id, 'C7' as customer_id, true as in_source"
    )
    warehouse.run(
        "insert into raw.orders_order_lines by name select 200 + i as row_id, 'G1' as order_id, true as in_source, "
        "$product as product, cast(md5($product) as uuid) as product_key, 1 as quantity, 1 as unit_price "
        "from range(4) as r(i)",
        {"product": CANARY},
    )
    warehouse.run("insert into raw.orders_orders by name select 'K' || i as order_id, 'K' || i as customer_id, "
                  "true as in_source from range(3) as r(i)")  # fmt: skip
    warehouse.run(
        "insert into raw.orders_order_lines by name select 210 + i as row_id, 'K' || i as order_id, true as in_source, "
        "'Film' as product, cast(md5('Film') as uuid) as product_key, 1 as quantity, 1 as unit_price "
        "from range(3) as r(i)"
    )
    for first, order in ((300, "G1"), (310, "G2")):
        warehouse.run(
            "insert into raw.orders_invoices by name select $first + i as row_id, true as in_source, "
            "$order as order_id, 'invoice' as kind, date '2026-06-01' as issued_on, 1 as amount, "
            "'SEK' as currency from range(3) as r(i)",
            {"first": first, "order": order},
        )
    warehouse.run(
        "insert into raw.orders_invoices by name select 400 + i as row_id, true as in_source, 'K' || i as customer_id, "
        "'invoice' as kind, date '2026-07-01' as issued_on, 1 as amount, 'SEK' as currency from range(4) as r(i)"
    )
    publish(warehouse, POLICY, site, smallest_group=3)
    assert CANARY not in [name for (name,) in rows(reader, site, "select product from a.sales.product_totals")]
    assert date(2026, 6, 1) not in [month for (month,) in rows(reader, site, "select month from a.sales.totals")]


def test_a_pseudonym_depends_on_the_key(reader: Warehouse, site: Site) -> None:
    found = []
    for key in (b"a" * 32, b"b" * 32, b"a" * 32):
        with hand_made(key) as warehouse:
            publish(warehouse, POLICY, site)
        found.append(rows(reader, site, "select customer_pseudonym from a.sales.customers"))
    assert found[0] == found[2] != found[1]


def test_the_forecast_counts_the_claim_that_ends_last(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    found = rows(reader, site, "select month, system, record_type, purpose, records from a.retention.forecast")
    assert found == [(date(2034, 1, 1), "orders", "order_line", "accounting", 1)]
    for day, due in ((date(2034, 1, 1), 0), (date(2034, 1, 2), 1)):
        with published(site) as analysts:
            before = f"select count(*) from due_before(date '{day}') where record_type = 'order_line'"
            assert analysts.value(before) == due, "what is kept through the last of December falls due in January"


def test_registers_are_published_without_what_was_written_freely(
    warehouse: Warehouse, reader: Warehouse, site: Site
) -> None:
    publish(warehouse, POLICY, site)
    holds = rows(reader, site, "select hold_id, record_type, record_key, fields, is_active from a.retention.holds "
                 "order by hold_id")  # fmt: skip
    assert holds == [
        ("H1", "customer", "C1", ["email", "name"], True),
        ("H2", "customer", "C1", [], False),
        ("H3", None, None, [], False),
        ("H4", "customer", "C1", ["name"], False),
    ]
    requests = rows(reader, site, "select request_id, kind, scope, named_by from a.retention.requests order by all")
    assert requests == [("R1", "access", None, "customer"), ("R2", "unknown", "unknown", None)]


def test_a_finding_names_the_record_to_look_at(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert rows(reader, site, "select * from a.retention.findings order by finding") == [
        ("disclosure_without_partner", "office", "disclosure", "Y1", "partner_id", None),
        ("free_text_phone_numbers", "orders", "complaint", "Q1", "description", 2),
        ("hold_without_record", "office", "hold", "H3", "record_key", None),
        ("possible_match", "crm", "customer", "C2", "email", None),
    ]


def test_quarantined_rows_are_counted_and_add_up(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert rows(reader, site, "select rule, column_name, rows from a.quality.quarantined") == [
        ("required", "customer_type", 2)
    ]
    assert rows(reader, site, "select rows_in, rows_loaded + rows_quarantined + rows_out_of_scope "
                "from a.quality.deliveries where source = 'crm'") == [(4, 4)] * 2  # fmt: skip


def test_tables_without_a_source_yet_are_published_empty(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    published = publish(warehouse, POLICY, site)
    assert {name for name in published.rows if name.startswith("manifest.")} == {
        "manifest.items", "manifest.manifests", "manifest.receipts", "manifest.verifications",
    }  # fmt: skip
    assert rows(reader, site, "select manifest_id, fields, state from a.manifest.items") == []
    assert rows(reader, site, "select passed from a.quality.expectations") == []


def test_an_item_has_the_state_that_was_recorded_last(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    issued.prepare(warehouse)
    columns = ["manifest_id", "item_id", "system", "record_type", "record_key", "action"]
    items = [("M1", item, "crm", "customer", "C2", "erase") for item in ("I1", "I2", "I3")]
    warehouse.insert("manifest.items", columns, items)
    events = [("I1", "issued", 1), ("I1", "delivered", 2), ("I1", "done", 2), ("I2", "issued", 1)]
    for item, state, day in events:
        warehouse.insert(
            "manifest.events", ["item_id", "manifest_id", "state", "on_day"], [(item, "M1", state, date(2026, 1, day))]
        )
    publish(warehouse, POLICY, site)
    found = rows(reader, site, "select item_id, state from a.manifest.items order by item_id")
    assert found == [("I1", "done"), ("I2", "issued"), ("I3", "issued")]


def test_a_companys_own_record_has_no_claims(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    warehouse.run("update retention.records set not_personal = true where record_key = 'C1'")
    warehouse.run("update retention.dispositions set disposition = 'not_personal' "
                  "where record_type = 'customer' and row_id = 1")  # fmt: skip
    publish(warehouse, POLICY, site)
    found = rows(reader, site, "select distinct disposition, purposes from a.retention.dispositions "
                 "where record_key = 'C1'")  # fmt: skip
    assert found == [("not_personal", [])]
    assert rows(reader, site, "select count(*) from a.retention.claims where record_key = 'C1'") == [(0,)]


def test_every_table_and_column_says_what_it_is(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    silent = "where database_name = 'a' and coalesce(comment, '') = ''"
    assert rows(reader, site, f"select name from ({RELATIONS}) {silent}") == []
    assert rows(reader, site, f"select table_name, column_name from duckdb_columns() {silent}") == []


def test_a_view_has_the_columns_that_its_file_says(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    views = [table for table in published_tables() if table.is_view]
    assert {view.name for view in views} >= {"retention.claims", "retention.dispositions", "manifest.items"}
    for view in views:
        found = rows(reader, site, f"describe a.{view.local_name}")
        assert [(name, kind.lower().replace(" ", "")) for name, kind, *_ in found] == [
            (column.name, column.type.replace(" ", "")) for column in view.columns
        ]
        assert {schema for schema, _ in view.sources} == set(), "a view reads what is in the file"


def test_about_says_what_the_file_was_made_from(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert rows(reader, site, "select policy_version, as_of, deliveries from a.about") == [
        ("test", date(2026, 11, 25), ["crm/D1"])
    ]


def test_the_same_warehouse_gives_the_same_rows(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    seen = []
    for _ in range(2):
        publish(warehouse, POLICY, site)
        seen.append(sorted(texts_of(reader, site).splitlines()))
    assert seen[0] == seen[1]


def test_a_field_without_a_disposition_publishes_nothing(warehouse: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    before = site.analytics.read_bytes()
    warehouse.run("delete from retention.dispositions where record_type = 'customer' and data_category = 'email'")
    with pytest.raises(CheckFailed, match="12 fields of records need a disposition and 10 have one"):
        publish(warehouse, POLICY, site)
    assert site.analytics.read_bytes() == before
    assert list(site.temporary.iterdir()) == []


def test_another_policy_publishes_nothing(warehouse: Warehouse, site: Site) -> None:
    other: Any = StubPolicy(sha256="1" * 64)
    with pytest.raises(CheckFailed, match="another policy"):
        publish(warehouse, other, site)
    assert not site.analytics.exists()


def test_an_empty_warehouse_publishes_nothing(reader: Warehouse, site: Site) -> None:
    with pytest.raises(CheckFailed, match="has not been evaluated"):
        publish(reader, POLICY, site)


def test_what_a_killed_try_left_is_replaced(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    (site.temporary / "analytics.duckdb").write_bytes(b"half")
    (site.temporary / "analytics.duckdb.wal").write_bytes(b"half")
    publish(warehouse, POLICY, site)
    assert rows(reader, site, "select count(*) from a.about") == [(1,)]
    assert list(site.temporary.iterdir()) == []


def test_only_its_owner_may_read_the_file(warehouse: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert site.analytics.stat().st_mode & 0o777 == 0o600


READER = """
import sys
import duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
for _ in sys.stdin:
    print(con.execute("select as_of from about").fetchone()[0], flush=True)
"""


def test_a_reader_of_the_old_file_goes_on_reading_it(warehouse: Warehouse, reader: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    command = [sys.executable, "-c", READER, str(site.analytics)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "2026-11-25\n"

        warehouse.run("update retention.evaluation set as_of = date '2026-11-26'")
        publish(warehouse, POLICY, site)

        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "2026-11-25\n"
        process.stdin.close()
        assert process.wait(timeout=30) == 0
    assert rows(reader, site, "select as_of from a.about") == [(date(2026, 11, 26),)]
