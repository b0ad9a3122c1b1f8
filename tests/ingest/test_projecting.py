"""Instants become the local day on which they fell (rules.md, *Dates* 1), whatever their offset."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.contracts.contract import Column, Format
from assets.ingest.projecting import typed
from assets.warehouse import Warehouse

WAREHOUSE = Warehouse.in_memory(threads=1)
STOCKHOLM = ZoneInfo("Europe/Stockholm")
INSTANT = Column(name="at", type="instant")


def local_day(text: str) -> str | None:
    """What intake makes of an instant's text."""
    return WAREHOUSE.value(
        f"select cast({typed('x', INSTANT, Format())} as varchar) from (select $text as x)", {"text": text}
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    moment=st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2036, 12, 31)),
    offset=st.integers(-12 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters)),
)
def test_an_instant_is_the_local_day_on_which_it_fell(moment: datetime, offset: timedelta) -> None:
    """Any offset, any hour: the day is that of the clock in Stockholm at that instant."""
    instant = moment.replace(microsecond=0, tzinfo=timezone(offset))
    assert local_day(instant.isoformat()) == instant.astimezone(STOCKHOLM).date().isoformat()


def test_the_last_hours_of_a_day_by_the_offsets_that_sources_use() -> None:
    """Midnight in Stockholm is not midnight in the offset."""
    assert local_day("2026-12-31T23:30:00Z") == "2027-01-01"
    assert local_day("2024-11-30T00:30:00+02:00") == "2024-11-29"
    assert local_day("2024-07-01T00:30:00+02:00") == "2024-07-01"
    assert local_day("2024-07-01T00:30:00+03:00") == "2024-06-30"
    assert local_day("2024-06-30T22:00:00z") == "2024-07-01"
    assert local_day("2024-06-30T23:59:59") == "2024-06-30"
    assert local_day("2024-06-30") == "2024-06-30"
    assert local_day("2024-06-31") is None
