"""The re-check at the door: what no longer stands does not leave, the rest does, and what has left is chased."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assets.delivery import rechecking
from assets.delivery.approving import approve, approve_automatically, cancel
from assets.delivery.assets import Door, deliver_checked
from assets.delivery.rechecking import Fallen, at_the_door, recall, recheck
from assets.delivery.reminding import fall_due, remind
from assets.errors import CheckFailed, NeedsPerson
from assets.ledger import issued
from assets.ledger.states import Event, record
from assets.manifests import sealing
from assets.manifests.verifying import verify
from assets.warehouse import Warehouse
from tests.delivery.sealed import Counting, Ways
from tests.delivery.test_approving import Rules, erase, sealed, states
from tests.manifests.company import DAY, POLICY, Company, Office, full

NOW = datetime(2025, 2, 2, 8, 0, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
RETAINED = full("customer", "retain")


@pytest.fixture
def company() -> Company:
    company = Company()
    for number in range(4):
        company.add("customer", f"C{number}")
    company.add("web_event", "W1")
    return company


def deliver(company: Company, manifest_id: str) -> None:
    record(company.warehouse, [Event(manifest_id, "approved", DAY, "approve"),
                               Event(manifest_id, "delivered", DAY, "deliver", at=NOW)])  # fmt: skip


def told(company: Company, manifest_id: str) -> list[tuple[str, str]]:
    return company.warehouse.rows(
        "select record_key, action from manifest.items where manifest_id = $id order by all", {"id": manifest_id}
    )


def test_what_stands_stands(company: Company) -> None:
    company.night(DAY, erase("C0", "C1"))
    company.evaluate(NEXT, erase("C0", "C1"))
    assert recheck(company.warehouse, POLICY, None, NEXT).fallen == ()
    assert recall(company.warehouse, POLICY, NEXT, at=NOW).manifests == ()
    assert states(company.warehouse, sealed(company.warehouse)[0]) == {"issued"}


@pytest.mark.parametrize("now", ["restrict", "retain", "review"])
def test_an_erasure_that_is_kept_today_falls(company: Company, now: str) -> None:
    company.night(DAY, erase("C0", "C1"))
    company.evaluate(NEXT, erase("C0") | {("customer", "C1"): {**full("customer", "erase"), "email": now}})
    (manifest_id,) = sealed(company.warehouse)
    assert recheck(company.warehouse, POLICY, manifest_id, NEXT).fallen == (
        Fallen(manifest_id, "crm", f"now_{now}", 1),
    )
    assert states(company.warehouse, manifest_id) == {"issued"}, "looking changes nothing"


def test_a_redaction_falls_by_its_own_fields_alone(company: Company) -> None:
    company.night(DAY, {("customer", "C0"): {**RETAINED, "email": "erase"}})
    company.evaluate(NEXT, {("customer", "C0"): {**RETAINED, "email": "erase", "phone": "restrict"}})
    assert recheck(company.warehouse, POLICY, None, NEXT).fallen == ()
    company.evaluate(NEXT, {("customer", "C0"): {**RETAINED, "email": "restrict"}})
    assert [each.reason for each in recheck(company.warehouse, POLICY, None, NEXT).fallen] == ["now_restrict"]


def test_a_restriction_falls_when_the_use_is_back_and_a_lift_when_it_is_not(company: Company) -> None:
    company.night(DAY, {("customer", "C0"): full("customer", "restrict")})
    company.evaluate(NEXT, erase("C0"))
    assert recheck(company.warehouse, POLICY, None, NEXT).fallen == ()
    company.evaluate(NEXT, {})
    assert [each.reason for each in recheck(company.warehouse, POLICY, None, NEXT).fallen] == ["now_retain"]
    deliver(company, sealed(company.warehouse)[0])
    company.night(NEXT, {})
    company.evaluate(NEXT, {("customer", "C0"): full("customer", "restrict")})
    assert [each.reason for each in recheck(company.warehouse, POLICY, None, NEXT).fallen] == ["now_restrict"]


def test_a_restricted_persons_record_falls_though_its_disposition_lags(company: Company) -> None:
    company.night(DAY, erase("C0"))
    company.evaluate(NEXT, erase("C0"))
    company.warehouse.run("insert into triggers.restricted_records values ('customer', 1)")
    assert [each.reason for each in recheck(company.warehouse, POLICY, None, NEXT).fallen] == ["person_restricted"]


@pytest.mark.parametrize("by_ranges", [False, True], ids=["", "by ranges"])
@pytest.mark.parametrize("few", [-1, 100_000], ids=["many wait", "few wait"])
def test_an_order_about_a_column_that_left_its_contract_falls(
    company: Company, monkeypatch: pytest.MonkeyPatch, few: int, by_ranges: bool
) -> None:
    """Nobody decides about it any more: no hold would show in a disposition. What is left is ordered anew."""
    monkeypatch.setattr(rechecking, "_FEW", few)
    if by_ranges:
        monkeypatch.setattr(rechecking, "at_once", lambda *_: 2)
    warehouse = company.warehouse
    outcomes = {
        ("customer", "C0"): {**RETAINED, "phone": "erase"},
        ("customer", "C1"): {**RETAINED, "phone": "erase", "email": "erase"},
        ("customer", "C2"): {**RETAINED, "email": "erase"},
        ("customer", "C3"): full("customer", "restrict"),
    }
    company.night(DAY, outcomes)
    (manifest_id,) = sealed(warehouse)
    warehouse.run("delete from policy.fields where field = 'phone'")
    after = {key: {name: what for name, what in each.items() if name != "phone"} for key, each in outcomes.items()}
    company.evaluate(NEXT, after)
    assert recheck(warehouse, POLICY, None, NEXT).fallen == (Fallen(manifest_id, "crm", "now_undeclared", 2),)
    recall(warehouse, POLICY, NEXT, at=NOW)
    ordered = {(key, fields) for _, _, key, action, fields in company.propose(NEXT, after) if action == "redact"}
    assert ordered == {("C1", ("email",)), ("C2", ("email",))}


def test_what_has_left_about_a_column_that_left_its_contract_stands_and_so_does_its_lift(company: Company) -> None:
    """A lift keeps: it leaves, for the order that it takes back has left too."""
    company.night(DAY, {("customer", "C0"): {**RETAINED, "phone": "erase"}})
    deliver(company, sealed(company.warehouse)[0])
    company.night(NEXT, {})
    company.warehouse.run("delete from policy.fields where field = 'phone'")
    company.evaluate(NEXT, {})
    assert recheck(company.warehouse, POLICY, None, NEXT).fallen == ()


@pytest.mark.parametrize("by_ranges", [False, True], ids=["", "by ranges"])
@pytest.mark.parametrize("few", [-1, 100_000], ids=["many wait", "few wait"])
def test_what_was_approved_after_its_day_to_answer_falls(
    company: Company, monkeypatch: pytest.MonkeyPatch, few: int, by_ranges: bool
) -> None:
    """Its system would have it with a last day that has passed, and be reminded of it the same night."""
    monkeypatch.setattr(rechecking, "_FEW", few)
    if by_ranges:
        monkeypatch.setattr(rechecking, "at_once", lambda *_: 2)
    company.night(DAY, erase("C0", "C1", "C2"))
    (manifest_id,) = sealed(company.warehouse)
    last = DAY + timedelta(days=sealing.RESPOND_WITHIN_DAYS)
    late = last + timedelta(days=1)
    company.evaluate(late, erase("C0", "C1", "C2"))
    assert recheck(company.warehouse, POLICY, None, late).fallen == (), "nobody approves it: it waits"
    approve(company.warehouse, manifest_id, by="A. Prover", reason="x", on_day=late, at=NOW)
    assert recheck(company.warehouse, POLICY, None, late).fallen == (
        Fallen(manifest_id, "crm", "respond_by_passed", 3),
    )
    company.evaluate(last, erase("C0", "C1", "C2"))
    assert recheck(company.warehouse, POLICY, None, last).fallen == ()


def test_what_was_approved_too_late_leaves_sealed_anew_with_a_day_to_come(company: Company, tmp_path: Path) -> None:
    office, crm = Office(tmp_path / "site"), Counting()
    company.night(DAY, erase("C0", "C1"), office)
    (old,) = sealed(company.warehouse)
    late = DAY + timedelta(days=sealing.RESPOND_WITHIN_DAYS + 1)
    approve(company.warehouse, old, by="A. Prover", reason="x", on_day=late, at=NOW)
    company.evaluate(late, erase("C0", "C1"))
    door = Door(Rules(mode="required"), lambda: office.signer, lambda _: 30, None)
    deliver_checked(company.warehouse, POLICY, office.site, Ways(crm=crm), door, as_of=late, clock=lambda: NOW)
    new = sealed(company.warehouse)[1]
    assert (crm.told_cancelled, crm.got) == ([old], [new])
    assert told(company, new) == [("C0", "erase"), ("C1", "erase")]
    assert states(company.warehouse, new) == {"delivered"}
    assert remind(company.warehouse, late) == []
    assert states(company.warehouse, new) == {"delivered"}, "nothing of it is late"


def test_another_day_says_nothing_about_this_one(company: Company) -> None:
    company.night(DAY, erase("C0"))
    with pytest.raises(CheckFailed, match="Nothing was sealed or delivered"):
        recheck(company.warehouse, POLICY, None, NEXT)


def test_the_rest_is_sealed_anew_and_stays_approved(company: Company, tmp_path: Path) -> None:
    office = Office(tmp_path / "site")
    company.night(DAY, erase("C0", "C1", "C2"), office)
    (old,) = sealed(company.warehouse)
    approve(company.warehouse, old, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.evaluate(NEXT, erase("C0", "C2") | {("customer", "C1"): full("customer", "restrict")})
    found = at_the_door(company.warehouse, POLICY, office.site, office.signer, as_of=NEXT, issued_at=NOW)
    assert found.resealed is not None
    assert not found.resealed.refusals
    assert states(company.warehouse, old) == {"cancelled"}
    new = sealed(company.warehouse)[1]
    assert told(company, new) == [("C0", "erase"), ("C1", "restrict"), ("C2", "erase")]
    assert verify(office.site.outbox / "crm" / new, office.public).ok
    (decision,) = approve_automatically(company.warehouse, Rules(mode="required"), on_day=NEXT, at=NOW)
    assert decision.decision == "waits", "the restriction is news that nobody approved"


def test_a_mere_remainder_stays_approved_by_the_same_person(company: Company, tmp_path: Path) -> None:
    office = Office(tmp_path / "site")
    company.night(DAY, erase("C0", "C1", "C2"), office)
    (old,) = sealed(company.warehouse)
    approve(company.warehouse, old, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.evaluate(NEXT, erase("C0", "C2"))
    at_the_door(company.warehouse, POLICY, office.site, office.signer, as_of=NEXT, issued_at=NOW)
    (decision,) = approve_automatically(company.warehouse, Rules(mode="required"), on_day=NEXT, at=NOW)
    assert (decision.decision, decision.by_whom) == ("approved", "A. Prover")
    assert told(company, decision.manifest_id) == [("C0", "erase"), ("C2", "erase")]


def test_who_launched_the_run_approves_nothing_that_it_seals_at_the_door(company: Company, tmp_path: Path) -> None:
    office = Office(tmp_path / "site")
    company.night(DAY, erase("C0", "C1", "C2"), office)
    approve(company.warehouse, sealed(company.warehouse)[0], by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.evaluate(NEXT, erase("C0", "C2") | {("customer", "C1"): full("customer", "restrict")})
    door = Door(Rules(mode="required"), lambda: office.signer, lambda _: 30, "L. Auncher")
    deliver_checked(company.warehouse, POLICY, office.site, Ways(crm=Counting()), door, as_of=NEXT, clock=lambda: NOW)
    new = sealed(company.warehouse)[1]
    with pytest.raises(NeedsPerson, match="four eyes"):
        approve(company.warehouse, new, by="L. Auncher", reason="x", on_day=NEXT, at=NOW)
    assert states(company.warehouse, new) == {"issued"}


def test_an_approval_does_not_go_over_where_a_hold_was_set_aside_since(company: Company, tmp_path: Path) -> None:
    office, run = Office(tmp_path / "site"), company.warehouse.run
    company.night(DAY, erase("C0", "C1", "C2"), office)
    approve(company.warehouse, sealed(company.warehouse)[0], by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.evaluate(NEXT, erase("C0", "C2"))
    at_the_door(company.warehouse, POLICY, office.site, office.signer, as_of=NEXT, issued_at=NOW)
    run("alter table intake.files add column rows_quarantined bigint")
    run("create table intake.quarantined (source varchar, table_name varchar, delivery_id varchar, record_key varchar)")
    run("insert into intake.deliveries by name select 99 as sequence, 'office' as source, 'D99' as delivery_id, "
        "'loaded' as status, 'full' as mode")  # fmt: skip
    run("insert into intake.files values ('office', 'D99', 'holds', 'loaded', 1)")
    (decision,) = approve_automatically(company.warehouse, Rules(), on_day=NEXT, at=NOW)
    assert (decision.decision, [each.code for each in decision.concerns]) == ("waits", ["office_rows_unread"])


@pytest.mark.parametrize("between", [(), ("C3",)])
def test_an_approval_outlives_neither_its_recall_nor_another_manifest(
    company: Company, tmp_path: Path, between: tuple[str, ...]
) -> None:
    """The same items, proposed again later by chance, are for a person to look at."""
    office = Office(tmp_path / "site")
    company.night(DAY, erase("C0", "C1"), office)
    (old,) = sealed(company.warehouse)
    approve(company.warehouse, old, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.evaluate(NEXT, erase(*between))
    at_the_door(company.warehouse, POLICY, office.site, office.signer, as_of=NEXT, issued_at=NOW)
    later = NEXT if between else NEXT + timedelta(days=1)
    company.night(later, erase("C0", "C1", *between), office)
    new = sealed(company.warehouse)[-1]
    assert told(company, new) == [("C0", "erase"), ("C1", "erase")]
    decisions = {
        each.manifest_id: each.decision
        for each in approve_automatically(company.warehouse, Rules(mode="required"), on_day=later, at=NOW)
    }
    assert decisions[new] == "waits"


def test_nothing_is_sealed_at_the_door_when_nothing_fell(company: Company, tmp_path: Path) -> None:
    office = Office(tmp_path / "site")
    company.night(DAY, erase("C0"), office)
    company.evaluate(NEXT, erase("C0", "C1"))
    assert (
        at_the_door(company.warehouse, POLICY, office.site, office.signer, as_of=NEXT, issued_at=NOW).resealed is None
    )
    assert len(sealed(company.warehouse)) == 1


def test_what_was_delivered_is_chased_and_then_closed(company: Company) -> None:
    company.night(DAY, erase("C0", "C1"))
    (first,) = sealed(company.warehouse)
    deliver(company, first)
    item = company.warehouse.value("select item_id from manifest.items where record_key = 'C0'")
    record(company.warehouse, [Event(first, "queued", DAY, "receipt", item_id=item)])
    kept = erase("C1") | {("customer", "C0"): full("customer", "restrict")}
    news = company.night(NEXT, kept)
    assert {(key, action) for _, _, key, action, _ in news} == {("C0", "restrict")}
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    assert states(company.warehouse, first) == {"queued", "delivered"}, "the chasing notice has not left yet"
    second = sealed(company.warehouse)[1]
    deliver(company, second)
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    assert states(company.warehouse, first) == {"queued", "delivered"}, "the system has not said that it heard of it"
    record(company.warehouse, [Event(second, "done", NEXT, "receipt")])
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    found = company.warehouse.rows("select record_key, state, reason from manifest.item_states "
                                   "where manifest_id = $id order by all", {"id": first})  # fmt: skip
    assert found == [("C0", "cancelled", "superseded"), ("C1", "delivered", None)]
    assert states(company.warehouse, second) == {"done"}


def test_what_may_have_arrived_is_lifted_where_it_is_to_be_kept(company: Company) -> None:
    """A delivery was cut off after the manifest was put, and before that was recorded."""
    company.night(DAY, erase("C0", "C1"))
    (first,) = sealed(company.warehouse)
    approve(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": first})
    kept = erase("C1") | {("customer", "C0"): {**full("customer", "erase"), "email": "retain", "phone": "restrict"}}
    company.evaluate(NEXT, kept)
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    assert states(company.warehouse, first) == {"cancelled"}
    assert {(key, action, tuple(fields)) for _, _, key, action, fields in company.night(NEXT, kept)} == {
        ("C0", "lift", ("email",)), ("C0", "restrict", ("phone",)), ("C0", "redact", ("name", "street", "city")),
        ("C1", "erase", ()),
    }  # fmt: skip


def test_a_person_cancels_what_may_have_arrived(company: Company) -> None:
    """What is to be kept the next day is lifted, what still is to go is ordered anew: the system may have the order."""
    company.night(DAY, erase("C0", "C1", "C2"))
    (first,) = sealed(company.warehouse)
    approve(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": first})
    cancel(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    assert states(company.warehouse, first) == {"cancelled"}
    company.evaluate(NEXT, erase("C1"))
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    said = {(key, action) for _, _, key, action, _ in company.night(NEXT, erase("C1"))}
    assert said == {("C0", "lift"), ("C1", "erase"), ("C2", "lift")}
    later = NEXT + timedelta(days=1)
    company.evaluate(later, erase("C1"))
    recall(company.warehouse, POLICY, later, at=NOW)
    assert company.night(later, erase("C1")) == set()


def cut_off_and_cancelled(company: Company) -> None:
    """An order about C0 that a person cancelled after its delivery was cut off: its system may have it."""
    company.night(DAY, erase("C0"))
    (first,) = sealed(company.warehouse)
    approve(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": first})
    cancel(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)


def test_a_cancelled_lift_of_what_may_have_arrived_is_told_again(company: Company) -> None:
    cut_off_and_cancelled(company)
    for day in (NEXT, NEXT + timedelta(days=1)):
        company.evaluate(day, {})
        recall(company.warehouse, POLICY, day, at=NOW)
        assert {(key, action) for _, _, key, action, _ in company.night(day, {})} == {("C0", "lift")}
        cancel(company.warehouse, sealed(company.warehouse)[-1], by="A. Prover", reason="x", on_day=day, at=NOW)


def test_what_may_have_arrived_is_lifted_on_a_later_day_too(company: Company) -> None:
    """In doubt on the day after, nothing is told; the order is remembered all the same."""
    cut_off_and_cancelled(company)
    for day, decided, said in ((NEXT, "review", set()), (NEXT + timedelta(days=1), "retain", {("C0", "lift")})):
        company.evaluate(day, {("customer", "C0"): full("customer", decided)})
        recall(company.warehouse, POLICY, day, at=NOW)
        news = company.night(day, {("customer", "C0"): full("customer", decided)})
        assert {(key, action) for _, _, key, action, _ in news} == said


def test_what_may_have_arrived_is_remembered_where_its_order_anew_is_taken_back(company: Company) -> None:
    cut_off_and_cancelled(company)
    company.evaluate(NEXT, erase("C0"))
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    assert {action for _, _, _, action, _ in company.night(NEXT, erase("C0"))} == {"erase"}
    cancel(company.warehouse, sealed(company.warehouse)[-1], by="A. Prover", reason="x", on_day=NEXT, at=NOW)
    later = NEXT + timedelta(days=1)
    company.evaluate(later, {})
    recall(company.warehouse, POLICY, later, at=NOW)
    assert {action for _, _, _, action, _ in company.night(later, {})} == {"lift"}, "the first one may be carried out"


def test_what_fell_and_may_have_arrived_is_remembered_of_the_whole_manifest(company: Company) -> None:
    """C1 still stood when C0 fell; nothing was sealed of it anew before it was to be kept too."""
    company.night(DAY, erase("C0", "C1"))
    (first,) = sealed(company.warehouse)
    approve(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": first})
    company.evaluate(NEXT, erase("C1"))
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    later = NEXT + timedelta(days=1)
    company.evaluate(later, {})
    recall(company.warehouse, POLICY, later, at=NOW)
    news = company.night(later, {})
    assert {(key, action) for _, _, key, action, _ in news} == {("C0", "lift"), ("C1", "lift")}


def restricted(*keys: str) -> dict[tuple[str, str], dict[str, str]]:
    return {("customer", key): full("customer", "restrict") for key in keys}


def restriction_cut_off_and_cancelled(company: Company) -> None:
    """A restriction of C0 that a person cancelled after its delivery was cut off: its system may have it."""
    company.night(DAY, restricted("C0"))
    (first,) = sealed(company.warehouse)
    approve(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": first})
    cancel(company.warehouse, first, by="A. Prover", reason="x", on_day=DAY, at=NOW)


def nights(company: Company, *decided: str, first: int = 1) -> list[set[str]]:
    """What is told of C0 in a night each, as it is decided of then; from the night `first` on."""
    found = []
    for number, each in enumerate(decided, first):
        day = DAY + timedelta(days=number)
        company.evaluate(day, {("customer", "C0"): full("customer", each)})
        recall(company.warehouse, POLICY, day, at=NOW)
        news = company.night(day, {("customer", "C0"): full("customer", each)})
        found.append({action for _, _, key, action, _ in news if key == "C0"})
    return found


def test_a_restriction_that_may_have_arrived_is_lifted_where_the_use_is_back(company: Company) -> None:
    restriction_cut_off_and_cancelled(company)
    assert nights(company, "retain", "retain") == [{"lift"}, set()]


def test_a_restriction_that_fell_and_may_have_arrived_is_lifted_the_same_night(company: Company) -> None:
    company.night(DAY, restricted("C0"))
    (first,) = sealed(company.warehouse)
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": first})
    assert nights(company, "retain", "retain") == [{"lift"}, set()]
    assert states(company.warehouse, first) == {"cancelled"}


def test_a_restriction_that_may_have_arrived_is_remembered_for_good(company: Company) -> None:
    """In doubt on the day after, nothing is told; the restriction is remembered all the same."""
    restriction_cut_off_and_cancelled(company)
    assert nights(company, "review", "retain") == [set(), {"lift"}]


def test_a_restriction_that_may_have_arrived_is_given_anew_where_it_still_stands(company: Company) -> None:
    restriction_cut_off_and_cancelled(company)
    assert nights(company, "restrict", "restrict", "retain") == [{"restrict"}, set(), {"lift"}]


def test_a_restriction_that_may_have_arrived_keeps_no_erasure_back(company: Company) -> None:
    restriction_cut_off_and_cancelled(company)
    assert nights(company, "erase", "erase") == [{"erase"}, set()]


def test_a_restriction_that_may_have_arrived_is_remembered_where_it_is_taken_back_anew(company: Company) -> None:
    restriction_cut_off_and_cancelled(company)
    assert nights(company, "restrict") == [{"restrict"}]
    cancel(company.warehouse, sealed(company.warehouse)[-1], by="A. Prover", reason="x", on_day=NEXT, at=NOW)
    assert nights(company, "review", "retain", first=2) == [set(), {"lift"}], "the first one may be gone by"


def test_an_order_that_was_restricted_and_may_not_be_is_given_anew(company: Company) -> None:
    """The system may have let go of the order by a restriction that was cut off, and may have it still."""
    company.night(DAY, erase("C0"))
    deliver(company, sealed(company.warehouse)[0])
    company.night(NEXT, restricted("C0"))
    second = sealed(company.warehouse)[1]
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": second})
    cancel(company.warehouse, second, by="A. Prover", reason="x", on_day=NEXT, at=NOW)
    assert nights(company, "erase", "erase", "retain", "retain", first=2) == [{"erase"}, set(), {"lift"}, set()]


def test_a_restriction_whose_lift_may_have_arrived_is_given_anew(company: Company) -> None:
    """The system may use again what a lift that was taken back had allowed: it is told again to restrict it."""
    company.night(DAY, restricted("C0"))
    deliver(company, sealed(company.warehouse)[0])
    company.night(NEXT, {})
    lift = sealed(company.warehouse)[1]
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": lift})
    cancel(company.warehouse, lift, by="A. Prover", reason="x", on_day=NEXT, at=NOW)
    decided = ("restrict", "restrict", "retain", "retain")
    assert nights(company, *decided, first=2) == [{"restrict"}, set(), {"lift"}, set()]


def test_an_order_whose_lift_may_have_arrived_is_given_anew(company: Company) -> None:
    """Its system may have let go of the order by a lift that was taken back: it is told again what is to go."""
    company.night(DAY, erase("C0", "C1"))
    deliver(company, sealed(company.warehouse)[0])
    company.night(NEXT, erase("C1"))
    lift = sealed(company.warehouse)[1]
    approve(company.warehouse, lift, by="A. Prover", reason="x", on_day=NEXT, at=NOW)
    company.warehouse.run("insert into manifest.sending values ($id)", {"id": lift})
    later = NEXT + timedelta(days=1)
    company.evaluate(later, erase("C0", "C1"))
    recall(company.warehouse, POLICY, later, at=NOW)
    assert states(company.warehouse, lift) == {"cancelled"}
    news = company.night(later, erase("C0", "C1"))
    assert {(key, action) for _, _, key, action, _ in news} == {("C0", "erase")}
    recall(company.warehouse, POLICY, later, at=NOW)
    assert company.night(later, erase("C0", "C1")) == set(), "once"


def test_a_lift_that_is_refused_is_told_anew_for_the_order_stands(company: Company) -> None:
    company.night(DAY, erase("C0"))
    (first,) = sealed(company.warehouse)
    deliver(company, first)
    company.night(NEXT, {})
    second = sealed(company.warehouse)[1]
    deliver(company, second)
    record(company.warehouse, [Event(second, "refused", NEXT, "receipt")])
    later = NEXT + timedelta(days=30)
    company.evaluate(later, {})
    recall(company.warehouse, POLICY, later, at=NOW)
    assert states(company.warehouse, first) == {"delivered"}
    assert fall_due(company.warehouse, later) == 1
    assert {(key, action) for _, _, key, action, _ in company.night(later, {})} == {("C0", "lift")}
    third = sealed(company.warehouse)[2]
    deliver(company, third)
    record(company.warehouse, [Event(third, "done", later, "receipt")])
    recall(company.warehouse, POLICY, later, at=NOW)
    assert states(company.warehouse, first) == {"cancelled"}


def test_an_order_that_was_carried_out_is_not_closed_by_its_recall(company: Company) -> None:
    company.night(DAY, erase("C0"))
    (first,) = sealed(company.warehouse)
    deliver(company, first)
    record(company.warehouse, [Event(first, "done", DAY, "receipt")])
    company.night(NEXT, {})
    deliver(company, sealed(company.warehouse)[1])
    recall(company.warehouse, POLICY, NEXT, at=NOW)
    assert states(company.warehouse, first) == {"done"}


def restricted_and_then_erased(company: Company, outcome: str) -> list[str]:
    """C0's email is to be restricted or redacted, and nobody answers; the record without it is erased, and verified."""
    warehouse = company.warehouse
    company.night(DAY, {("customer", key): {**RETAINED, "email": outcome} for key in ("C0", "C1")})
    deliver(company, sealed(warehouse)[0])
    company.set_field("customer", "C0", "email", None)
    assert {(key, action) for _, _, key, action, _ in company.night(NEXT, erase("C0"))} >= {("C0", "erase")}
    deliver(company, sealed(warehouse)[1])
    company.gone("customer", "C0")
    item = warehouse.value("select item_id from manifest.items where action = 'erase'")
    record(warehouse, [Event(sealed(warehouse)[1], "verified", NEXT, "verify", item_id=item)])
    warehouse.run("insert into manifest.verifications (manifest_id, item_id, outcome) "
                  "select manifest_id, item_id, 'returned' from manifest.items where action = 'erase'")  # fmt: skip
    company.evaluate(NEXT, {})
    recall(warehouse, POLICY, NEXT, at=NOW)
    return sealed(warehouse)


