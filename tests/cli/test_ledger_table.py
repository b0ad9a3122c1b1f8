"""The table of manifests stays readable after years of nights."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from assets.ledger.issued import ManifestSummary
from orchestration.cli.cycle import tell_ledger

DAY = date(2026, 11, 26)


def sealed(number: int, **states: int) -> ManifestSummary:
    day = DAY + timedelta(days=number)
    return ManifestSummary(
        f"{day}-{number:032x}", "crm", number, day, datetime(2026, 11, 26, tzinfo=UTC), day, 2, {"erase": 2}, states
    )


def test_the_last_ones_and_what_is_open_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    nights = [sealed(number, verified=2) for number in range(1000)]
    nights[3] = sealed(3, verified=1, overdue=1)
    tell_ledger(nights)
    told = capsys.readouterr().out
    assert len(told.splitlines()) < 50
    assert str(DAY + timedelta(days=3)) in told
    assert str(DAY + timedelta(days=999)) in told
    assert str(DAY + timedelta(days=4)) not in told
    assert "959 earlier ones" in told


def test_a_few_are_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    tell_ledger([sealed(number, verified=2) for number in range(40)])
    assert "earlier" not in capsys.readouterr().out
