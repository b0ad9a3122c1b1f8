"""How a site stands, told without opening the warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.attaching import attached
from assets.delivery.settling import Unproven
from assets.ledger import issued
from assets.manifests.left_out import LeftOut
from assets.publication.analytics import publish
from assets.publication.status import Block, Delivery, ManifestState, OverdueItems, OverdueRequest, status
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.cli.printing import as_json
from tests.publication.house import AS_OF, StubPolicy, hand_made

POLICY: Any = StubPolicy()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "site")
    site.make()
    return site


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with hand_made() as warehouse:
        issued.prepare(warehouse)
        columns = ["manifest_id", "item_id", "system", "record_type", "record_key", "action", "respond_by"]
        for item, state in (("I1", "issued"), ("I2", "issued"), ("I3", "verified")):
            warehouse.insert(
                "manifest.items", columns, [("M1", item, "crm", "customer", "C2", "erase", date(2026, 12, 1))]
            )
            warehouse.insert(
                "manifest.events", ["item_id", "manifest_id", "state", "on_day"], [(item, "M1", state, AS_OF)]
            )
        yield warehouse


def arrive(site: Site, source: str, delivery_id: str, *, complete: bool = True) -> None:
    folder = site.inbox / source / delivery_id
    folder.mkdir(parents=True)
    if complete:
        (folder / "delivery.json").write_text("{}")


def test_a_new_site_tells_what_waits(site: Site) -> None:
    arrive(site, "crm", "D1")
    arrive(site, "crm", "D2", complete=False)
    found = status(site, AS_OF)
    assert (found.as_of, found.waiting, found.deliveries) == (None, ("crm/D1",), ())
    assert not found.unpublished


def test_of_a_warehouse_of_which_nothing_is_published_it_tells_just_that(site: Site) -> None:
    """As after a restore, or a first run that stopped: what lies in the inbox may have been taken in."""
    arrive(site, "crm", "D1")
    site.warehouse.touch()
    found = status(site, AS_OF)
    assert (found.as_of, found.waiting, found.unpublished) == (None, (), True)


def test_what_a_run_has_taken_in_waits_no_more(warehouse: Warehouse, site: Site) -> None:
    arrive(site, "crm", "D1")
    arrive(site, "crm", "D2")
    publish(warehouse, POLICY, site)
    assert status(site, AS_OF).waiting == ("crm/D2",)


def test_what_lies_there_under_another_name_and_was_taken_in_waits_no_more(warehouse: Warehouse, site: Site) -> None:
    files = [{"name": "customers.csv", "table": "customers", "rows": 4, "sha256": "0" * 64}]
    told = {"source": "crm", "mode": "full", "extracted_at": "2026-11-24T02:00:00Z", "files": files}
    for name, changed in (("D1", {}), ("D2", {}), ("D3", {"mode": "delta"})):
        arrive(site, "crm", name, complete=False)
        note = {**told, **changed, "delivery_id": name}
        (site.inbox / "crm" / name / "delivery.json").write_text(json.dumps(note))
    assert status(site, AS_OF).waiting == ("crm/D1", "crm/D2", "crm/D3")
    publish(warehouse, POLICY, site)
    assert status(site, AS_OF).waiting == ("crm/D3",)


def test_the_latest_delivery_of_each_source_and_what_blocks(warehouse: Warehouse, site: Site) -> None:
    warehouse.run("insert into intake.deliveries values (0, 'crm', 'D0', 'full', now(), 'd', 'loaded', null)")
    publish(warehouse, POLICY, site)
    found = status(site, AS_OF)
    night = datetime(2026, 11, 24, 2)
    assert found.deliveries == (
        Delivery("crm", "D1", "full", night, "loaded", None, rows_in=4, rows_quarantined=2),
        Delivery("orders", "D1", "full", night, "rejected", "control total", rows_in=0, rows_quarantined=0),
    )
    assert found.blocks == (Block("orders", None, "rejected", "D1"),)


#: The last day to answer of the manifest.
LATEST = date(2026, 12, 1)


def test_items_are_late_from_the_day_after_they_were_due(warehouse: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert status(site, date(2026, 12, 2)).overdue_items == (), "nobody was told of them"
    for item in ("I1", "I2"):
        warehouse.insert("manifest.events", ["item_id", "manifest_id", "state", "on_day"],
                         [(item, "M1", "delivered", AS_OF)])  # fmt: skip
    publish(warehouse, POLICY, site)
    found = status(site, date(2026, 12, 1))
    assert found.manifests == (ManifestState("crm", "delivered", 1, 2), ManifestState("crm", "verified", 1, 1))
    assert found.overdue_items == ()
    assert status(site, date(2026, 12, 2)).overdue_items == (OverdueItems("crm", "M1", LATEST, LATEST, 2),)


def test_late_is_what_left_and_whose_own_day_has_passed(warehouse: Warehouse, site: Site) -> None:
    """As the reminders have it: not what never left, or was postponed; a refusal thirty days after it came."""
    columns = ["item_id", "manifest_id", "state", "on_day", "until"]
    warehouse.insert("manifest.events", columns, [
        ("I1", "M1", "withheld", date(2026, 12, 1), date(2027, 3, 1)), ("I2", "M1", "refused", date(2026, 12, 2), None)
    ])  # fmt: skip
    publish(warehouse, POLICY, site)
    seen = {day: status(site, day).overdue_items for day in (date(2027, 1, 1), date(2027, 1, 2), date(2027, 3, 2))}
    assert list(seen.values()) == [
        (), (OverdueItems("crm", "M1", LATEST, date(2027, 1, 1), 1),),
        (OverdueItems("crm", "M1", LATEST, date(2027, 1, 1), 1),
         OverdueItems("crm", "M1", LATEST, date(2027, 3, 1), 1)),
    ]  # fmt: skip


def test_what_no_export_proves_is_told_by_system(warehouse: Warehouse, site: Site) -> None:
    told = [("crm", "other_rows_in_scope", 2), ("crm", "field_read_no_more", 3), ("web", "key_read_otherwise", 1)]
    warehouse.insert("manifest.unproven", ["system", "reason", "items"], told)
    publish(warehouse, POLICY, site)
    assert status(site, AS_OF).unproven == (Unproven("crm", 5, "field_read_no_more"),
                                            Unproven("web", 1, "key_read_otherwise"))  # fmt: skip
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=False):
        reader.run("alter table site.quality.unproven drop column table_name")
        reader.run("alter table site.quality.unproven drop column set_aside")
    assert [each.items for each in status(site, AS_OF).unproven] == [5, 1], "an earlier version has told no table"
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=False):
        reader.run("drop table site.quality.unproven")
    assert status(site, AS_OF).unproven == (), "an earlier version has published none"


def test_records_that_are_left_out_of_the_manifests_are_told_by_system(warehouse: Warehouse, site: Site) -> None:
    warehouse.run("create table manifest.left_out (system varchar, record_type varchar, record_key varchar)")
    records = [("crm", "customer", "C1"), ("crm", "contact", "K1"), ("web", "web_event", "W1")]
    warehouse.insert("manifest.left_out", ["system", "record_type", "record_key"], records)
    publish(warehouse, POLICY, site)
    assert status(site, AS_OF).left_out == (LeftOut("crm", 2), LeftOut("web", 1))
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=False):
        assert reader.rows("from site.quality.left_out order by all") == [
            ("crm", "contact", 1), ("crm", "customer", 1), ("web", "web_event", 1),
        ]  # fmt: skip
        reader.run("drop table site.quality.left_out")
    assert status(site, AS_OF).left_out == (), "an earlier version has published none"


def test_a_hold_that_names_no_record_is_told_while_it_stands(warehouse: Warehouse, site: Site) -> None:
    publish(warehouse, POLICY, site)
    assert status(site, AS_OF).holding_nothing == (), "it is released"
    warehouse.run("update raw.office_holds set released_at = null where hold_id = 'H3'")
    publish(warehouse, POLICY, site)
    assert status(site, AS_OF).holding_nothing == ("H3",)
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=False):
        reader.run("drop table site.retention.findings")
    assert status(site, AS_OF).holding_nothing == (), "an earlier version has published none"


def test_an_answered_request_is_not_late(warehouse: Warehouse, site: Site) -> None:
    warehouse.run("update raw.office_requests set answered_at = date '2026-12-01' where request_id = 'R2'")
    publish(warehouse, POLICY, site)
    assert status(site, date(2026, 12, 1)).overdue_requests == ()
    late = OverdueRequest("R1", "access", date(2026, 11, 1), date(2026, 12, 1))
    assert status(site, date(2026, 12, 2)).overdue_requests == (late,)


def test_the_status_can_be_told_as_json(warehouse: Warehouse, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    publish(warehouse, POLICY, site)
    as_json(status(site, date(2027, 1, 1)))
    plain = json.loads(capsys.readouterr().out)
    assert plain["as_of"] == "2026-11-25"
    assert plain["overdue_requests"][0]["due_on"] == "2026-12-01"


def test_it_can_be_asked_while_a_run_holds_the_warehouse(site: Site) -> None:
    with Warehouse.open(site.warehouse, key=None):
        assert status(site, AS_OF).as_of is None
