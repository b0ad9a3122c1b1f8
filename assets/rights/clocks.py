"""How long there still is to answer a request: due, paused while identity is doubted, extended in time or too late.

Calendar alone; the day that it is asked about comes in as an argument. The period itself is
`assets.rights.answering`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from assets.rights.answering import due_on

State = Literal["open", "paused", "overdue", "answered", "answered_late"]
Extension = Literal["none", "in_time", "too_late"]


@dataclass(frozen=True)
class Clock:
    """The days that a request's clock is made of, as the register has them.

    `asked_on`: the person was asked to show who they are, because there was reasonable doubt (Art 12(6)).
    """

    received_on: date
    asked_on: date | None = None
    verified_on: date | None = None
    extended_on: date | None = None
    answered_on: date | None = None


@dataclass(frozen=True)
class Standing:
    """How a clock stands on a day. `due_on` is None while it is paused."""

    state: State
    due_on: date | None
    paused_days: int
    extension: Extension


def standing(clock: Clock, today: date) -> Standing:
    """How `clock` stands at the end of `today`. What happens after `today` has not happened yet."""
    clock = consistent(clock)
    known = _known(clock, today)
    paused = _paused(known)
    if paused is None:
        return Standing("paused", None, 0, "none" if known.extended_on is None else "in_time")
    ordinary = due_on(known.received_on, None, paused)
    due = due_on(known.received_on, known.extended_on, paused)
    extension: Extension = "none"
    if known.extended_on is not None:
        extension = "in_time" if known.extended_on <= ordinary else "too_late"
    return Standing(_state(known, due, today), due, paused, extension)


def consistent(clock: Clock) -> Clock:
    """The clock without an extension or an answer before the receipt: a day that was mistyped closes nothing."""

    def later(day: date | None) -> date | None:
        return day if day is not None and day >= clock.received_on else None

    return replace(clock, extended_on=later(clock.extended_on), answered_on=later(clock.answered_on))


def _known(clock: Clock, today: date) -> Clock:
    """The clock as far as its days have come."""

    def come(day: date | None) -> date | None:
        return day if day is not None and day <= today else None

    return Clock(clock.received_on, come(clock.asked_on), come(clock.verified_on), come(clock.extended_on),
                 come(clock.answered_on))  # fmt: skip


def _paused(clock: Clock) -> int | None:
    """Days that do not count; None while the pause lasts. A question that came after the due day pauses nothing."""
    asked = clock.asked_on
    if asked is None or asked > due_on(clock.received_on, clock.extended_on):
        return 0
    until = clock.verified_on or clock.answered_on
    return None if until is None else max((until - asked).days, 0)


def _state(clock: Clock, due: date, today: date) -> State:
    if clock.answered_on is not None:
        return "answered" if clock.answered_on <= due else "answered_late"
    return "overdue" if due < today else "open"
