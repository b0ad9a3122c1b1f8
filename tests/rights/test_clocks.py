"""Until when a request is to be answered: a table worked out by hand, and what must hold of every clock."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.publication.answering import due_on
from assets.rights.clocks import Clock, standing

#: Received, due, and why: worked out from the calendar's rules (Easter, the Saturday between 20 and 26 June …) alone.
#: Midsummer Eve, Christmas Eve and New Year's Eve are no public holidays: an answer is due on them.
TABLE = [
    ("2023-11-24", "2023-12-27", "söndag, Juldagen, Annandag jul"),
    ("2023-11-25", "2023-12-27", "Juldagen, Annandag jul"),
    ("2023-11-26", "2023-12-27", "Annandag jul"),
    ("2023-12-01", "2024-01-02", "Nyårsdagen"),
    ("2023-12-06", "2024-01-08", "Trettondedag jul, söndag"),
    ("2023-12-22", "2024-01-22", "the same date"),
    ("2023-12-29", "2024-01-29", "the same date"),
    ("2023-12-30", "2024-01-30", "the same date"),
    ("2023-12-31", "2024-01-31", "the same date"),
    ("2024-01-29", "2024-02-29", "the same date"),
    ("2024-01-30", "2024-02-29", "month's end"),
    ("2024-01-31", "2024-02-29", "month's end"),
    ("2024-02-28", "2024-03-28", "the same date"),
    ("2024-02-29", "2024-04-02", "Långfredagen, lördag, Påskdagen, Annandag påsk"),
    ("2024-03-01", "2024-04-02", "Annandag påsk"),
    ("2024-02-01", "2024-03-01", "the same date"),
    ("2024-04-01", "2024-05-02", "Första maj"),
    ("2024-05-06", "2024-06-07", "Nationaldagen"),
    ("2024-05-08", "2024-06-10", "lördag, söndag"),
    ("2024-05-21", "2024-06-21", "the same date"),
    ("2024-05-22", "2024-06-24", "Midsommardagen, söndag"),
    ("2024-05-31", "2024-07-01", "month's end, söndag"),
    ("2024-10-02", "2024-11-04", "Alla helgons dag, söndag"),
    ("2024-11-25", "2024-12-27", "Juldagen, Annandag jul"),
    ("2024-12-06", "2025-01-07", "Trettondedag jul"),
    ("2025-01-28", "2025-02-28", "the same date"),
    ("2025-01-29", "2025-02-28", "month's end"),
    ("2025-01-31", "2025-02-28", "month's end"),
    ("2025-02-28", "2025-03-28", "the same date"),
    ("2025-03-18", "2025-04-22", "Långfredagen, lördag, Påskdagen, Annandag påsk"),
    ("2025-03-20", "2025-04-22", "Påskdagen, Annandag påsk"),
    ("2025-03-21", "2025-04-22", "Annandag påsk"),
    ("2025-03-31", "2025-04-30", "month's end"),
    ("2025-04-01", "2025-05-02", "Första maj"),
    ("2025-04-29", "2025-05-30", "Kristi himmelsfärds dag"),
    ("2025-05-06", "2025-06-09", "Nationaldagen, lördag, Pingstdagen"),
    ("2025-05-20", "2025-06-20", "the same date"),
    ("2025-05-21", "2025-06-23", "Midsommardagen, söndag"),
    ("2025-08-31", "2025-09-30", "month's end"),
    ("2025-10-01", "2025-11-03", "Alla helgons dag, söndag"),
    ("2025-11-26", "2025-12-29", "Annandag jul, lördag, söndag"),
    ("2025-12-01", "2026-01-02", "Nyårsdagen"),
    ("2025-12-31", "2026-02-02", "lördag, söndag"),
    ("2026-01-28", "2026-03-02", "lördag, söndag"),
    ("2026-01-31", "2026-03-02", "month's end, lördag, söndag"),
    ("2026-02-03", "2026-03-03", "the same date"),
    ("2026-03-03", "2026-04-07", "Långfredagen, lördag, Påskdagen, Annandag påsk"),
    ("2026-03-06", "2026-04-07", "Annandag påsk"),
    ("2026-04-14", "2026-05-15", "Kristi himmelsfärds dag"),
    ("2026-04-30", "2026-06-01", "lördag, söndag"),
    ("2026-05-06", "2026-06-08", "Nationaldagen, söndag"),
    ("2026-05-19", "2026-06-19", "the same date"),
    ("2026-05-20", "2026-06-22", "Midsommardagen, söndag"),
    ("2026-09-30", "2026-10-30", "the same date"),
    ("2026-10-31", "2026-11-30", "month's end"),
    ("2026-11-25", "2026-12-28", "Juldagen, Annandag jul, söndag"),
    ("2027-12-24", "2028-01-24", "the same date"),
    ("2028-01-29", "2028-02-29", "the same date"),
    ("2028-01-31", "2028-02-29", "month's end"),
    ("2028-02-29", "2028-03-29", "the same date"),
]
DAYS = st.dates(date(2019, 1, 1), date(2039, 12, 31))


@pytest.mark.parametrize(("received", "due", "why"), TABLE)
def test_the_table(received: str, due: str, why: str) -> None:
    assert due_on(date.fromisoformat(received)) == date.fromisoformat(due), why


def test_the_table_has_sixty_days() -> None:
    assert len({received for received, _, _ in TABLE}) == 60


@settings(max_examples=200, deadline=None)
@given(received=DAYS)
def test_a_due_day_is_a_working_day_a_month_or_little_more_later(received: date) -> None:
    due = due_on(received)
    assert due.weekday() < 5
    assert timedelta(days=28) <= due - received <= timedelta(days=31 + 5)


@settings(max_examples=100, deadline=None)
@given(received=DAYS, later=st.integers(0, 40))
def test_who_asks_later_is_never_answered_earlier(received: date, later: int) -> None:
    assert due_on(received) <= due_on(received + timedelta(days=later))


@settings(max_examples=100, deadline=None)
@given(received=DAYS, after=st.integers(0, 60))
def test_an_extension_counts_in_time_alone(received: date, after: int) -> None:
    extended = received + timedelta(days=after)
    found = standing(Clock(received, extended_on=extended), extended)
    in_time = extended <= due_on(received)
    assert found.extension == ("in_time" if in_time else "too_late")
    assert found.due_on is not None
    assert (found.due_on - received > timedelta(days=80)) is in_time


@settings(max_examples=100, deadline=None)
@given(received=DAYS, asked=st.integers(0, 20), doubted=st.integers(0, 90))
def test_days_of_doubt_do_not_count(received: date, asked: int, doubted: int) -> None:
    asked_on = received + timedelta(days=asked)
    verified = asked_on + timedelta(days=doubted)
    clock = Clock(received, asked_on=asked_on, verified_on=verified)
    if doubted:
        assert standing(clock, verified - timedelta(days=1)).state == "paused"
        assert standing(clock, verified - timedelta(days=1)).due_on is None
    after = standing(clock, verified)
    assert after.due_on is not None
    assert after.paused_days == doubted
    assert timedelta(days=doubted) <= after.due_on - received - timedelta(days=28) <= timedelta(days=doubted + 8)


def test_a_question_that_came_too_late_pauses_nothing() -> None:
    clock = Clock(date(2026, 9, 3), asked_on=date(2026, 10, 6))
    assert standing(clock, date(2026, 10, 6)).state == "overdue"


def test_what_is_still_to_come_has_not_happened() -> None:
    clock = Clock(date(2026, 9, 3), extended_on=date(2026, 9, 20), answered_on=date(2026, 12, 1))
    assert standing(clock, date(2026, 9, 19)).due_on == date(2026, 10, 5)
    assert standing(clock, date(2026, 9, 20)).due_on == date(2026, 12, 3)
    assert standing(clock, date(2026, 11, 30)).state == "open"
    assert standing(clock, date(2026, 12, 1)).state == "answered"


def test_an_answer_on_the_due_day_is_in_time_and_one_after_it_is_late() -> None:
    received = date(2026, 9, 3)
    assert standing(Clock(received), date(2026, 10, 5)).state == "open"
    assert standing(Clock(received), date(2026, 10, 6)).state == "overdue"
    assert standing(Clock(received, answered_on=date(2026, 10, 5)), date(2026, 11, 1)).state == "answered"
    assert standing(Clock(received, answered_on=date(2026, 10, 6)), date(2026, 11, 1)).state == "answered_late"