def of_c0(company: Company) -> list[tuple[str, str, str | None]]:
    return company.warehouse.rows(
        "select states.action, state, reason from manifest.item_states as states inner join manifest.manifests "
        "using (manifest_id) where record_key = 'C0' order by manifests.sequence, states.action"
    )


@pytest.mark.parametrize(("outcome", "action"), [("restrict", "restrict"), ("erase", "redact")])
def test_what_was_open_of_a_record_ends_where_its_erasure_is_verified(
    company: Company, outcome: str, action: str
) -> None:
    first, *_ = restricted_and_then_erased(company, outcome)
    assert of_c0(company) == [(action, "cancelled", "superseded"), ("erase", "verified", None)]
    others = "select state from manifest.item_states where manifest_id = $id and record_key = 'C1'"
    assert company.warehouse.rows(others, {"id": first}) == [("delivered",)], "of C1 nothing was erased"


@pytest.mark.parametrize(
    ("outcome", "now", "told_now"),
    [
        ("restrict", "restrict", "restrict"), ("restrict", "retain", "lift"), ("restrict", "erase", "erase"),
        ("erase", "restrict", "restrict"), ("erase", "retain", "lift"), ("erase", "erase", "erase"),
    ],
)  # fmt: skip
def test_what_is_there_again_of_a_record_whose_erasure_was_verified_is_told_anew(
    company: Company, outcome: str, now: str, told_now: str
) -> None:
    """Also of its email, which the verified order did not name; what is told anew stays open until it is answered."""
    restricted_and_then_erased(company, outcome)
    company.warehouse.run("update raw.crm_customers set in_source = true, email = 'test@hem.example', name = 'Test' "
                          "where customer_id = 'C0'")  # fmt: skip
    company.warehouse.run("update core.records set in_source = true where record_key = 'C0'")
    later = NEXT + timedelta(days=1)
    company.evaluate(later, {("customer", "C0"): full("customer", now)})
    recall(company.warehouse, POLICY, later, at=NOW)
    news = company.night(later, {("customer", "C0"): full("customer", now)})
    named = {action: set(fields) for _, _, key, action, fields in news if key == "C0"}
    assert named == {told_now: set() if now == "erase" else {"name", "email"}}
    deliver(company, sealed(company.warehouse)[-1])
    recall(company.warehouse, POLICY, later, at=NOW)
    assert [state for _, state, _ in of_c0(company)] == ["cancelled", "verified", "delivered"]
    assert company.night(later, {("customer", "C0"): full("customer", now)}) == set(), "once"


