"""What `gallring manifest list` and `show` ask."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from assets import vocabulary
from assets.errors import BadUsage
from assets.ledger import issued
from assets.warehouse import Warehouse
from tests.manifests.company import DAY, Company, full
from tests.manifests.ordered import order_erased

OUTCOMES = {
    ("customer", "C1"): full("customer", "erase"),
    ("customer", "C2"): {"phone": "erase", "email": "restrict"},
    ("web_event", "E1"): {"behaviour": "never"},
}


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    company = Company()
    for record_type, key in OUTCOMES:
        company.add(record_type, key)
    company.night(DAY, OUTCOMES)
    company.night(DAY + timedelta(days=1), {**OUTCOMES, ("customer", "C2"): {}})
    return company.warehouse


def test_manifests_are_listed_in_their_order(warehouse: Warehouse) -> None:
    listed = issued.manifests(warehouse)
    assert [(one.system, one.sequence, one.items) for one in listed] == [("crm", 1, 3), ("web", 1, 1), ("crm", 2, 1)]
    assert listed[0].actions == {"erase": 1, "redact": 1, "restrict": 1}
    assert listed[0].states == {"issued": 3}
    assert listed[0].respond_by == date(2025, 3, 3)
    assert [one.system for one in issued.manifests(warehouse, "web")] == ["web"]


def test_the_last_event_is_the_state(warehouse: Warehouse) -> None:
    item, manifest = warehouse.rows("select item_id, manifest_id from manifest.items where action = 'lift'")[0]
    insert = "insert into manifest.events (item_id, manifest_id, state, on_day) values (?, ?, ?, ?)"
    warehouse.run(insert, [item, manifest, "delivered", DAY])
    warehouse.run(insert, [item, manifest, "done", DAY + timedelta(days=9)])
    assert issued.show(warehouse, manifest).preview[0].state == "done"


def test_a_manifest_is_shown_with_its_first_items(warehouse: Warehouse) -> None:
    manifest_id = issued.manifests(warehouse)[0].manifest_id
    shown = issued.show(warehouse, manifest_id, preview=2)
    assert shown.document["manifest_id"] == shown.summary.manifest_id == manifest_id
    assert not shown.signed
    assert [(item.record_key, item.action, item.fields) for item in shown.preview] == [
        ("C1", "erase", ()), ("C2", "redact", ("phone",))
    ]  # fmt: skip
    assert shown.preview[1].because[0]["purpose"] == "selling"
    assert [entry["fields"] for entry in shown.preview[1].kept] == [["email"], ["name", "street", "city"]]
    assert issued.show(warehouse, manifest_id[:20]).summary == shown.summary


@pytest.mark.parametrize("manifest_id", ["", "2025", "nothing"])
def test_an_id_that_is_none_or_several_is_told(warehouse: Warehouse, manifest_id: str) -> None:
    with pytest.raises(BadUsage, match="gallring manifest list"):
        issued.show(warehouse, manifest_id)


def test_a_manifest_that_was_destroyed_is_told_as_that(warehouse: Warehouse) -> None:
    manifest_id = issued.manifests(warehouse)[0].manifest_id
    with warehouse.taken_back():
        warehouse.run("update manifest.manifests set document = null, signature = null where manifest_id = $id",
                      {"id": manifest_id})  # fmt: skip
        with pytest.raises(BadUsage, match=f"{manifest_id} was destroyed after its last day"):
            issued.show(warehouse, manifest_id[:20])


def test_an_empty_warehouse_has_no_manifests() -> None:
    assert issued.manifests(Warehouse.in_memory()) == []


def types(warehouse: Warehouse) -> dict[tuple[str, str], str]:
    return {
        (table, column): sql_type
        for table, column, sql_type in warehouse.rows(
            "select table_name, column_name, left(data_type, 4) from duckdb_columns() where schema_name = 'manifest'"
        )
    }


CLOSED = [("items", "record_type"), ("items", "action")] + [
    ("told_bits", name) for name in ("record_type", "state", "action")
]


@pytest.mark.parametrize("earlier", ["varchar", "enum('erase', 'customer', 'order')"])
def test_words_of_an_earlier_version_are_brought_over_once_and_say_the_same(tmp_path: Path, earlier: str) -> None:
    with Warehouse.open(tmp_path / "w.duckdb", key=None) as warehouse:
        issued.prepare(warehouse)
        for table, column in CLOSED:
            warehouse.run(f"alter table manifest.{table} alter column {column} type {earlier}")
        for key in ("O1", "O2"):
            order_erased(warehouse, "order", key, "contact_name")
        before = warehouse.rows("select record_type, record_key, state, action from manifest.told order by all")
        assert [row[:3] for row in before] == [("order", "O1", "erase"), ("order", "O2", "erase")]
    with Warehouse.open(tmp_path / "w.duckdb", key=None) as warehouse:
        issued.prepare(warehouse)
        assert {types(warehouse)[each] for each in CLOSED} == {"ENUM"}
        issued.prepare(warehouse)
        assert warehouse.rows("select record_type, record_key, state, action from manifest.told order by all") == before
        assert warehouse.value("select count(*) from manifest.ordered_fields where record_type = 'order'") == 2
        warehouse.run("update manifest.told_bits set record_type = 'consent', state = 'restrict', action = 'lift'")


def test_a_word_that_this_version_does_not_know_stays_as_it_was_told() -> None:
    warehouse = Warehouse.in_memory(threads=1)
    issued.prepare(warehouse)
    warehouse.run("alter table manifest.told_bits alter column record_type type varchar")
    order_erased(warehouse, "loyalty_card", "L1", "number")
    warehouse.ask_anew()
    issued.prepare(warehouse)
    assert types(warehouse)["told_bits", "record_type"] == "VARC"
    assert warehouse.rows("select record_type, record_key, field from manifest.ordered_fields") == [
        ("loyalty_card", "L1", "number")
    ]


def test_the_ledger_knows_every_action() -> None:
    assert tuple(sorted(issued.ACTIONS)) == vocabulary.ACTIONS
