"""The day that a run takes from the clock: a clock that was set back decides nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from assets.errors import BadInput
from orchestration.resources import AS_OF_TAG, require_clock_that_goes_on

NOW = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def run(run_id: str, at: datetime, *, had_a_day: bool = True) -> Any:
    tags = {AS_OF_TAG: f"{at:%Y-%m-%d}"} if had_a_day else {}
    return SimpleNamespace(dagster_run=SimpleNamespace(run_id=run_id, tags=tags), create_timestamp=at)


def look(*earlier: Any) -> None:
    """Look at the clock in a run that is created now, after the runs `earlier`, the last one first."""
    this = run("this", NOW, had_a_day=False)
    history: Any = SimpleNamespace(get_run_records=lambda limit: [this, *earlier])
    require_clock_that_goes_on(history, "this", NOW)


@pytest.mark.parametrize("back", [timedelta(days=1), timedelta(days=365)])
def test_a_clock_that_was_set_back_is_refused_until_it_is_right(back: timedelta) -> None:
    refused = run("refused", NOW - timedelta(minutes=5), had_a_day=False)
    with pytest.raises(BadInput, match="it was set back, or was ahead"):
        look(refused, run("before", NOW + back))


def test_one_run_with_its_day_given_goes_on_from_a_clock_that_was_ahead() -> None:
    look(run("given", NOW - timedelta(minutes=5)), run("ahead", NOW + timedelta(days=400)))


def test_an_hour_is_no_fault_and_the_first_run_has_nothing_before_it() -> None:
    look(run("another machine's", NOW + timedelta(minutes=59)))
    look()
