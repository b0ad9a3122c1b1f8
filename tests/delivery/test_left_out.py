"""`unread_rows = "leave_out"`: what a row that was set aside may keep is ordered later, and everything else now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assets.manifests import left_out as module
from assets.manifests.left_out import LeftOut, left_out
from assets.manifests.sealing import seal
from tests.delivery.nights import POLICY, Nights, Rules, instant, name_of
from tests.delivery.test_unread import PAST, with_an_unread_order
from tests.manifests.company import DAY, Company, full

NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """The first night of a company in which a row may keep T1, and none T2."""
    made = with_an_unread_order(tmp_path_factory.mktemp("first-night"))
    made.rules = Rules(leaves_out=True)
    made.night(DAY, *made.systems)
    made.keep()
    return made


@pytest.fixture
def nights(first_night: Nights, tmp_path: Path) -> Iterator[Nights]:
    """The company after that night."""
    begun = first_night.begun(tmp_path)
    yield begun
    begun.warehouse.close()


def records(nights: Nights) -> list[tuple[str, ...]]:
    return nights.warehouse.rows("from manifest.left_out order by all")


def test_everything_else_leaves_without_a_person(nights: Nights) -> None:
    (decision,) = nights.decided
    assert (decision.decision, decision.items, decision.concerns) == ("approved", 1, ())
    assert nights.states("T2") == ["done"]
    assert nights.states("T1") == []
    assert left_out(nights.warehouse) == [LeftOut("crm", 1)]


def test_nobody_was_told_of_it_and_sealing_again_finds_nothing_to_tell(nights: Nights) -> None:
    assert nights.warehouse.value("select count(*) from manifest.told where record_key = 'T1'") == 0
    assert nights.warehouse.rows("select record_key from manifest.proposed") == [("T1",)]
    again = seal(nights.warehouse, POLICY, nights.site, nights.signer, as_of=DAY, issued_at=instant(DAY, 5),
                 leave_out=True)  # fmt: skip
    assert (again.sealed, again.refusals) == ((), ())
    assert records(nights) == [("crm", "customer", "T1")]
    nights.night(NEXT, *nights.systems)
    assert nights.sealed is not None
    assert (nights.sealed.sealed, nights.decided) == ((), [])
    assert records(nights) == [("crm", "customer", "T1")], "the row came again as it was"


def test_once_the_row_is_read_and_keeps_it_nothing_was_ever_ordered(nights: Nights) -> None:
    nights.systems["orders"].tables["orders"]["O9"]["placed_at"] = DAY.isoformat()
    nights.night(NEXT, *nights.systems)
    assert nights.states("T1") == []
    assert records(nights) == []


def test_once_the_row_is_read_and_keeps_nothing_it_is_ordered(nights: Nights) -> None:
    del nights.systems["orders"].tables["orders"]["O9"]
    nights.night(NEXT, *nights.systems)
    assert nights.states("T1") == ["done"]
    assert (nights.decided[0].decision, nights.decided[0].items) == ("approved", 1)
    assert records(nights) == []


def test_with_wait_it_is_sealed_and_a_person_looks_at_it(nights: Nights) -> None:
    nights.rules = Rules()
    nights.night(NEXT, *nights.systems)
    (decision,) = nights.decided
    assert (decision.decision, [each.code for each in decision.concerns]) == ("waits", ["other_rows_unread"])
    assert nights.states("T1") == ["issued"]
    assert records(nights) == []


def test_a_partner_is_told_with_the_order_and_not_before(nights: Nights) -> None:
    """T3's order is set aside, and a partner has a copy of T3."""
    nights.systems["crm"].add("customers", "T3", name=name_of("T3"), **PAST)
    nights.systems["orders"].tables["orders"]["O9"]["customer_id"] = "T3"
    nights.systems["office"].add("partners", "P1", name="Partner AB", purpose="delivery")
    nights.systems["office"].add("disclosures", "D1", partner_id="P1", record_type="customer", record_key="T3",
                                 fields="name", disclosed_at="2021-01-01")  # fmt: skip
    nights.night(NEXT, *nights.systems)
    assert records(nights) == [("crm", "customer", "T3")]
    assert nights.states("T3") == []
    del nights.systems["orders"].tables["orders"]["O9"]
    nights.night(NEXT + timedelta(days=1), *nights.systems)
    told = nights.warehouse.rows("select system, action from manifest.items where record_key = 'T3' order by all")
    assert told == [("crm", "erase"), ("partner:P1", "notify")]


