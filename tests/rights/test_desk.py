"""What the office lists and closes at its desk: everything that stands in its registers, on days that can be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from assets.attaching import attached
from assets.errors import BadInput, BadUsage, CheckFailed, NeedsPerson
from assets.evidence.recording import _office
from assets.ingest.kept_out import kept_out
from assets.ingest.loading import load_rows
from assets.publication.analytics import publish
from assets.retention.explaining import explain
from assets.rights import holds, letters, requests
from assets.rights.assets import rights_checks
from assets.rights.timeline import records_of_customer
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.cli import desk
from orchestration.cli import requests as verbs
from orchestration.settings import Settings
from tests.rights.company import DAY, EXPORTS, NOW, company, disposition, evaluated, policy

EXPORTED = {
    "office/holds": [{"hold_id": "H1", "record_type": "order", "record_key": "O2", "placed_at": "2026-05-01",
                      "reason": "tvist"}],
    "office/requests": [
        {"request_id": "R1", "customer_id": "C1", "kind": "restriction", "received_at": "2026-10-01"},
        {"request_id": "R2", "customer_id": "C2", "kind": "rectification"},
    ],
}  # fmt: skip


@pytest.fixture
def left() -> Warehouse:
    """An office whose next full export lists neither its hold nor its requests any more."""
    warehouse = company(EXPORTED)
    load_rows(warehouse, policy(), {"office/holds": [], "office/requests": []})
    return warehouse


def test_what_left_the_offices_export_stands_and_is_listed_until_it_is_closed(left: Warehouse, tmp_path: Path) -> None:
    assert disposition(evaluated(left), "customer", "C1", "identity") == "restrict"
    assert [(each.hold_id, each.state) for each in holds.holds(left, DAY)] == [("H1", "review_due")]
    assert [(each.request_id, each.standing.state) for each in requests.requests(left, DAY)] == [("R1", "overdue")]
    assert requests.without_day(left, DAY) == ["R2"]
    assert [check(warehouse=left, as_of=DAY).passed for check in rights_checks()[:2]] == [False, False]  # type: ignore[union-attr]
    site = Site(tmp_path / "site")
    site.make()
    publish(left, policy(), site)
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=True):
        assert reader.rows("select hold_id, is_active from site.retention.holds") == [("H1", True)]
        assert reader.rows("select request_id from site.retention.requests order by all") == [("R1",), ("R2",)]

    holds.release(left, "H1", DAY, NOW)
    requests.answered(left, "R1", DAY, NOW, notice_given_on=DAY)
    load_rows(left, policy(), {"office/holds": [], "office/requests": []})
    assert disposition(evaluated(left), "customer", "C1", "identity") == "retain"
    assert [each.state for each in holds.holds(left, date(2026, 11, 26))] == ["released"]


#: An answer that the office's export dates ahead: what is to come has not happened.
AHEAD = [{"request_id": number, "customer_id": "C2", "kind": kind, "received_at": "2026-08-01",
          "identity_verified_at": "2026-08-01", "answered_at": answered}
         for number, kind, answered in (("R1", "access", "2062-09-01"), ("R2", "access", "2026-08-20"),
                                        ("R3", "restriction", None))]  # fmt: skip


def at_the_desk(monkeypatch: pytest.MonkeyPatch, warehouse: Warehouse, site: Site) -> None:
    """Have the verbs about requests sit at this warehouse."""
    given = desk.Desk(site, Settings(), policy(), warehouse, NOW, DAY)
    monkeypatch.setattr(verbs, "desk", lambda *_: nullcontext(given))


def test_an_answer_to_come_is_none_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = company({"office/requests": AHEAD})
    at_the_desk(monkeypatch, warehouse, Site(tmp_path))

    def listed(on: str | None = None) -> list[str]:
        with pytest.raises(CheckFailed, match="Overdue: R1, R3") if on is None else nullcontext():
            verbs.list_requests(every=False, on=on, site=None, json=True)
        return [each["request_id"] for each in json.loads(capsys.readouterr().out)]

    assert listed() == ["R1", "R3"]
    assert listed("2026-08-19") == ["R1", "R2", "R3"]
    assert requests.asked_already(warehouse, requests.add(
        warehouse, "access", received_on=DAY, at=NOW, customer="C2"), DAY) == ["R1"]  # fmt: skip
    with pytest.raises(BadInput, match="answered on 2026-08-20"):
        requests.verify(warehouse, "R2", date(2026, 8, 10), NOW)
    assert requests.answered(warehouse, "R1", DAY, NOW).standing.state == "answered_late"
    assert requests.find(warehouse, "R1", DAY).clock.answered_on == DAY


def test_the_reading_is_noted_before_the_draft_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is killed between the two may leave a line too many, and no reading without one."""
    warehouse = evaluated(company({"office/requests": AHEAD}))
    at_the_desk(monkeypatch, warehouse, Site(tmp_path))
    monkeypatch.setattr(letters, "write_folder", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        verbs.answer_request("R3", sent=None, notice_given=None, site=None, policy=None, json=False)
    assert [
        (facts["event"], facts["code"]) for _, _, facts in _office(warehouse) if facts["register"] == "readings"
    ] == [("answer_drafted", "restricted")]


def test_a_request_that_reaches_several_people_by_their_address_is_entered_and_asks_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """C1 with its subscriber and C3 have one address, and so may a company: whoever did not ask is reached unasked."""
    shared = {"customer_id": "G", "customer_type": "company", "name": "Hembolaget AB", "email": "egil@hem.example"}
    warehouse = company({
        "crm/customers": [*EXPORTS["crm/customers"], shared],
        "crm/contacts": [*EXPORTS["crm/contacts"],
                         {"contact_id": "K9", "customer_id": "F", "name": "Egil F", "email": "egil@hem.example"}],
    })  # fmt: skip
    site = Site(tmp_path)
    at_the_desk(monkeypatch, warehouse, site)

    def add(kind: str, **named: str) -> str:
        given = dict.fromkeys(("customer", "contact", "email", "scope", "received", "verified", "site")) | named
        try:
            verbs.add_request(kind, **given, json=True)  # type: ignore[arg-type]
            told = ""
        except NeedsPerson as error:
            told = error.message
        assert json.loads(capsys.readouterr().out)["request_id"] in {each.request_id for each in known()}
        return told

    def known() -> list[requests.Request]:
        return requests.requests(warehouse, DAY)

    assert add("objection", email="disa@hem.example") == "", "who they are is not known before the first run"
    evaluated(warehouse)
    both = "2 people .*: customer C1, subscriber N1; customer C3"
    assert re.search(f"is entered, and counts for each of {both}", add("withdrawal", email=" Disa@hem.example "))
    told = add("erasure", email="disa@hem.example")
    assert re.search(f"is about {both}", told)
    assert "leave site-r3 unverified" in told
    assert "disa" not in told.lower()
    assert re.search(f"counts for each of {both}", add("erasure", email="disa@hem.example", verified=str(DAY)))
    assert re.search("customer C2; customer G", add("termination", email="egil@hem.example")), "K9 is no customer"
    assert re.search("customer C2; contact K9", add("access", email="egil@hem.example")), "G is no person"
    assert add("erasure", customer="C1") == add("erasure", email="vega@skolan.example") == ""
    assert len(list((site.dagster / "arrived-requests").iterdir())) == len(known()) == 8

    verbs.verify_request("site-r3", asked=True, on=None, site=None)
    with pytest.raises(NeedsPerson, match=f"site-r3 is verified, and counts for each of {both}"):
        verbs.verify_request("site-r3", asked=False, on=None, site=None)
    assert requests.find(warehouse, "site-r3", DAY).clock.verified_on == DAY
    verbs.verify_request("site-r8", asked=False, on=None, site=None)


def test_before_the_first_run_a_draft_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_the_desk(monkeypatch, company({"office/requests": AHEAD}), Site(tmp_path))
    with pytest.raises(CheckFailed, match="gallring run"):
        verbs.answer_request("R3", sent=None, notice_given=None, site=None, policy=None, json=False)


def test_a_second_entry_is_told_of_the_first_though_that_has_left_the_export(left: Warehouse) -> None:
    numbers = holds.place(left, [holds.Record("order", "O2")], reason="court", reviewer="jurist", placed_on=DAY, at=NOW)
    assert holds.held_already(left, numbers) == ["H1"]
    second = requests.add(left, "restriction", received_on=DAY, at=NOW, customer="C1")
    assert requests.asked_already(left, second, DAY) == ["R1"]


def test_a_release_before_the_placement_is_refused_and_one_of_a_hold_to_come_is_not() -> None:
    warehouse = company()
    held = [holds.Record("order", "O1")]
    (hold,), (ahead,) = (
        holds.place(warehouse, held, reason="court", reviewer="jurist", placed_on=day, at=NOW)
        for day in (DAY, date(2036, 11, 25))
    )
    with pytest.raises(BadInput, match="2016-11-25"):
        holds.release(warehouse, hold, date(2016, 11, 25), NOW)
    assert [each.released_on for each in holds.holds(warehouse, DAY)] == [None, None]
    assert holds.release(warehouse, hold, DAY, NOW) == [hold]
    assert holds.release(warehouse, ahead, DAY, NOW) == [ahead]
    later = {each.hold_id: each.state for each in holds.holds(warehouse, date(2037, 1, 1))}
    assert later == {hold: "released", ahead: "released"}, "it does not come back with the day it was to begin on"


def test_what_the_offices_file_closed_before_it_began_is_open_and_can_be_closed() -> None:
    """Both years were mistyped. Whoever looks at the lists must not take them for closed, and can close them."""
    warehouse = company({
        "office/holds": [{"hold_id": "H1", "record_type": "order", "record_key": "O1", "placed_at": "2026-01-15",
                          "released_at": "2025-01-05"}],
        "office/requests": [{"request_id": "R1", "customer_id": "C1", "kind": "restriction",
                             "received_at": "2026-11-02", "extended_at": "2025-11-20", "answered_at": "2025-11-20"}],
    })  # fmt: skip
    (hold,) = holds.holds(warehouse, DAY)
    assert (hold.released_on, hold.state) == (None, "review_due")
    request = requests.find(warehouse, "R1", DAY)
    assert (request.is_answered, request.standing.state, request.standing.extension) == (False, "open", "none")
    twins = (holds.place(warehouse, [holds.Record("order", "O1")], reason="court", reviewer="jurist", placed_on=DAY,
                         at=NOW),
             requests.add(warehouse, "restriction", received_on=DAY, at=NOW, customer="C1"))  # fmt: skip
    assert holds.held_already(warehouse, twins[0]) == ["H1"]
    assert requests.asked_already(warehouse, twins[1], DAY) == ["R1"]
    assert requests.extend(warehouse, "R1", DAY, NOW).standing.extension == "in_time"
    assert requests.answered(warehouse, "R1", DAY, NOW, notice_given_on=DAY).is_answered
    assert holds.release(warehouse, "H1", DAY, NOW) == ["H1"]


def test_a_release_goes_by_the_local_day_on_which_a_hold_was_placed() -> None:
    warehouse = company()
    after_midnight = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    placed = date(2026, 11, 26)
    (hold,) = holds.place(
        warehouse, [holds.Record("order", "O1")], reason="court", reviewer="jurist", placed_on=placed, at=after_midnight
    )
    with pytest.raises(BadInput, match="2026-11-26"):
        holds.release(warehouse, hold, DAY, after_midnight)


def test_a_look_at_a_hold_is_noted_while_it_stands_and_the_next_one_is_later() -> None:
    warehouse = company()
    (hold,) = holds.place(
        warehouse, [holds.Record("customer", "C1")], reason="court", reviewer="jurist", placed_on=DAY, at=NOW,
        fields=["name", "name"],
    )  # fmt: skip
    assert [each.fields for each in holds.holds(warehouse, DAY)] == ["name"]
    assert holds.review(warehouse, hold, DAY, NOW) == date(2027, 5, 25)
    with pytest.raises(BadUsage, match="2026-11-25"):
        holds.review(warehouse, hold, DAY, NOW, DAY)
    holds.release(warehouse, hold, DAY, NOW)
    with pytest.raises(BadInput, match="released"):
        holds.review(warehouse, hold, DAY, NOW)


@pytest.mark.parametrize(
    "asked",
    [
        lambda warehouse: requests.add(warehouse, "erasure", customer="C9", received_on=DAY, at=NOW),
        lambda warehouse: explain(warehouse, policy(), "customer", "C9"),
        lambda warehouse: records_of_customer(warehouse, "C9"),
        lambda warehouse: holds.place(warehouse, [holds.Record("customer", "C9")], reason="dispute", reviewer="legal",
                                      placed_on=DAY, at=NOW),
    ],
    ids=["request", "explain", "timeline", "hold"],
)  # fmt: skip
def test_whose_row_was_set_aside_is_told_so_and_where_to_see_why(asked: Callable[[Warehouse], object]) -> None:
    """Delivered it was: whoever hears that it was not looks for the mistake in their own typing."""
    broken = {"customer_id": "C9", "customer_type": "private", "name": "Signe Provsson", "customer_since": "okänt"}
    warehouse = company({"crm/customers": [*EXPORTS["crm/customers"], broken]})
    evaluated(warehouse)
    (line,) = [each.line for each in kept_out(warehouse)]
    told = (
        f"customer with the key 'C9' .*: its row was set aside, row {line} of .*: `gallring quarantine crm` tells why"
    )
    with pytest.raises(BadInput, match=told) as refused:
        asked(warehouse)
    assert "Signe" not in refused.value.message
    load_rows(warehouse, policy(), {"crm/customers": EXPORTS["crm/customers"]})
    with pytest.raises(BadInput) as refused:
        asked(warehouse)
    assert "set aside" not in refused.value.message, "the source does not have it any more"


@pytest.mark.parametrize(
    "act",
    [
        lambda known: requests.find(known, "J3", DAY),
        lambda known: requests.verify(known, "J3", DAY, NOW),
        lambda known: requests.extend(known, "J3", DAY, NOW),
        lambda known: requests.answered(known, "J3", DAY, NOW),
    ],
)
def test_a_request_without_a_day_is_there_and_the_office_completes_it(act: Callable[[Warehouse], object]) -> None:
    known = company({"office/requests": [{"request_id": "J3", "customer_id": "C1", "kind": "access"}]})
    with pytest.raises(BadInput, match=r"J3 has no day of receipt .*its next export"):
        act(known)
    with pytest.raises(BadInput, match="There is no request 'J4'"):
        requests.find(known, "J4", DAY)


def test_holds_that_name_no_record_are_told_of() -> None:
    register = [
        {"hold_id": "H1", "record_type": "customer", "record_key": "C1", "placed_at": "2026-11-01"},
        {"hold_id": "H2", "record_type": "customer", "record_key": "1", "placed_at": "2026-11-01"},
        {"hold_id": "H3", "record_key": "C1", "placed_at": "2026-11-01"},
        {"hold_id": "H4", "record_type": "order", "record_key": "C1", "placed_at": "2026-10-01",
         "released_at": "2026-11-01"},
        {"hold_id": "H5", "record_type": "Customer", "record_key": "C1", "placed_at": "2026-11-01"},
    ]  # fmt: skip
    known = company({"office/holds": register})
    assert holds.holding_nothing(evaluated(known), DAY) == ["H2", "H3"]


def test_of_whom_came_whole_since_and_left_it_is_not_said_that_the_row_was_set_aside() -> None:
    broken = {"customer_id": "C9", "customer_type": "private", "name": "Signe Provsson", "customer_since": "okänt"}
    warehouse = company({"crm/customers": [*EXPORTS["crm/customers"], broken]})
    for change in ({**broken, "customer_since": "2026-01-01"}, {"customer_id": "C9", "_deleted": "true"}):
        load_rows(warehouse, policy(), {"crm/customers": [change]}, mode="delta")
    evaluated(warehouse)
    with pytest.raises(BadInput, match="is in the sources"):
        explain(warehouse, policy(), "customer", "C9")
    load_rows(warehouse, policy(), {"crm/customers": [broken]}, mode="delta")
    with pytest.raises(BadInput, match="its row was set aside"):
        explain(warehouse, policy(), "customer", "C9")
