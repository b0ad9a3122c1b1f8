"""Until when a request is to be answered: Regulation 1182/71 on Swedish calendars."""

from __future__ import annotations

from datetime import date

import pytest

from assets.rights.answering import due_on


@pytest.mark.parametrize(
    ("received", "due", "why"),
    [
        (date(2026, 11, 3), date(2026, 12, 3), "the same date number next month"),
        (date(2026, 1, 31), date(2026, 3, 2), "28 February is a Saturday"),
        (date(2024, 1, 31), date(2024, 2, 29), "that month's last day"),
        (date(2026, 11, 25), date(2026, 12, 28), "25 and 26 December are holidays, 27 is a Sunday"),
        (date(2026, 12, 1), date(2027, 1, 4), "New Year's Day is a Friday"),
        (date(2026, 5, 20), date(2026, 6, 22), "Midsummer Day is a Saturday"),
    ],
)
def test_a_month_after_receipt_moved_past_days_off(received: date, due: date, why: str) -> None:
    assert due_on(received) == due, why


def test_two_months_more_when_extended_in_time() -> None:
    assert due_on(date(2026, 9, 3), extended_on=date(2026, 10, 5)) == date(2026, 12, 3)


def test_an_extension_that_came_too_late_is_none() -> None:
    assert due_on(date(2026, 9, 3), extended_on=date(2026, 10, 6)) == date(2026, 10, 5)
