"""What the office enters at the site: it counts at once, survives the office's exports, and names nobody."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from assets.core.building import build
from assets.errors import BadInput, BadUsage, CheckFailed, NeedsPerson
from assets.ingest import registers
from assets.ingest.delivering import deliver
from assets.ingest.loading import ingest
from assets.rights import holds, requests
from assets.rights.holds import Record
from assets.site import Site
from assets.warehouse import Warehouse
from tests.rights.company import DAY, NOW, company, disposition, evaluated, policy


def placed(warehouse: Warehouse, *records: Record, **more: object) -> list[str]:
    chosen = {"reason": "dispute", "reviewer": "jurist", "placed_on": DAY, "at": NOW, **more}
    return holds.place(warehouse, records, **chosen)  # type: ignore[arg-type]


def office(site: Site, number: int, table: str, text: str) -> None:
    path = site.path / f"{table}.csv"
    path.write_text(text, encoding="utf-8")
    deliver(site, policy(), "office", [path], mode="full", extracted_at=datetime(2026, 11, 1, number, tzinfo=UTC))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path / "site")
    made.make()
    return made


def test_a_hold_counts_the_same_night_and_until_its_last_day() -> None:
    warehouse = company()
    (number,) = placed(warehouse, Record("customer", "C1"))
    assert number == "site-h1"
    assert disposition(evaluated(warehouse), "customer", "C1", "national_id") == "retain"  # an order is open
    claims = "select count(*) from retention.claims where purpose = 'legal_hold' and is_active"
    assert warehouse.value(claims) > 10
    holds.release(warehouse, number, DAY, NOW)
    assert evaluated(warehouse).value(claims) > 10
    assert evaluated(warehouse, date(2026, 11, 26)).value(claims) == 0


def test_a_full_export_of_the_office_leaves_the_sites_entries(site: Site) -> None:
    warehouse = company()
    placed(warehouse, Record("order", "O1"))
    number = requests.add(warehouse, "objection", received_on=DAY, at=NOW, customer="C1")
    office(site, 1, "holds", "hold_id,record_type,record_key,fields,placed_at,released_at,reason\nH1,order,O2,,,,x\n")
    office(site, 2, "requests", "request_id,customer_id,contact_id,email,kind,scope,received_at,identity_verified_at,"
                                "extended_at,answered_at\nR1,C2,,,access,,2026-11-20,,,\n")  # fmt: skip
    for _ in range(2):
        assert ingest(warehouse, policy(), site, as_of=DAY).rejected == ()
        found = warehouse.rows("select hold_id, in_source from raw.office_holds order by all")
        assert found == [("H1", True), ("site-h1", True)]
        assert {each.request_id for each in requests.requests(warehouse, DAY)} == {"R1", number}
    rows = warehouse.rows("select row_id, count(*) from raw.office_requests group by row_id having count(*) > 1")
    assert rows == []


def test_what_the_site_says_of_a_delivered_entry_goes_before_the_export(site: Site) -> None:
    warehouse = company()
    header = ("request_id,customer_id,contact_id,email,kind,scope,received_at,identity_verified_at,extended_at,"
              "answered_at\n")  # fmt: skip
    office(site, 1, "requests", header + "R1,,,egil@hem.example,erasure,,2026-11-20,,,\n")
    ingest(warehouse, policy(), site, as_of=DAY)
    requests.verify(warehouse, "R1", DAY, NOW)
    office(
        site, 2, "requests", header + "R1,,,egil@hem.example,erasure,,2026-11-20,,,\nR2,C1,,,access,,2026-11-21,,,\n"
    )
    ingest(warehouse, policy(), site, as_of=DAY)
    assert requests.find(warehouse, "R1", DAY).clock.verified_on == DAY
    assert disposition(evaluated(warehouse, date(2026, 11, 26)), "customer", "C2", "phone") is not None
    words = warehouse.rows("select distinct word from triggers.person_words where word = 'erasure_request'")
    assert words == [("erasure_request",)]


def test_a_request_that_came_on_no_known_day_is_named(site: Site) -> None:
    """No clock runs for it, and no rule counts it: only a person can see to it."""
    warehouse = company()
    office(site, 1, "requests", "request_id,customer_id,contact_id,email,kind,scope,received_at,identity_verified_at,"
                                "extended_at,answered_at\nR1,C2,,,objection,,,,,\nR2,C2,,,objection,,2026-11-20,,,\n"
                                "R3,C2,,,restriction,,,,,2026-11-20\n")  # fmt: skip
    ingest(warehouse, policy(), site, as_of=DAY)
    assert requests.without_day(warehouse, DAY) == ["R1"]
    assert {each.request_id for each in requests.requests(warehouse, DAY)} == {"R2"}


def test_of_an_address_the_keyed_hash_alone_is_kept() -> None:
    warehouse = company()
    number = requests.add(warehouse, "objection", received_on=DAY, at=NOW, email=" Egil@Hem.example ")
    found = "select email, email_key is not null from raw.office_requests where request_id = ?"
    assert warehouse.rows(found, [number]) == [(None, True)]
    evaluated(warehouse)
    assert warehouse.value("select count(*) from triggers.person_words where word = 'objection'") == 1


def test_the_journal_holds_numbers_and_codes_alone() -> None:
    warehouse = company()
    number = requests.add(warehouse, "objection", received_on=DAY, at=NOW, email="egil@hem.example")
    placed(warehouse, Record("customer", "C1"))
    requests.answered(warehouse, number, DAY, NOW)
    journal = warehouse.rows("select register, entry_id, event, code from office.events order by sequence")
    assert journal == [
        ("requests", "site-r1", "received", None), ("holds", "site-h1", "placed", None),
        ("requests", "site-r1", "answered", "objection"),
    ]  # fmt: skip
    assert "egil" not in json.dumps(warehouse.rows("select * from office.events"), default=str).lower()


def test_several_records_are_held_and_released_together() -> None:
    warehouse = company()
    numbers = placed(warehouse, Record("order", "O1"), Record("order", "O2"), Record("order", "O1"))
    assert numbers == ["site-h1.1", "site-h1.2"]
    assert placed(warehouse, Record("order", "O3")) == ["site-h2"]
    assert holds.release(warehouse, "site-h1", DAY, NOW) == numbers
    with pytest.raises(BadInput, match="already"):
        holds.release(warehouse, "site-h1", DAY, NOW)


def test_a_hold_is_due_for_review_after_six_months_and_again_after_that() -> None:
    warehouse = company()
    (number,) = placed(warehouse, Record("order", "O1"), placed_on=date(2026, 5, 25))
    assert [hold.state for hold in holds.holds(warehouse, date(2026, 11, 24))] == ["active"]
    assert [hold.state for hold in holds.holds(warehouse, DAY)] == ["review_due"]
    assert holds.review(warehouse, number, DAY, NOW) == date(2027, 5, 25)
    assert [hold.state for hold in holds.holds(warehouse, DAY)] == ["active"]


def test_what_fell_due_under_hold_is_listed_until_it_leaves() -> None:
    warehouse = company({"crm/interactions": [
        {"interaction_id": "T9", "customer_id": "C2", "channel": "note", "occurred_at": "2024-01-02", "body": "a"},
    ]})  # fmt: skip
    (number,) = placed(warehouse, Record("interaction", "T9"))
    count, records = holds.fallen_due(evaluated(warehouse))
    assert (count, [(each.record_key, each.fell_due_on) for each in records]) == (1, [("T9", date(2025, 1, 2))])
    holds.release(warehouse, number, DAY, NOW)
    evaluated(warehouse, date(2026, 11, 26))
    assert holds.fallen_due(warehouse) == (0, [])
    assert disposition(warehouse, "interaction", "T9", "content") == "erase"


def test_what_stays_after_the_release_did_not_fall_due() -> None:
    """A company's own row is nobody's data, and a record without its parent waits for a person."""
    warehouse = company({
        "crm/customers": [{"customer_id": "F9", "customer_type": "company", "name": "Provbolaget AB"}],
        "orders/order_lines": [{"order_line_id": "L9", "order_id": "O99", "product": "Super 8"}],
    })  # fmt: skip
    placed(warehouse, Record("customer", "F9"), Record("order_line", "L9"))
    assert holds.fallen_due(evaluated(warehouse)) == (0, [])
    holds.release(warehouse, "site-h1", DAY, NOW)
    evaluated(warehouse, date(2026, 11, 26))
    assert disposition(warehouse, "customer", "F9", "identity") == "not_personal"
    assert disposition(warehouse, "order_line", "L9", "transaction") == "review"


@pytest.mark.parametrize(
    ("record", "more", "kind"),
    [
        (Record("order", "O99"), {}, BadInput), (Record("letter", "O1"), {}, BadInput),
        (Record("order", "O1"), {"fields": ["colour"]}, BadInput),
        (Record("order", "O1"), {"reason": "Egil"}, BadUsage),
        (Record("order", "O1"), {"reviewer": " "}, BadUsage),
    ],
)  # fmt: skip
def test_a_hold_that_means_nothing_is_refused(record: Record, more: dict[str, object], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        placed(company(), record, **more)


def test_a_hold_may_wait_for_what_has_not_come() -> None:
    assert placed(company(), Record("order", "O99"), allow_unknown=True) == ["site-h1"]


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"customer": "C9"}, BadInput), ({"customer": "F"}, BadInput), ({"contact": "K9"}, BadInput), ({}, BadUsage),
        ({"customer": "C1", "contact": "K1"}, BadUsage), ({"email": "egil"}, BadUsage),
        ({"customer": "C1", "scope": "newsletter"}, BadUsage), ({"customer": "C1", "verified_on": date(2026, 1, 1)},
                                                                BadUsage),
    ],
)  # fmt: skip
def test_a_request_that_means_nothing_is_refused(more: dict[str, object], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        requests.add(company(), "erasure", received_on=DAY, at=NOW, **more)  # type: ignore[arg-type]


def test_an_extension_that_comes_too_late_is_refused_and_a_second_one_too() -> None:
    warehouse = company()
    number = requests.add(warehouse, "access", received_on=date(2026, 10, 1), at=NOW, customer="C1")
    with pytest.raises(BadInput, match="Too late"):
        requests.extend(warehouse, number, date(2026, 11, 3), NOW)
    assert requests.extend(warehouse, number, date(2026, 11, 2), NOW).standing.due_on == date(2027, 1, 4)
    with pytest.raises(BadInput, match="once"):
        requests.extend(warehouse, number, date(2026, 11, 2), NOW)


def test_a_doubted_identity_pauses_the_clock_until_it_is_verified() -> None:
    warehouse = company()
    number = requests.add(warehouse, "access", received_on=date(2026, 10, 1), at=NOW, customer="C1")
    requests.ask(warehouse, number, date(2026, 10, 11), NOW)
    assert requests.find(warehouse, number, DAY).standing.state == "paused"
    assert requests.overdue(warehouse, DAY) == []
    requests.verify(warehouse, number, date(2026, 10, 21), NOW)
    assert requests.find(warehouse, number, DAY).standing.due_on == date(2026, 11, 11)
    assert [each.request_id for each in requests.overdue(warehouse, DAY)] == [number]


def test_a_restriction_is_lifted_after_the_person_was_told() -> None:
    warehouse = company()
    number = requests.add(warehouse, "restriction", received_on=date(2026, 11, 1), at=NOW, customer="C1")
    assert disposition(evaluated(warehouse), "customer", "C1", "phone") == "restrict"
    with pytest.raises(NeedsPerson, match="18"):
        requests.answered(warehouse, number, DAY, NOW)
    for day in (date(1950, 1, 1), date(2026, 10, 31)):
        with pytest.raises(BadInput, match="before that"):
            requests.answered(warehouse, number, DAY, NOW, notice_given_on=day)
    with pytest.raises(BadInput, match="after that"):
        requests.answered(warehouse, number, DAY, NOW, notice_given_on=DAY + timedelta(days=1))
    assert disposition(evaluated(warehouse), "customer", "C1", "phone") == "restrict"
    requests.answered(warehouse, number, DAY, NOW, notice_given_on=date(2026, 11, 24))
    assert disposition(evaluated(warehouse), "customer", "C1", "phone") == "retain"


def test_a_query_sees_the_published_tables_and_nothing_else(site: Site) -> None:
    with pytest.raises(CheckFailed):
        holds.chosen_by(site, "select 1")
    with Warehouse.in_memory() as maker:
        maker.run(f"attach '{site.analytics}' as made")
        maker.run("create schema made.retention")
        maker.run("create table made.retention.dispositions as select 'order' as record_type, 'O1' as record_key")
        maker.run("detach made")
    query = "select record_type, record_key from retention.dispositions where record_type = 'order';"
    assert holds.chosen_by(site, query) == [Record("order", "O1")]
    secret = site.path / "secret.csv"
    secret.write_text("record_type,record_key\norder,O2\n")
    for reach in (f"from read_csv('{secret}')", f"select * from '{secret}'", "select 1 as one", "drop table x",
                  "select record_type, record_key from retention.dispositions where false"):  # fmt: skip
        with pytest.raises(BadInput):
            holds.chosen_by(site, reach)


def test_merging_twice_changes_nothing() -> None:
    warehouse = company()
    placed(warehouse, Record("order", "O1"))
    requests.add(warehouse, "objection", received_on=DAY, at=NOW, customer="C1")
    every = "select * from raw.office_holds", "select * from raw.office_requests"
    before = [warehouse.rows(query) for query in every]
    registers.merge(warehouse)
    assert [warehouse.rows(query) for query in every] == before
    build(warehouse)
