"""Approval: what a person sees, what goes without one, four eyes, and that a cancelled manifest takes its word back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.core.changing import rebuild
from assets.delivery.approving import approve, approve_automatically, approve_each, cancel, cancel_each
from assets.delivery.concerns import concerns
from assets.delivery.previewing import preview
from assets.errors import BadUsage, CheckFailed, NeedsPerson
from assets.ledger import issued
from assets.ledger.states import Event, record
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.retention.incremental import evaluate_night
from assets.warehouse import Warehouse
from tests.delivery.nights import POLICY, Nights, System, name_of
from tests.manifests.company import DAY, Company, full

NOW = datetime(2025, 2, 1, 8, 0, tzinfo=UTC)
WHO: dict[str, Any] = {"on_day": DAY, "at": NOW}


@dataclass
class Rules:
    mode: str = "automatic"
    items: int = 500
    share: float = 1
    times_median: float = 5
    erase_share: float = 1
    leaves_out: bool = False


@pytest.fixture
def company() -> Company:
    company = Company()
    for number in range(10):
        company.add("customer", f"C{number}")
        company.add("web_event", f"W{number}")
    return company


def erase(*keys: str) -> dict[tuple[str, str], dict[str, str]]:
    return {("customer", key): full("customer", "erase") for key in keys}


def sealed(warehouse: Warehouse) -> list[str]:
    return [one.manifest_id for one in issued.manifests(warehouse)]


def states(warehouse: Warehouse, manifest_id: str) -> set[str]:
    return {
        state
        for (state,) in warehouse.rows(
            "select state from manifest.item_states where manifest_id = $id", {"id": manifest_id}
        )
    }


def codes(company: Company, rules: Rules, manifest_id: str) -> list[str]:
    return [concern.code for concern in concerns(company.warehouse, rules, manifest_id)]


def test_a_person_approves_by_how_the_id_begins(company: Company) -> None:
    company.night(DAY, erase("C1", "C2"))
    (manifest_id,) = sealed(company.warehouse)
    assert approve(company.warehouse, manifest_id[:12], by="A. Prover", reason="looked at it", **WHO) == manifest_id
    found = company.warehouse.rows("select distinct state, by_whom, detail, origin from manifest.item_states")
    assert found == [("approved", "A. Prover", "looked at it", "approve")]


def test_nothing_is_approved_twice_or_without_a_name(company: Company) -> None:
    company.night(DAY, erase("C1"))
    (manifest_id,) = sealed(company.warehouse)
    with pytest.raises(BadUsage, match="--by"):
        approve(company.warehouse, manifest_id, by=" ", reason="x", **WHO)
    approve(company.warehouse, manifest_id, by="A. Prover", reason="x", **WHO)
    with pytest.raises(CheckFailed, match="it is approved"):
        approve(company.warehouse, manifest_id, by="A. Prover", reason="x", **WHO)
    with pytest.raises(BadUsage, match="No manifest"):
        approve(company.warehouse, "ffff", by="A. Prover", reason="x", **WHO)


def test_who_launched_the_run_does_not_approve_it(company: Company) -> None:
    company.night(DAY, erase("C1"))
    (manifest_id,) = sealed(company.warehouse)
    company.warehouse.run("update manifest.events set by_whom = 'B. Runner' where state = 'issued'")
    with pytest.raises(NeedsPerson, match="four eyes"):
        approve(company.warehouse, manifest_id, by=" b.  runner", reason="x", **WHO)
    assert states(company.warehouse, manifest_id) == {"issued"}
    approve(company.warehouse, manifest_id, by="A. Prover", reason="x", **WHO)


def three(company: Company) -> list[str]:
    """Three manifests that wait."""
    for night in range(3):
        company.night(DAY + timedelta(days=night), erase(*(f"C{number}" for number in range(night + 1))))
    return sealed(company.warehouse)


def decisions(company: Company) -> list[tuple[object, ...]]:
    return company.warehouse.rows(
        "select manifest_id, state, by_whom, detail from manifest.events where origin in ('approve', 'cancel') "
        "order by sequence"
    )


def test_each_of_several_is_approved_by_a_decision_of_its_own(company: Company) -> None:
    one, two, other = three(company)
    named = [two, one, two[:20], one]  # one twice is one
    assert approve_each(company.warehouse, named, by="A. Prover", reason="looked at both", **WHO) == [two, one]
    assert decisions(company) == [(each, "approved", "A. Prover", "looked at both") for each in (two, one)]
    assert states(company.warehouse, other) == {"issued"}


@pytest.mark.parametrize("decide", [approve_each, cancel_each])
def test_of_several_none_is_decided_on_where_one_cannot_be(company: Company, decide: Any) -> None:
    one, two, gone = three(company)
    company.warehouse.run(
        "insert into manifest.events (manifest_id, sequence, state, origin) values (?, 99, 'approved', 'deliver'), "
        "(?, 100, 'delivered', 'deliver')", [gone, gone],
    )  # fmt: skip
    before = company.warehouse.rows("from manifest.events order by all")
    for named, refusal, told in (
        ([one, "ffff", two], BadUsage, "'ffff'"),
        ([one, two, ""], BadUsage, "No manifest has the id ''"),
        ([one, "20"], BadUsage, "Several manifests begin with the id '20'"),
        ([one, gone, two], CheckFailed, gone[:16]),
    ):
        with pytest.raises(refusal, match=told):
            decide(company.warehouse, named, by="A. Prover", reason="x", **WHO)
        assert company.warehouse.rows("from manifest.events order by all") == before
    with pytest.raises(CheckFailed, match="None of the 3 was"):
        decide(company.warehouse, [one, gone, two], by="A. Prover", reason="x", **WHO)


def test_several_refused_are_each_named_with_where_they_stand(company: Company) -> None:
    one, two, other = three(company)
    approve_each(company.warehouse, [one], by="A. Prover", reason="x", **WHO)
    cancel_each(company.warehouse, [two], by="A. Prover", reason="x", **WHO)
    with pytest.raises(CheckFailed) as found:
        approve_each(company.warehouse, [one, two, other], by="A. Prover", reason="x", **WHO)
    assert f"{one[:16]} (approved), {two[:16]} (cancelled) wait for no approval. None of the 3" in found.value.message
    assert other[:16] not in found.value.message


def test_four_eyes_look_at_each_of_several(company: Company) -> None:
    one, two, _ = three(company)
    company.warehouse.run("update manifest.events set by_whom = 'B. Runner' where manifest_id = ?", [two])
    with pytest.raises(NeedsPerson, match=two[:16]):
        approve_each(company.warehouse, [one, two], by="B. Runner", reason="x", **WHO)
    assert states(company.warehouse, one) == {"issued"}


def test_several_are_cancelled_as_one_after_the_other(company: Company) -> None:
    one, two, other = three(company)
    assert cancel_each(company.warehouse, [one, two], by="A. Prover", reason="x", **WHO) == [one, two]
    assert [each[1] for each in decisions(company)] == ["cancelled", "cancelled"]
    together = company.warehouse.rows("from manifest.sealed_fields order by all")
    twin = Company()
    for number in range(10):
        twin.add("customer", f"C{number}")
        twin.add("web_event", f"W{number}")
    assert three(twin) == [one, two, other]
    for each in (one, two):
        cancel(twin.warehouse, each, by="A. Prover", reason="x", **WHO)
    assert twin.warehouse.rows("from manifest.sealed_fields order by all") == together


def test_every_manifest_waits_where_a_person_is_required(company: Company) -> None:
    company.night(DAY, erase("C1"))
    (decision,) = approve_automatically(company.warehouse, Rules(mode="required"), **WHO)
    assert (decision.decision, [each.code for each in decision.concerns]) == ("waits", ["approval_required"])
    assert states(company.warehouse, decision.manifest_id) == {"issued"}


def test_a_small_manifest_goes_by_itself_where_that_is_allowed(company: Company) -> None:
    company.night(DAY, erase("C1"))
    (decision,) = approve_automatically(company.warehouse, Rules(), **WHO)
    assert (decision.decision, decision.by_whom, decision.concerns) == ("approved", "gallring", ())
    assert states(company.warehouse, decision.manifest_id) == {"approved"}
    assert approve_automatically(company.warehouse, Rules(), **WHO) == []


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        (Rules(items=2), None),
        (Rules(items=1), "many_items"),
        (Rules(share=0.2), None),
        (Rules(share=0.19), "large_share"),
        (Rules(erase_share=0.2), None),
        (Rules(erase_share=0.19), "erases_much"),
    ],
)
def test_each_limit_holds_to_the_item(company: Company, rules: Rules, code: str | None) -> None:
    company.night(DAY, erase("C1", "C2"))
    assert codes(company, rules, sealed(company.warehouse)[0]) == ([code] if code else [])


def test_a_manifest_much_larger_than_the_recent_ones_waits(company: Company) -> None:
    for night in range(3):
        company.night(DAY + timedelta(days=night), erase(*(f"C{number}" for number in range(night + 1))))
    everything = erase(*(f"C{number}" for number in range(10)))
    company.night(DAY + timedelta(days=3), everything)
    manifest_id = sealed(company.warehouse)[-1]
    assert codes(company, Rules(times_median=7), manifest_id) == []
    found = concerns(company.warehouse, Rules(times_median=6), manifest_id)
    assert [(each.code, each.is_anomaly) for each in found] == [("larger_than_usual", True)]
    assert "7 items" in found[0].text


def test_the_preview_counts_compares_and_shows_ten_without_their_keys(company: Company) -> None:
    company.night(DAY, erase("C0"))
    company.night(DAY + timedelta(days=1), erase(*(f"C{number}" for number in range(10)))
                  | {("customer", "C9"): {**full("customer", "retain"), "email": "restrict"}})  # fmt: skip
    latest = sealed(company.warehouse)[-1]
    shown = preview(company.warehouse, Rules(mode="required"), latest)
    assert [(each.record_type, each.purpose, each.action, each.items) for each in shown.counts] == [
        ("customer", "selling", "erase", 8), ("customer", "selling", "restrict", 1),
    ]  # fmt: skip
    assert [(each.action, each.items, each.items_before) for each in shown.changes] == [
        ("erase", 8, 1), ("restrict", 1, 0),
    ]  # fmt: skip
    assert len(shown.examples) == 9
    assert all(example.because for example in shown.examples)
    assert not any(f"C{number}" in str(shown.examples) for number in range(10))
    assert shown == preview(company.warehouse, Rules(mode="required"), latest)


def test_a_cancelled_manifest_is_proposed_anew(company: Company) -> None:
    first = company.night(DAY, erase("C1", "C2"))
    (manifest_id,) = sealed(company.warehouse)
    cancel(company.warehouse, manifest_id, by="A. Prover", reason="wrong week", **WHO)
    assert states(company.warehouse, manifest_id) == {"cancelled"}
    assert company.warehouse.value("select count(*) from manifest.sealed_fields") == 0
    assert company.night(DAY + timedelta(days=1), erase("C1", "C2")) == first


def test_a_cancelled_manifest_goes_back_to_what_was_told_before(company: Company) -> None:
    restricted = {("customer", "C1"): full("customer", "restrict")}
    company.night(DAY, restricted)
    company.night(DAY + timedelta(days=1), erase("C1"))
    second = sealed(company.warehouse)[-1]
    cancel(company.warehouse, second, by="A. Prover", reason="x", **WHO)
    assert company.warehouse.rows("select distinct state from manifest.sealed_fields") == [("restrict",)]
    assert company.propose(DAY + timedelta(days=2), restricted) == set()


def test_cancelling_two_goes_back_past_both_whatever_the_order(company: Company) -> None:
    company.night(DAY, {("customer", "C1"): full("customer", "restrict")})
    company.night(DAY + timedelta(days=1), erase("C1"))
    first, second = sealed(company.warehouse)
    cancel(company.warehouse, first, by="A. Prover", reason="x", **WHO)
    assert company.warehouse.rows("select distinct state from manifest.sealed_fields") == [("erase",)]
    cancel(company.warehouse, second, by="A. Prover", reason="x", **WHO)
    assert company.warehouse.rows("select * from manifest.sealed_fields") == []


def test_what_was_delivered_is_not_cancelled(company: Company) -> None:
    company.night(DAY, erase("C1"))
    (manifest_id,) = sealed(company.warehouse)
    record(company.warehouse, [Event(manifest_id, "approved", DAY, "approve"),
                               Event(manifest_id, "delivered", DAY, "deliver", at=NOW)])  # fmt: skip
    with pytest.raises(CheckFailed, match="it is delivered"):
        cancel(company.warehouse, manifest_id, by="A. Prover", reason="x", **WHO)
    assert states(company.warehouse, manifest_id) == {"delivered"}


def test_a_cancelled_notice_is_given_anew(company: Company) -> None:
    company.add("delivery", "D1", partner_id="P1", delivered_at=date(2024, 1, 1))
    first = company.night(DAY, {})
    assert {item[0] for item in first} == {"partner:P1"}
    cancel(company.warehouse, sealed(company.warehouse)[0], by="A. Prover", reason="x", **WHO)
    assert company.propose(DAY + timedelta(days=1), {}) == first


def test_an_order_that_went_by_a_row_before_one_that_was_set_aside_waits(tmp_path: Path) -> None:
    """T1 became a customer again, and its day of birth cannot be read: by the row before, everything has ended."""
    crm = System("crm")
    row = {"customer_type": "private", "customer_since": "2020-01-01", "relation_ended_at": "2022-01-01"}
    crm.add("customers", "T1", name=name_of("T1"), **row)
    crm.add("customers", "T2", name=name_of("T2"), **row)
    nights = Nights(tmp_path, crm)
    for source in nights.systems:
        nights.export(source, DAY)
    crm.tables["customers"]["T1"] |= {"relation_ended_at": "", "birth_date": "okänd"}
    nights.export("crm", DAY, hour=3)
    nights.take_in(DAY)

    def found() -> list[tuple[str, str]]:
        rebuild(nights.warehouse, POLICY)
        evaluate_night(nights.warehouse, POLICY, DAY)
        propose(nights.warehouse, POLICY, DAY)
        report = seal(nights.warehouse, POLICY, None, None, as_of=DAY, issued_at=None)
        return [(concern.code, concern.text) for each in report.sealed
                for concern in concerns(nights.warehouse, Rules(), each.manifest_id)]  # fmt: skip

    ((code, text),) = found()
    assert code == "newer_rows_unread"
    assert text.startswith("of 1 records")
    assert "T1" not in text
    nights.warehouse.run("delete from intake.quarantined")
    assert all(concerns(nights.warehouse, Rules(), each) == [] for each in sealed(nights.warehouse))
    nights.warehouse.close()


def test_a_notice_to_a_partner_waits_while_the_order_that_it_follows_from_does(company: Company) -> None:
    """Too many customers are to go, so that a person looks first; the partner is told of one of them."""
    company.warehouse.run(
        "insert into raw.office_disclosures (row_id, partner_id, record_type, record_key, fields, disclosed_at) "
        "values (1, 'P1', 'customer', 'C0', 'email', date '2024-01-01')"
    )
    company.night(DAY, erase("C0", "C1"))
    rules = Rules(share=0.1)
    order, notice = approve_automatically(company.warehouse, rules, **WHO)
    assert [(each.system, each.decision, [found.code for found in each.concerns]) for each in (order, notice)] == [
        ("crm", "waits", ["large_share"]), ("partner:P1", "waits", ["orders_wait"]),
    ]  # fmt: skip
    assert codes(company, rules, notice.manifest_id) == ["orders_wait"]
    assert notice.concerns[0].text.startswith("of 1 records")
    assert codes(company, rules, order.manifest_id) == ["large_share"]
    approve(company.warehouse, order.manifest_id, by="A. Prover", reason="looked at it", **WHO)
    (decision,) = approve_automatically(company.warehouse, rules, **WHO)
    assert (decision.manifest_id, decision.decision, decision.by_whom) == (notice.manifest_id, "approved", "gallring")


def test_a_notice_of_what_nothing_is_ordered_about_waits_for_nobody(company: Company) -> None:
    company.warehouse.run(
        "insert into raw.office_disclosures (row_id, partner_id, record_type, record_key, fields, disclosed_at) "
        "values (1, 'P1', 'customer', 'C0', 'email', date '2024-01-01')"
    )
    company.night(DAY, erase("C0"))
    (order, notice) = (each.manifest_id for each in approve_automatically(company.warehouse, Rules(share=0), **WHO))
    company.warehouse.run("update manifest.items set record_key = 'C9' where manifest_id = ?", [order])
    found = {
        each.manifest_id: each.decision for each in approve_automatically(company.warehouse, Rules(share=0), **WHO)
    }
    assert found == {order: "waits", notice: "approved"}


def test_every_order_waits_while_a_hold_is_set_aside(tmp_path: Path) -> None:
    """Nobody knows what it keeps: its day cannot be read. It counts though its text is kept no more."""
    crm = System("crm")
    crm.add("customers", "T1", customer_type="private", name=name_of("T1"), customer_since="2020-01-01",
            relation_ended_at="2022-01-01")  # fmt: skip
    nights = Nights(tmp_path, crm)
    nights.systems["office"].add("holds", "H1", record_type="customer", record_key="T1", placed_at="i går")
    for source in nights.systems:
        nights.export(source, DAY)
    nights.take_in(DAY)
    rebuild(nights.warehouse, POLICY)
    evaluate_night(nights.warehouse, POLICY, DAY)
    propose(nights.warehouse, POLICY, DAY)
    (report,) = seal(nights.warehouse, POLICY, None, None, as_of=DAY, issued_at=None).sealed
    nights.warehouse.run("delete from intake.quarantined")
    (decision,) = approve_automatically(nights.warehouse, Rules(), **WHO)
    assert (decision.decision, [each.code for each in decision.concerns]) == ("waits", ["office_rows_unread"])
    nights.warehouse.run("update manifest.items set action = 'restrict'")
    assert concerns(nights.warehouse, Rules(), report.manifest_id) == [], "what keeps is told whatever is not read"
    nights.warehouse.run("update manifest.items set action = 'erase'")
    nights.systems["office"].tables["holds"].clear()
    nights.export("office", DAY, hour=4)
    nights.take_in(DAY)
    assert concerns(nights.warehouse, Rules(), report.manifest_id) == []
    nights.warehouse.close()


@pytest.mark.parametrize(
    ("request_", "waits"),
    [
        ({"kind": "restriction"}, True),
        ({"kind": "", "received_at": "2025-01-30"}, True),
        ({"kind": "rectification", "identity_verified_at": "2025-01-30"}, True),
        ({"kind": "rectification"}, False),
        ({"kind": "objection"}, False),
        ({"kind": "restriction", "received_at": "2025-01-30"}, False),
        ({"kind": "restriction", "answered_at": "2025-01-30"}, False),
        ({"kind": "restriction", "answered_at": "2062-01-30"}, True),
        ({"kind": "", "received_at": "2025-01-30", "answered_at": "2024-01-30"}, True),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, dict) else None,
)
def test_every_order_waits_while_a_request_may_restrict_and_has_no_effect(
    tmp_path: Path, request_: dict[str, str], waits: bool
) -> None:
    """T1 is to be erased. Somebody else has asked for something, and the office left out when, or what."""
    crm = System("crm")
    for key in ("T1", "T2"):
        crm.add("customers", key, customer_type="private", name=name_of(key), customer_since="2020-01-01",
                relation_ended_at="2022-01-01")  # fmt: skip
    nights = Nights(tmp_path, crm)
    nights.systems["office"].add("requests", "R1", customer_id="T2", **request_)
    for source in nights.systems:
        nights.export(source, DAY)
    nights.take_in(DAY)
    nights.decide(DAY)
    decisions = approve_automatically(nights.warehouse, Rules(), **WHO)
    codes = {concern.code for each in decisions for concern in each.concerns}
    assert codes == ({"requests_unclear"} if waits else set())
    assert [each.decision for each in decisions] == ["waits" if waits else "approved"] * len(decisions) != []
    if waits:  # also once the office's export lists it no more: it is in the register still
        nights.systems["office"].tables["requests"].clear()
        nights.export("office", DAY, hour=4)
        nights.take_in(DAY)
        assert [each.decision for each in approve_automatically(nights.warehouse, Rules(), **WHO)] == ["waits"]
    nights.warehouse.close()