def test_a_notice_falls_with_the_erasure_it_follows_from(company: Company) -> None:
    warehouse = company.warehouse
    warehouse.run("insert into raw.office_disclosures (row_id, partner_id, record_type, record_key, fields, "
                  "disclosed_at) values (1, 'P1', 'customer', 'C0', 'email', date '2024-01-01')")  # fmt: skip
    company.night(DAY, erase("C0"))
    company.evaluate(NEXT, {("customer", "C0"): full("customer", "restrict")})
    assert {each.system for each in recheck(warehouse, POLICY, None, NEXT).fallen} == {"crm", "partner:P1"}
    recall(warehouse, POLICY, NEXT, at=NOW)
    assert warehouse.value("select count(*) from manifest.notified_fields") == 0
    assert issued.manifests(warehouse)[0].states == {"cancelled": 1}


@pytest.mark.parametrize("few", [-1, 100_000], ids=["many wait", "few wait"])
@pytest.mark.parametrize("fields", ["email", "email;phone"])
def test_a_notice_of_what_was_ordered_long_ago_stands_whatever_keeps_its_category(
    company: Company, monkeypatch: pytest.MonkeyPatch, fields: str, few: int
) -> None:
    """Nobody has the field any more: another purpose of its category keeps nothing of it. A field held is otherwise."""
    monkeypatch.setattr(rechecking, "_FEW", few)
    warehouse = company.warehouse
    company.night(DAY, {("customer", "C0"): {**RETAINED, "email": "erase"}})
    deliver(company, sealed(warehouse)[0])
    record(warehouse, [Event(sealed(warehouse)[0], "done", DAY, "receipt")])
    company.set_field("customer", "C0", "email", None)
    warehouse.run("insert into raw.office_disclosures (row_id, partner_id, record_type, record_key, fields, "
                  "disclosed_at) values (1, 'P1', 'customer', 'C0', ?, date '2024-01-01')", [fields])  # fmt: skip
    gone = {} if fields == "email" else {("customer", "C0"): {**RETAINED, "phone": "erase"}}
    told_now = company.night(NEXT, gone)
    assert ("partner:P1", "customer", "C0", "notify", tuple(fields.split(";"))) in told_now
    day = NEXT + timedelta(days=1)
    company.evaluate(day, gone)
    assert recall(warehouse, POLICY, day, at=NOW).fallen == ()
    assert company.propose(day, gone) == set()
    company.evaluate(day, {})
    fallen = {each.system for each in recheck(warehouse, POLICY, None, day).fallen}
    assert fallen == (set() if fields == "email" else {"crm", "partner:P1"}), "the order about the phone waits still"


