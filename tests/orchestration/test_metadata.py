"""What the web UI shows of an asset: who owns it, what it is made of, how much is in it; never a value of a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, MaterializeResult, TableColumnLineage, TableSchema, materialize, multi_asset

from assets.catalogue.assets import VIEW, table_spec, told_of
from assets.policy import Policy
from assets.sample.generating import telling_cases
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.definitions import build_definitions
from orchestration.history import run_history
from orchestration.running import CycleOutcome

#: Files that no table stands behind.
FILES = {"reports.retention", "reports.register_review", "evidence.entries"}
#: Whose columns are made in Python, or whose SQL cannot be traced (UNPIVOT).
UNTRACED = {"rights.free_text", "manifest.item_states"}


@cache
def graph() -> Any:
    return build_definitions(site=Path("nowhere")).resolve_asset_graph()


@pytest.fixture(scope="module")
def told(cycled: tuple[Site, CycleOutcome]) -> dict[str, dict[str, Any]]:
    """By asset, what its latest materialization tells."""
    site, _ = cycled
    found: dict[str, dict[str, Any]] = {}
    with run_history(site) as history:
        for key, event in history.get_latest_materialization_events(list(graph().get_all_asset_keys())).items():
            if event is not None and event.asset_materialization is not None:
                metadata = event.asset_materialization.metadata
                found[".".join(key.path)] = {name: value for name, value in metadata.items()}
    return found


def value(told: dict[str, Any], name: str) -> Any:
    return told[name].value


def test_every_asset_tells_its_rows_and_columns(told: dict[str, dict[str, Any]]) -> None:
    everything = {".".join(key.path) for key in graph().get_all_asset_keys()}
    never = {name for name in everything - told.keys() if not name.startswith("inbox.")}
    assert never == set()
    tables = [name for name in everything - FILES if not name.startswith("inbox.")]
    for name in tables:
        assert isinstance(value(told[name], "dagster/row_count"), int), name
        shape = told[name].get("dagster/column_schema") or graph().get(key_of(name)).metadata["dagster/column_schema"]
        columns = shape.value.columns if hasattr(shape, "value") else shape.columns
        assert columns, name


def key_of(name: str) -> AssetKey:
    return next(key for key in graph().get_all_asset_keys() if ".".join(key.path) == name)


def test_whatever_a_select_makes_tells_its_source_and_what_its_columns_are_made_of(
    told: dict[str, dict[str, Any]],
) -> None:
    made = [key for key in graph().get_all_asset_keys() if "sql" in graph().get(key).kinds]
    assert len(made) > 80
    for key in made:
        name = ".".join(key.path)
        metadata = graph().get(key).metadata
        assert metadata["sql"].endswith(".sql"), name
        assert "select" in str(metadata["sql_source"].value).lower(), name
        if name not in UNTRACED:
            lineage: TableColumnLineage = value(told[name], "dagster/column_lineage")
            assert lineage.deps_by_column, name


def test_a_large_warehouse_counts_the_rows_of_tables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """To count what a view puts together takes as long as to read it, and nobody asked."""
    views = {".".join(key.path) for key in graph().get_all_asset_keys() if VIEW in graph().get(key).kinds}
    assert views >= {"retention.claims", "retention.records", "manifest.item_states", "manifest.claim_bits"}
    for most, told_of_a_view in ((5, 5), (4, None)):
        monkeypatch.setattr("assets.catalogue.assets.MOST_COUNTED", most)
        shown = materialized()
        assert shown["seen"].get("dagster/row_count") == told_of_a_view
        assert [column.name for column in shown["seen"]["dagster/column_schema"].columns] == ["n", "nothing"]
        assert shown["counted"]["dagster/row_count"] == 5


@pytest.mark.parametrize(
    ("most", "previewed"), [(5, {"counted", "empty", "emptied", "seen"}), (4, {"empty", "emptied"})]
)
def test_a_preview_counts_what_columns_hold_where_rows_are_few(
    most: int, previewed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assets.catalogue.assets.MOST_PREVIEWED", most)
    shown = materialized()
    held = {
        name: {record.data["column"]: record.data["rows that hold it"] for record in told["preview"].records}
        for name, told in shown.items() if "preview" in told
    }  # fmt: skip
    rows = {"counted": 5, "seen": 5, "empty": 0, "emptied": 0}
    assert held == {name: {"n": rows[name], "nothing": 0} for name in previewed}
    assert {name: told["dagster/row_count"] for name, told in shown.items()} == rows


def materialized() -> dict[str, dict[str, Any]]:
    """What a step tells of a table, of one without rows, of one whose rows went, and of a view of the first."""
    kinds = {"counted": ("duckdb",), "empty": ("duckdb",), "emptied": ("duckdb",), "seen": ("duckdb", VIEW)}
    specs = [table_spec(f"s.{name}", group="g", description=name, kinds=kind) for name, kind in kinds.items()]

    with Warehouse.in_memory() as warehouse:
        warehouse.run("create schema s")
        for name, rows in {"counted": 5, "empty": 0, "emptied": 5}.items():
            warehouse.run(f"create table s.{name} as select n, null as nothing from range({rows}) as numbers (n)")
        warehouse.run("delete from s.emptied")
        warehouse.run("create view s.seen as select n, nothing from s.counted")

        @multi_asset(specs=specs)
        def tables() -> Iterator[MaterializeResult[Any]]:
            yield from told_of(warehouse, specs)

        run = materialize([tables])
    for event in run.all_events:
        if event.event_type_value == "STEP_OUTPUT":  # what is told stands with the table alone, not twice
            assert event.step_output_data.metadata == {}
    return {
        event.asset_key.path[-1]: {name: told.value for name, told in event.materialization.metadata.items()}
        for event in run.get_asset_materialization_events() if event.asset_key
    }  # fmt: skip


def test_personal_columns_are_marked_with_their_category(told: dict[str, dict[str, Any]]) -> None:
    shape: TableSchema = value(told["raw.crm_customers"], "dagster/column_schema")
    tags = {column.name: dict(column.tags or {}) for column in shape.columns}
    assert tags["email"] == {"personal-data": "email"}
    assert tags["birth_date"] == {"personal-data": "identity"}
    assert tags["customer_since"] == {}
    assert graph().get(AssetKey(["raw", "crm_customers"])).tags["personal-data"] == "yes"


def test_columns_are_described_as_their_contracts_do(told: dict[str, dict[str, Any]]) -> None:
    shape: TableSchema = value(told["raw.crm_customers"], "dagster/column_schema")
    said = {column.name: column.description for column in shape.columns}
    assert said["national_id"] == "Personnummer or samordningsnummer, 10 or 12 digits."
    assert said["customer_id"] == "Names a row."
    assert said["customer_type"] == "One of private, sole_trader, company."
    assert said["name"] is None


def test_every_source_that_may_grow_stale_has_its_contracts_period() -> None:
    contracts = Policy.load().contracts.values()
    assert {contract.source for contract in contracts if contract.freshness_days is not None} >= {"crm", "orders"}
    for contract in contracts:
        policy = graph().get(AssetKey(["raw", contract.raw_table])).freshness_policy
        days = None if policy is None else policy.fail_window.to_timedelta()
        expected = None if contract.freshness_days is None else timedelta(days=contract.freshness_days + 1)
        assert days == expected, contract.raw_table
    for source in {contract.source for contract in contracts}:
        periods = [each.freshness_days for each in contracts if each.source == source and each.freshness_days]
        policy = graph().get(AssetKey(["inbox", source])).freshness_policy
        assert (policy is None) == (not periods), source


def test_a_delivery_makes_its_source_fresh(told: dict[str, dict[str, Any]]) -> None:
    arrived = {name for name in told if name.startswith("inbox.")}
    assert arrived == {"inbox.crm", "inbox.mailing", "inbox.office", "inbox.orders", "inbox.web"}
    assert value(told["inbox.crm"], "dagster/row_count") > 20
    assert value(told["inbox.crm"], "rows_quarantined") == 3


def test_a_preview_counts_and_shows_no_value(told: dict[str, dict[str, Any]]) -> None:
    records = told["raw.crm_customers"]["preview"].records
    held = {record.data["column"]: record.data["rows that hold it"] for record in records}
    rows = value(told["raw.crm_customers"], "dagster/row_count")
    assert held["customer_id"] == rows
    assert 0 < held["email"] <= rows
    assert min(held.values()) < rows
    personal = {
        row[column]
        for table, rows in telling_cases().items()
        if not table.startswith("office/")
        for row in rows
        for column in ("name", "email", "phone", "national_id", "street", "buyer_name")
        if row.get(column)
    }
    everything = repr(told)
    assert "customer_since" in everything  # the control: what is searched can be found
    assert [each for each in personal if each in everything] == []
