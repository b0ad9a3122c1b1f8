"""How long each kind of own copy is kept. Knows ISO 8601 periods and days; no files and no tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

import isodate

from assets.purpose_register import months_and_days


@dataclass(frozen=True)
class Periods:
    """How long the product keeps its own copies: ISO 8601 periods, each through its last day.

    Attributes:
        deliveries: export files that were taken in, counted from their extract.
        quarantine: rows and deliveries that were kept out, counted from their extract.
        residue: how long the warehouse file may hold values that a later delivery corrected, before it is rewritten.
        erased_bytes: how long the warehouse file may hold the bytes of values that have left its tables, before it is
            rewritten; none by default.
        backups: a backup of the warehouse.
        manifests: a sealed manifest, once every item of it is settled; receipts too.
        registers: what names a person in the office's registers, after the entry was closed.
        reports: a report about the company's data as a whole.
        access_reports: a report about one person (Art 15).
        leftovers: what a run that died left in `tmp/`.
        history: a run in the run history, which holds no personal data, but six megabytes a night.
    """

    deliveries: str = "P7D"
    quarantine: str = "P30D"
    residue: str = "P30D"
    erased_bytes: str = "P0D"
    backups: str = "P35D"
    manifests: str = "P5Y"
    registers: str = "P5Y"
    reports: str = "P1Y"
    access_reports: str = "P30D"
    leftovers: str = "P1D"
    history: str = "P90D"


def held_against(as_of: date, made_on: date, fresh_until: date | None) -> date:
    """The day by which it is told whose last day has passed: what is destroyed comes back no more.

    A day to come that somebody has typed is none that has passed; and a clock that is ahead says of a day that it has
    come on which every source would be silent.

    Args:
        as_of: the day of evaluation.
        made_on: the day on which the run was made.
        fresh_until: the last day on which a source is not stale yet; None: no source tells.
    """
    return min(filter(None, (as_of, made_on, fresh_until)))


@cache
def last_day(since: date, period: str) -> date:
    """The last day of a period that runs from `since`: months first, clamped to the month's end, then days.

    The calendar's last, where it would lie behind that.
    """
    months, days = months_and_days(period)
    try:
        day: date = since + isodate.Duration(months=months, days=days)
    except (OverflowError, ValueError):
        return date.max
    return day
