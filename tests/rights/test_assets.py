"""What turns red, what starts a run, and what the evidence says of the office's work."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetCheckSeverity, SensorDefinition, build_sensor_context

from assets.evidence.entries import facts_fit
from assets.evidence.recording import _office
from assets.rights import holds, requests
from assets.rights.arrivals import FOLDER, announce
from assets.rights.assets import rights_checks
from assets.rights.holds import Record
from assets.site import Site
from orchestration.sensors import sensors
from tests.rights.company import DAY, NOW, company


@pytest.mark.parametrize(("day", "late"), [(date(2026, 11, 2), 0), (date(2026, 11, 3), 1)])
def test_an_overdue_request_turns_its_check_red(day: date, late: int) -> None:
    warehouse = company()
    number = requests.add(warehouse, "access", received_on=date(2026, 10, 1), at=NOW, customer="C1")
    result = rights_checks()[0](warehouse=warehouse, as_of=day)
    assert result.passed is (late == 0)  # type: ignore[union-attr]
    assert result.severity == AssetCheckSeverity.ERROR  # type: ignore[union-attr]
    assert result.metadata["unexpected"].value == late  # type: ignore[union-attr]
    assert result.metadata["entries"].value == (number if late else "")  # type: ignore[union-attr]


def test_a_hold_that_nobody_reviewed_is_a_warning() -> None:
    warehouse = company()
    holds.place(
        warehouse, [Record("order", "O1")], reason="court", reviewer="jurist", placed_on=date(2026, 1, 1), at=NOW
    )
    result = rights_checks()[1](warehouse=warehouse, as_of=DAY)
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)  # type: ignore[union-attr]


def test_a_request_starts_one_cycle(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.make()
    watch = next(each for each in sensors(site) if each.name == "request_arrived")
    assert watch.job_name == "run_cycle"
    announce(site, "entered before anybody watched")
    first = asked(watch, None)
    assert first.run_requests == []
    announce(site, "site-r1")
    announce(site, "site-r1")
    announce(site, "2026/14-verified")
    announce(site, "../../x")
    assert len(list((site.dagster / FOLDER).iterdir())) == 4
    folder = site.inbox / "office" / "2026-11-22"
    folder.mkdir(parents=True)
    file = {"name": "requests.csv", "table": "requests", "rows": 1, "sha256": "0" * 64}
    (folder / "delivery.json").write_text(json.dumps({
        "source": "office", "delivery_id": "2026-11-22", "extracted_at": "2026-11-22T01:00:00Z", "mode": "full",
        "files": [file],
    }))  # fmt: skip
    second = asked(watch, first.cursor)
    keys = [each.run_key for each in second.run_requests]
    assert len(keys) == len(set(keys)) == 4
    again = asked(watch, first.cursor)  # whoever died before the cursor was kept asks once more, under the same keys
    assert [each.run_key for each in again.run_requests] == keys
    third = asked(watch, second.cursor)
    assert third.run_requests == []
    assert list((site.dagster / FOLDER).iterdir()) == []  # their runs were asked for: nobody needs the signs
    announce(site, "site-r2")
    assert [each.run_key for each in asked(watch, third.cursor).run_requests] == ["request site-r2"]


def test_a_sign_that_cannot_be_removed_starts_no_second_cycle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path / "site")
    site.make()
    watch = next(each for each in sensors(site) if each.name == "request_arrived")
    tick = asked(watch, asked(watch, None).cursor)
    announce(site, "site-r1")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", denied)
    counts = []
    for _ in range(3):
        tick = asked(watch, tick.cursor)
        counts.append(len(tick.run_requests))
    assert counts == [1, 0, 0]


def asked(watch: SensorDefinition, cursor: str | None) -> Any:
    """A tick of the daemon, which keeps the cursor once the runs were asked for."""
    return watch.evaluate_tick(build_sensor_context(cursor=cursor))


def test_the_evidence_tells_what_the_office_did_and_names_nobody() -> None:
    warehouse = company({"office/requests": [
        {"request_id": "Egil Fiktivsson", "customer_id": "C2", "kind": "access", "received_at": "2026-11-20"},
    ]})  # fmt: skip
    holds.place(warehouse, [Record("order", "O1")], reason="court", reviewer="Vega Testman", placed_on=DAY, at=NOW)
    requests.add(warehouse, "objection", received_on=DAY, at=NOW, email="egil@hem.example")
    requests.answered(warehouse, "Egil Fiktivsson", DAY, NOW)
    told = list(_office(warehouse))
    assert [(facts["register"], facts["event"], facts["entry"]) for _, _, facts in told] == [
        ("holds", "placed", "site-h1"), ("requests", "received", "site-r1"), ("requests", "answered", None),
    ]  # fmt: skip
    assert all(facts_fit(kind, facts) for kind, _, facts in told)
    assert not any(word in json.dumps(told) for word in ("Egil", "egil", "Vega", "O1"))