class Unread:
    """A company of two customers, of the first of which a row is not read; until it `is_read`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.company = Company()
        for key in ("C0", "C1"):
            self.company.add("customer", key)
        self.is_read = False
        monkeypatch.setattr(module, "is_any_set_aside", lambda _: not self.is_read)
        monkeypatch.setattr(
            module, "concerned_records",
            lambda _: "select 'customer' as record_type, 'crm' as source, 'C0' as record_key, false as is_own",
        )  # fmt: skip


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Unread:
    return Unread(monkeypatch)


@pytest.fixture
def company(unread: Unread) -> Company:
    return unread.company


def sealed(company: Company, day: timedelta = timedelta()) -> list[tuple[str, ...]]:
    """What is sealed on a day without what may be kept, by record and action."""
    on = DAY + day
    assert company.seal(on, leave_out=True).refusals == ()
    return company.warehouse.rows(
        "select record_key, action from manifest.items where as_of = $day order by all", {"day": on}
    )


def test_what_restricts_or_lifts_is_told_of_a_record_that_is_left_out(company: Company, unread: Unread) -> None:
    mixed = {**full("customer", "retain"), "identity": "restrict", "email": "erase"}
    company.propose(DAY, {("customer", "C0"): mixed, ("customer", "C1"): full("customer", "erase")})
    assert sealed(company) == [("C0", "restrict"), ("C1", "erase")]
    lifted = {("customer", "C0"): {**mixed, "identity": "retain"}, ("customer", "C1"): full("customer", "erase")}
    day = timedelta(days=1)
    company.propose(DAY + day, lifted)
    assert sealed(company, day) == [("C0", "lift")]
    unread.is_read = True
    company.propose(DAY + 2 * day, lifted)
    assert sealed(company, 2 * day) == [("C0", "redact")]


def test_an_order_that_fell_due_stays_open_while_its_record_is_left_out(company: Company, unread: Unread) -> None:
    """It is told anew with its record, and closed then: not by a restriction that is told before."""
    erased = {**full("customer", "retain"), "email": "erase"}
    company.propose(DAY, {("customer", "C0"): erased})
    assert company.seal(DAY).refusals == ()
    (item,) = company.warehouse.rows("select manifest_id, item_id from manifest.items")
    on = timedelta(days=1)

    def fall_due(day: timedelta) -> None:
        company.warehouse.run("delete from manifest.fallen_due")
        company.warehouse.run(
            "insert into manifest.fallen_due by name select ? as manifest_id, ? as item_id, "
            "cast(? as date) as as_of, true as is_open", [*item, DAY + day],
        )  # fmt: skip

    fall_due(on)
    company.propose(DAY + on, {("customer", "C0"): {**erased, "identity": "restrict"}})
    proposed = {action for _, _, _, action, _ in company.proposed()}
    assert proposed == {"redact", "restrict"}
    assert sealed(company, on) == [("C0", "restrict")]
    closed = "select count(*) from manifest.events where item_id is not null and state = 'cancelled'"
    assert company.warehouse.value(closed) == 0
    unread.is_read = True
    fall_due(2 * on)
    company.propose(DAY + 2 * on, {("customer", "C0"): {**erased, "identity": "restrict"}})
    assert sealed(company, 2 * on) == [("C0", "redact")]
    assert company.warehouse.value(closed) == 1


def test_a_proposal_made_anew_holds_what_was_left_out(company: Company) -> None:
    company.propose(DAY, {("customer", "C0"): full("customer", "erase")})
    before = company.proposed()
    assert sealed(company) == []
    assert company.proposed() == before
    assert company.propose(DAY, {("customer", "C0"): full("customer", "erase")}) == before
