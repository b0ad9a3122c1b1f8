"""Days that near, pass and fall due: who is reminded, and what is told anew."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from assets.delivery.approving import cancel
from assets.delivery.reminding import Reminder, fall_due, remind
from assets.ledger import issued
from assets.ledger.states import BY_NAME, STATES, Event, record
from assets.models import SQL, Model
from assets.warehouse import Warehouse
from tests.delivery.test_approving import erase, sealed
from tests.manifests.company import DAY, Company

NOW = datetime(2025, 2, 1, 8, 0, tzinfo=UTC)
RESPOND_BY = date(2025, 3, 3)
OUTCOME = erase("C0", "C1", "C2")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose order to erase three customers was delivered, kept."""
    company = Company()
    for number in range(3):
        company.add("customer", f"C{number}")
    company.night(DAY, OUTCOME)
    record(company.warehouse, [Event(manifest_of(company), "approved", DAY, "approve"),
                               Event(manifest_of(company), "delivered", DAY, "deliver", at=NOW)])  # fmt: skip
    path = tmp_path_factory.mktemp("delivered") / "kept.duckdb"
    company.keep(path)
    return path


@pytest.fixture
def company(delivered: Path) -> Iterator[Company]:
    begun = Company.begun(delivered)
    yield begun
    begun.warehouse.close()


def manifest_of(company: Company) -> str:
    return sealed(company.warehouse)[0]


def answer(company: Company, key: str, state: str, day: date = DAY, **more: object) -> None:
    item = company.warehouse.value("select min(item_id) from manifest.items where record_key = ?", [key])
    event = Event(manifest_of(company), state, day, "receipt", item_id=item, **more)  # type: ignore[arg-type]
    assert record(company.warehouse, [event]) == []


def states(company: Company) -> dict[str, str]:
    return dict(
        company.warehouse.rows(
            "select record_key, state from manifest.item_states where manifest_id = $id", {"id": manifest_of(company)}
        )
    )


def test_nothing_is_said_while_there_is_time(company: Company) -> None:
    assert remind(company.warehouse, RESPOND_BY - timedelta(days=6)) == []
    assert set(states(company).values()) == {"delivered"}


def test_the_system_is_reminded_before_its_day(company: Company) -> None:
    assert remind(company.warehouse, RESPOND_BY) == [
        Reminder("crm", manifest_of(company), "system", "nearing", RESPOND_BY, 3)
    ]
    assert set(states(company).values()) == {"delivered"}, "the day itself is still in time"


def test_what_is_unanswered_after_its_day_is_overdue_and_somebodys(company: Company) -> None:
    answer(company, "C0", "done")
    answer(company, "C1", "accepted")
    assert remind(company.warehouse, RESPOND_BY + timedelta(days=1)) == [
        Reminder("crm", manifest_of(company), "privacy", "late", RESPOND_BY, 2)
    ]
    assert states(company) == {"C0": "done", "C1": "overdue", "C2": "overdue"}
    before = company.warehouse.value("select count(*) from manifest.events")
    remind(company.warehouse, RESPOND_BY + timedelta(days=1))
    assert company.warehouse.value("select count(*) from manifest.events") == before


def test_what_stays_unanswered_is_escalated(company: Company) -> None:
    (reminder,) = remind(company.warehouse, RESPOND_BY + timedelta(days=31))
    assert (reminder.lateness, reminder.items) == ("escalated", 3)


def test_an_overdue_item_can_still_be_answered(company: Company) -> None:
    remind(company.warehouse, RESPOND_BY + timedelta(days=1))
    answer(company, "C0", "done")
    assert states(company)["C0"] == "done"


def test_what_fell_due_the_day_before_does_so_no_more_where_nothing_is_postponed(company: Company) -> None:
    company.warehouse.run(
        "insert into manifest.fallen_due select manifest_id, item_id, as_of, true from manifest.items"
    )
    assert fall_due(company.warehouse, DAY + timedelta(days=1)) == 0
    assert company.warehouse.value("select count(*) from manifest.fallen_due") == 0


def test_a_withheld_item_is_told_anew_on_its_day_and_not_before(company: Company) -> None:
    until = date(2025, 8, 1)
    answer(company, "C0", "withheld", reason="order_open", until=until)
    assert fall_due(company.warehouse, until - timedelta(days=1)) == 0
    assert company.propose(until - timedelta(days=1), OUTCOME) == set()
    assert fall_due(company.warehouse, until) == 1
    assert states(company)["C0"] == "withheld", "its system has the order until it has another"
    assert {(key, action) for _, _, key, action, _ in company.night(until, OUTCOME)} == {("C0", "erase")}
    assert states(company)["C0"] == "cancelled"
    assert fall_due(company.warehouse, until) == 0