@pytest.mark.parametrize("is_held", [False, True])
def test_a_notice_falls_where_what_was_ordered_is_kept_after_all(company: Company, is_held: bool) -> None:
    """The order left alone, and its system has not carried it out; or it has, and nothing is kept."""
    warehouse = company.warehouse
    warehouse.run("insert into raw.office_disclosures (row_id, partner_id, record_type, record_key, fields, "
                  "disclosed_at) values (1, 'P1', 'customer', 'C0', 'email', date '2024-01-01')")  # fmt: skip
    company.night(DAY, {("customer", "C0"): {**RETAINED, "email": "erase"}})
    deliver(company, sealed(warehouse)[0])
    if not is_held:
        company.set_field("customer", "C0", "email", None)
    company.evaluate(NEXT, {("customer", "C0"): {**RETAINED, "email": "restrict"}})
    fallen = [each.system for each in recheck(warehouse, POLICY, None, NEXT).fallen]
    assert fallen == (["partner:P1"] if is_held else [])


@pytest.mark.parametrize(
    ("now", "told_now"),
    [("erase", {"redact", "notify"}), ("restrict", {"restrict"}), ("retain", {"lift"}), ("review", set())],
)
def test_a_partner_is_told_nothing_of_what_came_back_and_is_kept(
    company: Company, now: str, told_now: set[str]
) -> None:
    """Nor of a new copy: what it was given since is in use here too."""
    warehouse = company.warehouse
    company.night(DAY, {("customer", "C0"): {**RETAINED, "email": "erase"}})
    (first,) = sealed(warehouse)
    deliver(company, first)
    record(warehouse, [Event(first, "verified", DAY, "verify")])
    warehouse.run("insert into manifest.verifications (manifest_id, item_id, outcome) "
                  "select manifest_id, item_id, 'returned' from manifest.items")  # fmt: skip
    warehouse.run("insert into raw.office_disclosures (row_id, partner_id, record_type, record_key, fields, "
                  "disclosed_at) values (1, 'P1', 'customer', 'C0', 'email', ?)", [NEXT])  # fmt: skip
    company.evaluate(NEXT, outcome := {("customer", "C0"): {**RETAINED, "email": now}})
    recall(warehouse, POLICY, NEXT, at=NOW)
    assert {action for _, _, _, action, _ in company.propose(NEXT, outcome)} == told_now


