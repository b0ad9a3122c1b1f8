"""Until when a request of a data subject is to be answered (Art 12(3), Regulation 1182/71). Calendar alone."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import holidays
import isodate

MONTHS = 1
EXTENDED_MONTHS = 2
_SATURDAY = 5


def due_on(received_on: date, extended_on: date | None = None, paused_days: int = 0) -> date:
    """The last day to answer what came on `received_on`; two months later when extended in time.

    The day of receipt is not counted: the same date number next month, or that month's last day, moved past Saturdays,
    Sundays and Swedish holidays. `paused_days`, on which identity was reasonably doubted, are not counted either. The
    calendar's last day, where it would lie behind that: a mistyped year.
    """
    ordinary = _working_day(_after(received_on, MONTHS, paused_days))
    if extended_on is None or extended_on > ordinary:
        return ordinary
    return _working_day(_after(received_on, MONTHS + EXTENDED_MONTHS, paused_days))


def _after(day: date, months: int, days: int) -> date:
    try:
        later: date = day + isodate.Duration(months=months, days=days)
    except (OverflowError, ValueError):
        return date.max
    return later


def _working_day(day: date) -> date:
    """`day`, or the first day after it that is no Saturday, Sunday or Swedish holiday."""
    while day < date.max and (day.weekday() >= _SATURDAY or day in _swedish_holidays(day.year)):
        day += timedelta(days=1)
    return day


@cache
def _swedish_holidays(year: int) -> frozenset[date]:
    """A year's holidays, worked out once: a register holds thousands of requests of few years."""
    return frozenset(holidays.country_holidays("SE", years=[year]))