@pytest.mark.parametrize("state", ["accepted", "queued"])
def test_what_is_put_off_to_a_day_is_not_late_before_it_and_told_anew_on_it(company: Company, state: str) -> None:
    until = date(2025, 8, 1)
    answer(company, "C0", state, until=until)
    answer(company, "C1", "done")
    answer(company, "C2", "done")
    assert remind(company.warehouse, RESPOND_BY + timedelta(days=1)) == []
    assert states(company)["C0"] == state
    company.evaluate(until - timedelta(days=1), OUTCOME)
    assert fall_due(company.warehouse, until - timedelta(days=1)) == 0
    company.evaluate(until, OUTCOME)
    assert fall_due(company.warehouse, until) == 1
    (late,) = remind(company.warehouse, until + timedelta(days=1))
    assert (late.owner, late.lateness, states(company)["C0"]) == ("system", "late", state), "until it is told anew"
    assert {(key, action) for _, _, key, action, _ in company.night(until, OUTCOME)} == {("C0", "erase")}
    assert states(company)["C0"] == "cancelled"


@pytest.mark.parametrize("state", ["withheld", "refused", "partly_retained", "accepted", "queued"])
def test_a_day_that_never_comes_silences_no_order(company: Company, state: str) -> None:
    answer(company, "C0", state, until=date(9999, 12, 31))
    a_year_on = date(DAY.year + 1, DAY.month, DAY.day)
    company.evaluate(a_year_on, OUTCOME)
    assert fall_due(company.warehouse, a_year_on - timedelta(days=1)) == 0
    assert fall_due(company.warehouse, a_year_on) == 1
    assert ("C0", "erase") in {(key, action) for _, _, key, action, _ in company.night(a_year_on, OUTCOME)}


def test_an_order_that_fell_due_stands_until_it_is_told_anew(company: Company) -> None:
    """Its source may be blocked that night, or the run be killed: nothing is sealed, and its system has the order."""
    until = date(2025, 8, 1)
    answer(company, "C0", "withheld", until=until)
    company.evaluate(until, OUTCOME)
    assert fall_due(company.warehouse, until) == 1
    later = until + timedelta(days=1)
    company.evaluate(later, erase("C1", "C2"))
    assert fall_due(company.warehouse, later) == 0
    assert {(key, action) for _, _, key, action, _ in company.night(later, erase("C1", "C2"))} == {("C0", "lift")}


@pytest.mark.parametrize(("decided", "told"), [(erase("C1", "C2"), "lift"), (OUTCOME, "erase")])
def test_an_order_whose_new_item_is_taken_back_is_the_last_word_again(
    company: Company, decided: dict[tuple[str, str], dict[str, str]], told: str
) -> None:
    until = date(2025, 8, 1)
    answer(company, "C0", "withheld", until=until)
    company.evaluate(until, OUTCOME)
    fall_due(company.warehouse, until)
    company.night(until, OUTCOME)
    assert states(company)["C0"] == "cancelled"
    cancel(company.warehouse, sealed(company.warehouse)[1], by="Eva", reason="nej", on_day=until, at=NOW)
    later = until + timedelta(days=1)
    company.evaluate(later, decided)
    assert fall_due(company.warehouse, later) == 0, "the old item is closed: nothing of it is open"
    assert {(key, action) for _, _, key, action, _ in company.night(later, decided)} == {("C0", told)}
    assert company.propose(later, decided) == set()


def test_what_comes_back_of_an_order_is_ordered_while_the_rest_that_was_told_anew_is_still_open(
    company: Company,
) -> None:
    """The new item names what was there on its day; of the rest the closed order is the last word."""
    until = date(2025, 8, 1)
    answer(company, "C0", "partly_retained", until=until)
    for name in ("name", "email", "phone"):
        company.set_field("customer", "C0", name, None)
    company.evaluate(until, OUTCOME)
    fall_due(company.warehouse, until)
    company.night(until, OUTCOME)
    later = until + timedelta(days=1)
    company.evaluate(later, OUTCOME)
    fall_due(company.warehouse, later)
    assert company.night(later, OUTCOME) == set(), "nothing came back"
    company.set_field("customer", "C0", "email", "ny@hem.example")
    for day, told in ((later + timedelta(days=1), {("C0", "erase")}), (later + timedelta(days=2), set())):
        company.evaluate(day, OUTCOME)
        fall_due(company.warehouse, day)
        assert {(key, action) for _, _, key, action, _ in company.night(day, OUTCOME)} == told


def test_a_withheld_item_that_is_kept_by_then_is_not_told_anew_but_lifted(company: Company) -> None:
    """The system has the order, and may carry it out once its day has come."""
    until = date(2025, 8, 1)
    answer(company, "C0", "withheld", until=until)
    company.evaluate(until, erase("C1", "C2"))
    assert fall_due(company.warehouse, until) == 0
    assert states(company)["C0"] == "withheld"
    assert {(key, action) for _, _, key, action, _ in company.night(until, erase("C1", "C2"))} == {("C0", "lift")}
    assert fall_due(company.warehouse, until) == 0, "the lift is under way"


