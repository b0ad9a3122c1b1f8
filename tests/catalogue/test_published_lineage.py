"""Every published column is traced to the contracts; a leak that is planted anywhere on the way is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.catalogue.assets import lineage_of
from assets.catalogue.lineage import Lineage, LineageUnknown, Origin
from assets.catalogue.published import SMALLEST_GROUP, published_tables
from assets.catalogue.published_lineage import PublishedLineage, column_lineage, identifying_columns
from assets.models import SQL
from assets.policy import Policy


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.load()


def planted(path: str, old: str, new: str) -> str:
    """A SELECT of the product with a change."""
    text = (SQL / path).read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1).strip().rstrip(";")


def test_no_published_column_names_anybody(policy: Policy) -> None:
    traced = column_lineage(policy)
    assert [str(leak) for leak in traced.leaks()] == []
    assert {name: set(columns) for name, columns in traced.columns().items()} == {
        f"analytics.{table.name}": {column.name for column in table.columns} for table in published_tables()
    }


def test_every_masking_is_one_that_is_used_and_seen(policy: Policy) -> None:
    columns = column_lineage(policy).columns()
    assert columns["analytics.sales.customers"]["customer_pseudonym"] == {
        Origin("raw.crm_customers", "customer_id", "pseudonym")
    }
    assert columns["analytics.sales.order_lines"]["product"] == {
        Origin("raw.orders_order_lines", "product", "shared by many")
    }
    assert {each.masking for each in columns["analytics.retention.requests"]["kind"]} == {"closed values", "condition"}


#: Table → (file, what stands there, what a hurried hand makes of it), and the leak that must be seen.
PLANTED = {
    "a name in a published row": (
        "analytics.sales.orders", "analytics/sales.orders.sql", "orders.placed_at as placed_on",
        "orders.buyer_name as placed_on", "analytics.sales.orders.placed_on carries raw.orders_orders.buyer_name",
    ),
    "a name inside an expression": (
        "analytics.sales.orders", "analytics/sales.orders.sql", "orders.placed_at as placed_on",
        "upper(substr(orders.buyer_email, 1, 3)) || '…' as placed_on",
        "analytics.sales.orders.placed_on carries raw.orders_orders.buyer_email",
    ),
    "through a named step": (
        "analytics.sales.orders", "analytics/sales.orders.sql", "count(*) as lines",
        "min(order_lines.description) as lines",
        "analytics.sales.orders.lines carries raw.orders_order_lines.description",
    ),
    "deep in core": (
        "core.records", "core/records.sql", "source_row.order_id as record_key",
        "source_row.buyer_phone as record_key",
        "analytics.retention.dispositions.record_key carries raw.orders_orders.buyer_phone",
    ),
    "a product that anybody may have bought": (
        "analytics.sales.order_lines", "analytics/sales.order_lines.sql", ">= $smallest_group", ">= 2",
        "analytics.sales.order_lines.product carries raw.orders_order_lines.product",
    ),
    "a group without a bound": (
        "analytics.sales.order_lines", "analytics/sales.order_lines.sql",
        "having count(distinct orders.customer_id) >= $smallest_group", "",
        "analytics.sales.order_lines.product carries raw.orders_order_lines.product",
    ),
    "the other branch of a case": (
        "analytics.retention.requests", "analytics/retention.requests.sql", "else 'unknown'", "else requests.email",
        "analytics.retention.requests.kind carries raw.office_requests.email",
    ),
    "a quarantined row": (
        "analytics.quality.quarantined", "analytics/quality.quarantined.sql",
        "quarantined.rule,\n    quarantined.column",
        "quarantined.row_text as rule,\n    quarantined.column",
        "analytics.quality.quarantined.rule carries intake.quarantined.row_text",
    ),
    "whoever approved": (
        "analytics.stored.item_states", "analytics/stored.item_states.sql", "states.reason", "states.by_whom as reason",
        "analytics.manifest.items.reason carries manifest.events.by_whom",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", PLANTED)
def test_a_planted_leak_is_found(policy: Policy, how: str) -> None:
    table, path, old, new, expected = PLANTED[how]
    leaks = column_lineage(policy, {table: planted(path, old, new)}).leaks()
    assert any(expected in str(leak) for leak in leaks), leaks


def test_a_leak_in_a_purpose_is_found_in_the_claims(policy: Policy) -> None:
    statement = (
        "select 'web_event' as record_type, e.row_id, 'clock' as clock, e.occurred_at as starts_on, "
        "e.occurred_at as ends_on, e.ip as ended_by, cast(null as varchar) as missing from raw.web_events as e"
    )
    leaks = column_lineage(policy, {"purposes.web_security": statement}).leaks()
    assert "analytics.retention.claims.ended_by carries raw.web_events.ip unmasked" in map(str, leaks)


def traced(statement: str) -> frozenset[Origin]:
    return Lineage({"t": statement}, SMALLEST_GROUP).origins("t", "x")


@pytest.mark.parametrize(
    ("expression", "masking"),
    [
        ("pseudonym('customer:' || c.email)", "pseudonym"),
        ("count(distinct c.email)", "count"),
        ("sum(c.email)", ""),
        ("cast(sum(cast(regexp_replace(c.email, '[^0-9]', '', 'g') as hugeint)) as varchar)", ""),
        ("avg(c.email)", ""),
        ("any_value(c.email)", ""),
        ("c.email is not null", "condition"),
        ("case when c.email = 'x' then 1 end", "condition"),
        ("count(*) filter (where c.email is null)", "condition"),
        ("year(c.email)", "year"),
        ("extract(year from c.email)", "year"),
        ("date_trunc('year', c.email)", "year"),
        ("date_trunc('month', c.email)", ""),
        ("md5(c.email)", ""),
        ("min(c.email)", ""),
        ("list(c.email)", ""),
        ("c.email || ''", ""),
        ("coalesce(null, c.email)", ""),
        ("length(c.email)", ""),
        ("{'a': c.email}", ""),
    ],
)
def test_what_masks_and_what_does_not(expression: str, masking: str) -> None:
    found = traced(f"select {expression} as x from raw.crm_customers as c")
    assert found == {Origin("raw.crm_customers", "email", masking)}


@pytest.mark.parametrize(
    ("condition", "closed"),
    [
        ("c.kind in ('a', 'b')", True),
        ("c.kind is null or c.kind in ('a', 'b')", True),
        ("c.kind in ('a') and c.name = 'b'", True),
        ("regexp_full_match(c.kind, '[A-Z]{3}')", True),
        ("regexp_full_match(c.kind, '[A-Z]{2,3}')", True),
        ("regexp_full_match(c.kind, 'open|closed-early')", True),
        ("regexp_full_match(c.kind, '(?:late|[A-Z]{2})')", True),
        ("regexp_full_match(c.kind, '.{3}')", False),
        ("regexp_full_match(c.kind, '[A-ZÅÄÖa-zåäö ]{1,60}')", False),
        ("regexp_full_match(c.kind, '[^0-9]{1,60}')", False),
        ("regexp_full_match(c.kind, '[A-Z]{4}')", False),
        ("regexp_full_match(c.kind, '[A-Z]{3}[A-Z]{3}')", False),
        ("regexp_full_match(c.kind, '[A-Z]{3}|[a-z]{1,60}')", False),
        ("regexp_full_match(c.kind, '[0-9]{3}')", False),
        ("regexp_full_match(c.kind, '[A-Z]{3}', 'i')", False),
        ("regexp_full_match(c.kind, '(?i)[A-Z]{3}')", False),
        ("c.kind not in ('a', 'b')", False),
        ("c.kind in ('a', c.name)", False),
        ("c.name in ('a')", False),
        ("c.kind in ('a') or c.name = 'b'", False),
        ("c.kind <> 'a'", False),
    ],
)
def test_a_case_masks_where_it_lets_closed_values_through_alone(condition: str, closed: bool) -> None:
    found = traced(f"select case when {condition} then c.kind end as x from raw.crm_customers as c")
    assert (Origin("raw.crm_customers", "kind") not in found) is closed


@pytest.mark.parametrize(
    ("value", "keys", "having", "shared"),
    [
        ("c.name", "c.name", "count(distinct c.customer_id) >= $smallest_group", True),
        ("c.name", "c.name", "count(distinct c.customer_id) >= 10", True),
        ("min(c.name)", "c.name_key", "c.name is not null and count(distinct c.customer_id) >= 10", True),
        ("c.name", "c.name", "count(distinct c.customer_id) >= 9", False),
        ("c.name", "c.name", "count(*) >= 10", False),
        ("c.name", "c.name", "count(distinct c.customer_id) >= 10 or c.city = 'x'", False),
        ("min(c.name)", "c.email_key", "count(distinct c.customer_id) >= 10", False),
        ("min(c.name)", "c.city", "count(distinct c.customer_id) >= 10", False),
    ],
)
def test_a_value_is_shared_when_a_whole_large_group_has_it(value: str, keys: str, having: str, shared: bool) -> None:
    found = traced(f"select {value} as x from raw.crm_customers as c group by {keys} having {having}")
    assert found == {Origin("raw.crm_customers", "name", "shared by many" if shared else "")}


@pytest.mark.parametrize(
    "statement",
    [
        "select * from raw.crm_customers",
        "select (select max(c.name) from raw.crm_customers as c) as x",
        "select name as x from raw.crm_customers as c, raw.crm_contacts as d",
        "select cast(c as varchar) as x from raw.crm_customers as c",
        "select cast(crm_customers as varchar) as x from raw.crm_customers",
        "with q as (select c as whole from raw.crm_customers as c) select q.whole.name as x from q",
        "select upper(columns('^name$')) as x from raw.crm_customers as c",
        "select #3 as x from raw.crm_customers as c",
        "select cast(C as varchar) as x from raw.crm_customers as c",
        "select c.kind as x from raw.crm_customers as c(id, kind)",
        "with q(kind, name) as (select c.name, c.kind from raw.crm_customers as c) select q.kind as x from q",
        "select q.kind as x from (select c.name, c.kind from raw.crm_customers as c) as q(kind, name)",
        "select u.v as x from raw.crm_customers as c, unnest([c.name]) as u(v)",
        "select c.kind as x, 'a' as y from raw.crm_customers as c union all by name select 'b' as y, c.name as x from "
        "raw.crm_customers as c",
    ],
)
def test_what_cannot_be_traced_is_no_pass(statement: str) -> None:
    with pytest.raises(LineageUnknown):
        traced(statement)


def test_a_lambdas_own_variable_is_no_column_and_no_other_name_is_one() -> None:
    found = traced("select list_transform(c.kinds, N -> n || name) as x from raw.crm_customers as c")
    assert found == {Origin("raw.crm_customers", "kinds"), Origin("raw.crm_customers", "name")}


def test_a_column_is_the_same_however_it_is_written() -> None:
    found = traced('select "C".NAME || unnest(C.kinds) as x from Raw.CRM_Customers as c')
    assert found == {Origin("raw.crm_customers", "kinds"), Origin("raw.crm_customers", "name")}


def test_a_table_that_nobody_describes_is_no_pass(policy: Policy) -> None:
    def traced_through(table: str) -> PublishedLineage:
        override = planted("analytics/retention.requests.sql", "raw.office_requests", table)
        return column_lineage(policy, {"analytics.retention.requests": override})

    with pytest.raises(LineageUnknown):
        traced_through("raw.unheard_of").leaks()
    assert "analytics.retention.requests.request_id carries elsewhere.names.request_id unmasked" in map(
        str, traced_through("elsewhere.names").leaks()
    )


def test_what_could_name_somebody_is_read_from_the_contracts(policy: Policy) -> None:
    named = identifying_columns(policy.contracts, "crm_customers")
    assert {"name", "birth_date", "email", "phone", "street", "national_id"} <= named
    assert not {"customer_id", "customer_type", "customer_since"} & named
    assert {"ip", "user_agent", "cookie_id", "url"} <= identifying_columns(policy.contracts, "web_events")
    assert {"product", "description"} <= identifying_columns(policy.contracts, "orders_order_lines")
    assert {"email"} <= identifying_columns(policy.contracts, "office_requests")
    assert {"reason"} <= identifying_columns(policy.contracts, "office_holds")


def test_dagster_is_shown_what_each_column_is_made_of() -> None:
    shown = {
        table.name: lineage_of(f"analytics.{table.name}", table.model.statement).deps_by_column
        for table in published_tables()
    }
    assert [name for name, columns in shown.items() if not columns] == []  # every one can be traced
    (amount,) = shown["sales.customers"]["amount"]
    assert (amount.asset_key.path, amount.column_name) == (["analytics", "sales", "orders"], "amount")


def test_the_published_folder_is_what_is_traced() -> None:
    files = {path.stem for path in Path(SQL / "analytics").glob("*.sql")}
    assert files == {table.name for table in published_tables()}
