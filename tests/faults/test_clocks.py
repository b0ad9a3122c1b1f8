"""A source's clock, or this machine's, that tells another day than it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from assets.ingest.loading import IngestReport, ingest
from tests.faults.test_hostile_input import HEADER, row
from tests.ingest.company import Company


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path)
    yield made
    made.warehouse.close()


def night(company: Company, day: str, *, as_of: str | None = None) -> IngestReport:
    """A run at three in the morning of a day, for that day or another."""
    now = datetime.fromisoformat(f"{day}T03:00:00").replace(tzinfo=UTC)
    on = date.fromisoformat(as_of or day)
    return ingest(company.warehouse, company.policy, company.site, as_of=on, now=now)


def send(company: Company, day: str, *keys: str, mode: str = "full") -> str:
    return company.send("web", {"events": HEADER + "".join(map(row, keys))}, day=day, mode=mode).name


def events(company: Company) -> list[str]:
    return [key for (key,) in company.rows("select event_id from raw.web_events where in_source order by all")]


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_an_extract_of_a_day_to_come_keeps_no_true_one_out(company: Company, mode: str) -> None:
    send(company, "2026-11-20", "E1")
    night(company, "2026-11-20")
    ahead = send(company, "2027-11-21", "E1", "E2", mode=mode)
    (refused,) = night(company, "2026-11-21").rejected
    assert refused.delivery_id == ahead
    assert "extracted_at" in (refused.reason or "")
    assert events(company) == ["E1"]
    assert ("events", "rejected") in company.blocks("web")
    send(company, "2026-11-22", "E1", "E3")
    assert len(night(company, "2026-11-22").loaded) == 1
    assert events(company) == ["E1", "E3"]
    assert ("events", "rejected") not in company.blocks("web"), "a whole table came since"
    send(company, "2027-11-20", "E4")
    night(company, "2027-11-20")
    (still,) = night(company, "2027-11-23").rejected
    assert still == refused, "its day has come, and what it holds is a year old"
    assert events(company) == ["E4"]


def test_its_date_mended_it_is_taken_in(company: Company) -> None:
    folder = company.site.inbox / "web" / send(company, "2027-11-21", "E1")
    night(company, "2026-11-21")
    description = folder / "delivery.json"
    description.write_text(description.read_text(encoding="utf-8").replace("2027-11-21T", "2026-11-21T"))
    assert len(night(company, "2026-11-21").loaded) == 1
    assert company.value("select count(*) from intake.deliveries") == 1


@pytest.mark.parametrize("back", [timedelta(days=2), timedelta(days=365)])
def test_what_a_clock_set_back_refused_is_taken_in_once_it_is_right(company: Company, back: timedelta) -> None:
    send(company, "2026-11-21", "E1")
    send(company, "2026-11-22", "E2", mode="delta")
    wrong = (date(2026, 11, 20) - back).isoformat()
    assert len(night(company, wrong).rejected) == 2
    assert ("events", "rejected") in company.blocks("web")
    send(company, "2026-11-23", "E3", mode="delta")
    assert len(night(company, "2026-11-23").loaded) == 3
    assert events(company) == ["E1", "E2", "E3"]
    assert ("events", "rejected") not in company.blocks("web")


def test_hours_of_another_zone_and_days_played_ahead_are_no_fault(company: Company) -> None:
    send(company, "2026-11-22", "E1")
    assert len(night(company, "2026-11-21").loaded) == 1, "less than a day"
    send(company, "2026-12-24", "E2")
    assert len(night(company, "2026-11-22", as_of="2026-12-24").loaded) == 1, "the run is for that day"


def test_a_source_silent_for_a_year_blocks_until_it_delivers(company: Company) -> None:
    send(company, "2025-11-20", *(f"E{number}" for number in range(30)))
    night(company, "2025-11-20")
    assert "web" not in {source for source, reason in company.rows("select source, reason from intake.blocks")
                         if reason != "never_arrived"}  # fmt: skip
    night(company, "2026-11-20")
    assert ("events", "stale") in company.blocks("web")
    send(company, "2026-11-21", *(f"E{number}" for number in range(30, 60)))
    night(company, "2026-11-21")
    assert company.blocks("web") == []
    assert len(events(company)) == 30
