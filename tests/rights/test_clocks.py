"""Until when a request is to be answered: a table worked out by hand, and what must hold of every clock."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.rights.answering import due_on
from assets.rights.clocks import Clock, standing

#: Received; due; the weekday on which the same number of the next month (or that month's last day) falls; and why the
#: answer is due when it is. Worked out by hand from the calendar alone: weekdays counted from 12 December (a Tuesday in
#: 2023, a Thursday in 2024, then Friday, Saturday, Sunday, Tuesday), Easter as in the almanac, and the days of lagen
#: (1989:253) om allmänna helgdagar. No library of holidays was asked.
TABLE = [
    (
        "2023-11-24",
        "2023-12-27",
        "Sunday",
        "24 December; Christmas Day and the day after it follow, Monday and Tuesday",
    ),
    ("2023-11-25", "2023-12-27", "Monday", "Christmas Day; Tuesday is the day after it"),
    ("2024-11-24", "2024-12-24", "Tuesday", "Christmas Eve is no public holiday in lagen (1989:253)"),
    ("2024-11-25", "2024-12-27", "Wednesday", "Christmas Day; Thursday is the day after it"),
    ("2024-11-26", "2024-12-27", "Thursday", "the day after Christmas Day"),
    ("2024-11-28", "2024-12-30", "Saturday", "then Sunday"),
    ("2024-11-30", "2024-12-30", "Monday", "a working day between the holidays"),
    ("2024-12-01", "2025-01-02", "Wednesday", "New Year's Day"),
    ("2024-12-31", "2025-01-31", "Friday", "January has a 31st; the year turns between"),
    ("2025-11-24", "2025-12-24", "Wednesday", "Christmas Eve is no public holiday"),
    ("2025-11-25", "2025-12-29", "Thursday", "Christmas Day; Friday the day after it; then the weekend"),
    ("2025-11-26", "2025-12-29", "Friday", "the day after Christmas Day, then the weekend"),
    ("2025-12-01", "2026-01-02", "Thursday", "New Year's Day; the Friday after it is a working day"),
    ("2025-12-06", "2026-01-07", "Tuesday", "Epiphany"),
    ("2026-12-06", "2027-01-07", "Wednesday", "Epiphany"),
    ("2026-12-24", "2027-01-25", "Sunday", "24 January; nothing else"),
    (
        "2027-11-25",
        "2027-12-27",
        "Saturday",
        "Christmas Day on a Saturday, the day after it on the Sunday; no day in lieu",
    ),
    ("2027-12-01", "2028-01-03", "Saturday", "New Year's Day on a Saturday, then Sunday"),
    ("2028-12-06", "2029-01-08", "Saturday", "Epiphany on a Saturday, then Sunday"),
    ("2024-01-29", "2024-02-29", "Thursday", "a leap year has a 29 February"),
    ("2024-01-30", "2024-02-29", "Thursday", "no 30 February: the month's last day, 29 in a leap year"),
    ("2024-01-31", "2024-02-29", "Thursday", "no 31 February: the month's last day, 29 in a leap year"),
    ("2025-01-29", "2025-02-28", "Friday", "no 29 February in 2025: the month's last day"),
    ("2025-01-31", "2025-02-28", "Friday", "no 31 February: the month's last day, 28"),
    ("2026-01-31", "2026-03-02", "Saturday", "28 February is the month's last day; then Sunday 1 March"),
    ("2027-01-30", "2027-03-01", "Sunday", "28 February is the month's last day"),
    ("2028-01-31", "2028-02-29", "Tuesday", "no 31 February: the month's last day, 29 in a leap year"),
    ("2028-02-29", "2028-03-29", "Wednesday", "from a leap day to the same number in March"),
    ("2025-03-31", "2025-04-30", "Wednesday", "April has 30 days; Walpurgis Night is a working day"),
    ("2025-05-31", "2025-06-30", "Monday", "June has 30 days"),
    ("2025-08-31", "2025-09-30", "Tuesday", "September has 30 days"),
    ("2025-10-31", "2025-12-01", "Sunday", "November has 30 days, and its last is the first Sunday in Advent"),
    (
        "2026-10-31",
        "2026-11-30",
        "Monday",
        "November has 30 days; that it was received on All Saints' Day is of no matter",
    ),
    (
        "2024-02-29",
        "2024-04-02",
        "Friday",
        "29 March is Good Friday (Easter is 31 March); Saturday, Easter Day, Easter Monday",
    ),
    ("2025-03-17", "2025-04-17", "Thursday", "Maundy Thursday is a working day"),
    ("2025-03-18", "2025-04-22", "Friday", "Good Friday (Easter is 20 April); Saturday, Easter Day, Easter Monday"),
    ("2025-03-21", "2025-04-22", "Monday", "Easter Monday"),
    ("2026-03-03", "2026-04-07", "Friday", "Good Friday (Easter is 5 April); Saturday, Easter Day, Easter Monday"),
    ("2026-03-04", "2026-04-07", "Saturday", "Easter Eve, a Saturday like any other; Easter Day, Easter Monday"),
    ("2026-03-06", "2026-04-07", "Monday", "Easter Monday"),
    ("2026-03-07", "2026-04-07", "Tuesday", "the first working day after Easter"),
    ("2027-02-26", "2027-03-30", "Friday", "Good Friday (Easter is 28 March); Saturday, Easter Day, Easter Monday"),
    ("2027-02-28", "2027-03-30", "Sunday", "Easter Day, then Easter Monday"),
    ("2028-03-14", "2028-04-18", "Friday", "Good Friday (Easter is 16 April); Saturday, Easter Day, Easter Monday"),
    ("2025-04-29", "2025-05-30", "Thursday", "Ascension Day, the 39th after Easter; the Friday is a working day"),
    ("2026-04-14", "2026-05-15", "Thursday", "Ascension Day, the 39th after Easter; the Friday is a working day"),
    ("2027-04-06", "2027-05-07", "Thursday", "Ascension Day, the 39th after Easter; the Friday is a working day"),
    ("2025-05-08", "2025-06-09", "Sunday", "Whit Sunday; Whit Monday has been a working day since 2005"),
    ("2026-04-25", "2026-05-25", "Monday", "Whit Monday has been a working day since 2005"),
    ("2025-04-01", "2025-05-02", "Thursday", "1 May; the Friday is a working day"),
    ("2026-04-01", "2026-05-04", "Friday", "1 May, then the weekend"),
    ("2025-05-06", "2025-06-09", "Friday", "National Day, then Saturday and Whit Sunday"),
    ("2027-05-06", "2027-06-07", "Sunday", "National Day on a Sunday; no day in lieu"),
    ("2025-05-20", "2025-06-20", "Friday", "Midsummer Eve is no public holiday in lagen (1989:253)"),
    ("2025-05-21", "2025-06-23", "Saturday", "Midsummer Day, the Saturday of 20 to 26 June; then Sunday"),
    ("2026-05-19", "2026-06-19", "Friday", "Midsummer Eve is no public holiday"),
    ("2027-05-26", "2027-06-28", "Saturday", "Midsummer Day at its latest, 26 June; then Sunday"),
    ("2028-05-24", "2028-06-26", "Saturday", "Midsummer Day, 24 June; then Sunday"),
    ("2025-10-01", "2025-11-03", "Saturday", "All Saints' Day, the Saturday of 31 October to 6 November; then Sunday"),
    ("2026-09-30", "2026-10-30", "Friday", "the day before All Saints' Day is a working day"),
]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS = st.dates(date(2019, 1, 1), date(2039, 12, 31))


@pytest.mark.parametrize(("received", "due", "falls_on", "why"), TABLE)
def test_the_table(received: str, due: str, falls_on: str, why: str) -> None:
    assert due_on(date.fromisoformat(received)) == date.fromisoformat(due), f"{falls_on}: {why}"


@pytest.mark.parametrize("received", [date(9999, 11, 30), date(9999, 12, 1), date(9999, 12, 31)])
def test_a_mistyped_year_is_due_on_the_calendar_s_last_day_at_the_latest(received: date) -> None:
    assert received <= due_on(received) <= due_on(received, received, paused_days=40) == date.max
    assert standing(Clock(received), date(2026, 11, 25)).due_on == due_on(received)


@pytest.mark.parametrize(("received", "due", "falls_on", "why"), TABLE)
def test_the_table_is_right_about_its_weekdays(received: str, due: str, falls_on: str, why: str) -> None:
    came = date.fromisoformat(received)
    year, month = came.year + came.month // 12, came.month % 12 + 1
    plain = date(year, month, min(came.day, monthrange(year, month)[1]))
    assert WEEKDAYS[plain.weekday()] == falls_on, why
    assert plain <= date.fromisoformat(due)


def test_the_table_has_sixty_days() -> None:
    assert len({received for received, *_ in TABLE}) == 60


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


def test_an_extension_or_an_answer_before_the_receipt_counts_as_none() -> None:
    """A mistyped year: the request is open, and its time is the ordinary one."""
    clock = Clock(date(2026, 9, 1), extended_on=date(2025, 9, 20), answered_on=date(2025, 9, 25))
    found = standing(clock, date(2026, 10, 20))
    assert (found.state, found.due_on, found.extension) == ("overdue", date(2026, 10, 1), "none")
    same_day = standing(Clock(date(2026, 9, 1), answered_on=date(2026, 9, 1)), date(2026, 10, 20))
    assert same_day.state == "answered"