@pytest.mark.parametrize("by_ranges", [False, True], ids=["", "by ranges"])
@pytest.mark.parametrize("few", [-1, 100_000], ids=["many wait", "few wait"])
def test_one_pass_over_all_finds_what_a_look_at_each_item_finds(
    company: Company, monkeypatch: pytest.MonkeyPatch, few: int, by_ranges: bool
) -> None:
    """Random dispositions on the next day, for every kind of action, against a plain look at item after item."""
    monkeypatch.setattr(rechecking, "_FEW", few)
    if by_ranges:
        monkeypatch.setattr(rechecking, "at_once", lambda *_: 2)
    chance = random.Random(5)
    warehouse = company.warehouse
    warehouse.run("insert into raw.office_disclosures (row_id, partner_id, record_type, record_key, fields, "
                  "disclosed_at) values (1, 'P1', 'customer', 'C0', 'email', date '2024-01-01')")  # fmt: skip
    company.night(DAY, erase("C0") | {("customer", "C1"): {**RETAINED, "email": "erase"},
                                      ("customer", "C2"): full("customer", "restrict"),
                                      ("web_event", "W1"): full("web_event", "restrict")})  # fmt: skip
    for manifest_id in sealed(warehouse):
        deliver(company, manifest_id)
    company.night(NEXT, erase("C0", "C1", "C3"))
    warehouse.run("update manifest.events set state = 'approved' where state = 'delivered'")
    assert {action for (action,) in warehouse.rows("select action from manifest.items")} >= {
        "erase", "redact", "restrict", "lift", "notify",
    }  # fmt: skip
    found_any = 0
    for number in range(12):
        day = NEXT + timedelta(days=number)
        words = ["erase", "retain", "restrict", "review"][: chance.randrange(1, 5)]
        company.evaluate(day, {
            (record_type, key): {category: chance.choice(words) for category in full(record_type, "erase")}
            for record_type, key in [("customer", f"C{n}") for n in range(4)] + [("web_event", "W1")]
        })  # fmt: skip
        warehouse.run("delete from triggers.restricted_records")
        if chance.random() < 0.3:
            warehouse.run("insert into triggers.restricted_records values ('customer', 1), ('customer', 2)")
        found = recheck(warehouse, POLICY, None, day).fallen
        assert found == one_by_one(warehouse), number
        found_any += len(found)
    assert found_any > 20