@pytest.mark.parametrize("outcome", ["review", "restrict"])
def test_what_is_in_doubt_on_its_day_is_not_forgotten(company: Company, outcome: str) -> None:
    """Nobody would know of the order once the doubt is gone."""
    until = date(2025, 8, 1)
    answer(company, "C0", "withheld", until=until)
    decided = {**erase("C1", "C2"), ("customer", "C0"): {"email": outcome}}
    company.evaluate(until, decided)
    assert fall_due(company.warehouse, until) == 0
    assert company.warehouse.value("select count(*) from manifest.ordered_fields where record_key = 'C0'") == 5


def test_what_its_source_holds_no_more_is_closed_on_its_day(company: Company) -> None:
    until = date(2025, 8, 1)
    answer(company, "C0", "withheld", until=until)
    for name in ("name", "email", "phone", "street", "city"):
        company.set_field("customer", "C0", name, None)
    company.evaluate(until, erase("C1", "C2"))
    assert fall_due(company.warehouse, until) == 1


@pytest.mark.parametrize("state", ["refused", "partly_retained"])
def test_an_answer_without_a_day_falls_due_after_thirty(company: Company, state: str) -> None:
    answer(company, "C1", state, reason="business_open")
    assert fall_due(company.warehouse, DAY + timedelta(days=29)) == 0
    assert fall_due(company.warehouse, DAY + timedelta(days=30)) == 1


def test_a_lie_is_told_anew_too(company: Company) -> None:
    answer(company, "C1", "done")
    answer(company, "C1", "discrepancy", DAY + timedelta(days=3), reason="still_there")
    assert fall_due(company.warehouse, DAY + timedelta(days=33)) == 1
    assert len(company.propose(DAY + timedelta(days=33), OUTCOME)) == 1


def test_what_was_acknowledged_is_waited_for_no_more_unless_it_was_contradicted(company: Company) -> None:
    for state in ("done", "discrepancy", "refused", "accepted"):
        answer(company, "C1", state)
    answer(company, "C2", "done")
    remind(company.warehouse, RESPOND_BY + timedelta(days=1))
    assert states(company) == {"C0": "overdue", "C1": "overdue", "C2": "done"}


def test_only_a_contradiction_leads_on_from_what_was_acknowledged() -> None:
    """Who is to be reminded is looked for among what was not, or was contradicted since."""
    following = {step for name in ("done", "already_absent") for step in BY_NAME[name].steps}
    assert following == {"verified", "discrepancy", "cancelled"}, "the first and the last are ends"


def test_who_starts_from_what_is_near_reminds_of_what_a_look_at_every_item_would() -> None:
    """Random steps, answers and days; on each the reminders are what the views say of all items."""
    plainly = Model("manifest", SQL / "delivery" / "reminders.sql").statement
    names = [state.name for state in STATES if state.name != "issued"]
    weights = [6 if name in ("approved", "delivered") else 1 for name in names]
    lateness = set()
    for seed in range(2):
        chance, warehouse = random.Random(seed), Warehouse.in_memory(threads=1)
        issued.prepare(warehouse)
        columns = ["manifest_id", "item_id", "system", "action", "as_of", "respond_by"]
        for number in range(4):
            warehouse.insert("manifest.items", columns, [
                (f"M{number}", f"I{number}-{item}", "crm", chance.choice(issued.ACTIONS), DAY,
                 DAY + timedelta(days=10 * number)) for item in range(5)
            ])  # fmt: skip
        for night in range(5):
            day = DAY + timedelta(days=15 * night)
            events = []
            for _ in range(30):
                number, until = chance.randrange(4), day + timedelta(days=chance.randrange(60))
                events.append(Event(
                    f"M{number}", chance.choices(names, weights)[0], day, "receipt",
                    item_id=None if chance.random() < 0.3 else f"I{number}-{chance.randrange(5)}",
                    until=until if chance.random() < 0.3 else None,
                ))  # fmt: skip
            record(warehouse, events)
            late = warehouse.rows(
                "select item_id from manifest.item_states where state in ('delivered', 'accepted', 'queued') "
                "and until is null and respond_by < ? order by all", [day],
            )  # fmt: skip
            found = remind(warehouse, day)
            assert late == warehouse.rows("select item_id from manifest.events where state = 'overdue' "
                                          "and origin = 'clock' and on_day = ? order by all", [day])  # fmt: skip
            expected = warehouse.rows(
                f"select system, manifest_id, owner, lateness, due_on, items from ({plainly}) "
                "order by due_on, system, manifest_id, owner, lateness", {"as_of": day, "near": 5, "long": 30},
            )  # fmt: skip
            assert sorted(found, key=str) == sorted((Reminder(*row) for row in expected), key=str)
            postponed = warehouse.rows(
                "select item_id from manifest.item_states where due_on <= ? "
                "and (state in ('withheld', 'refused', 'partly_retained', 'discrepancy') "
                "or (state in ('accepted', 'queued') and until is not null)) order by all", [day],
            )  # fmt: skip
            assert fall_due(warehouse, day) <= len(postponed)
            assert warehouse.rows("select item_id from manifest.fallen_due order by all") == postponed
            lateness |= {each.lateness for each in found}
        warehouse.close()
    assert lateness == {"nearing", "late", "escalated"}