def one_by_one(warehouse: Warehouse) -> tuple[Fallen, ...]:
    """What falls, item by item; all that is sealed waits."""
    decided: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for record_type, key, category, disposition in warehouse.rows(
        "select records.record_type, record_key, data_category, disposition from retention.records as records "
        "inner join retention.dispositions as decided on decided.record_type = records.record_type "
        "and decided.row_id = records.row_id"
    ):
        decided.setdefault((record_type, key), []).append((category, disposition))
    category_of = {(of, field): category for of, field, category in warehouse.rows(
        "select record_type, field, data_category from policy.fields")}  # fmt: skip
    restricted = set(warehouse.rows(
        "select record_type, record_key from triggers.restricted_records inner join retention.records "
        "using (record_type, row_id)"
    ))  # fmt: skip
    stands = {"erase": {"erase"}, "redact": {"erase"}, "notify": {"erase"}, "restrict": {"restrict", "review", "erase"},
              "lift": {"retain"}}  # fmt: skip
    fallen: Counter[tuple[str, str, str]] = Counter()
    for manifest_id, system, record_type, key, action, fields, because in warehouse.rows(
        "select manifest_id, system, record_type, record_key, action, fields, cast(because as varchar) "
        "from manifest.items"
    ):
        named = {category_of.get((record_type, field)) for field in fields}
        reasons = {f"now_{disposition}" for category, disposition in decided.get((record_type, key), [])
                   if disposition not in stands[action] and (action == "erase" or category in named)}  # fmt: skip
        if action == "notify" and "eu-gdpr:A19" not in because:
            reasons = set()
        if action in ("erase", "redact") and (record_type, key) in restricted:
            reasons.add("person_restricted")
        fallen.update((manifest_id, system, reason) for reason in reasons)
    return tuple(Fallen(*key, items) for key, items in sorted(fallen.items()))
