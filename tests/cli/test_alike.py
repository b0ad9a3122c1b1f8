"""Two hundred partners that wait for the same take one line; what needs a person is told by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from assets.ledger.issued import ManifestSummary
from assets.publication.status import ManifestState, OverdueItems, Status, Turn
from orchestration.cli import alike, cycle
from orchestration.cli.summary import Summary, UndeliveredLine, UnreadLine

DAY = date(2026, 11, 26)
NOTHING: dict[str, Any] = {
    "as_of": DAY, "deliveries": (), "quarantined": (), "systems": (), "purposes": (), "manifests": (),
    "undelivered": (), "unread": (), "unproven": (), "left_out": (),
}  # fmt: skip


def partners(number: int) -> list[str]:
    return [f"partner:p{each:03}" for each in range(number)]


def standing(number: int) -> Status:
    """Partners of which all but one wait for approval, and one has refused and is late."""
    *waiting, refused = partners(number)
    return Status(
        DAY, "1", (), (), (),
        manifests=(ManifestState("crm", "issued", 1, 7), *(ManifestState(each, "issued", 1, 2) for each in waiting),
                   ManifestState(refused, "refused", 1, 3), ManifestState("web", "issued", 1, 5)),
        overdue_items=(OverdueItems(refused, "M1", DAY, DAY, 3),),
        overdue_requests=(),
        turns=(Turn("approver", "crm", "issued", 7, DAY, "Approve."),
               *(Turn("approver", each, "issued", 2, DAY + timedelta(days=place), "Approve.")
                 for place, each in enumerate(waiting)),
               Turn("privacy", refused, "refused", 3, DAY, "Weigh the reason.")),
    )  # fmt: skip


def test_partners_that_stand_alike_take_one_line_and_who_needs_a_person_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cycle._tell_manifests_of(standing(201))
    told = capsys.readouterr().out
    assert len(told.splitlines()) < 25
    rows = [line.split() for line in told.splitlines()]
    assert ["200", "partners", "issued", "200", "400"] in rows
    assert ["crm", "issued", "1", "7"] in rows
    assert ["approver", "200", "partners", "issued", "400", str(DAY), "Approve."] in rows
    assert [row[0] for row in rows if "partner:p200" in row] == ["partner:p200", "privacy", "partner:p200"]
    assert alike.EACH_BY_NAME in told


def test_a_few_partners_are_told_of_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    found = standing(alike.FEW + 1)
    assert alike.states_alike(found.manifests) == list(found.manifests)
    assert alike.turns_alike(found.turns) == list(found.turns)
    cycle._tell_manifests_of(found)
    assert alike.EACH_BY_NAME not in capsys.readouterr().out
    assert len(alike.states_alike(standing(alike.FEW + 2).manifests)) == 4


def test_of_many_that_need_a_person_the_first_are_named_and_the_rest_counted() -> None:
    late = [
        OverdueItems(each, f"M{each}", DAY, DAY - timedelta(days=place), 1) for place, each in enumerate(partners(200))
    ]
    told = alike.overdue_alike([*late, OverdueItems("crm", "M1", DAY, DAY, 9)])
    assert told[0].system == "crm"
    assert [line.system for line in told[1:21]] == partners(200)[:-21:-1]  # who is late the longest comes first
    assert told[21:] == [OverdueItems("180 more partners", "180 manifests", DAY, DAY - timedelta(days=179), 180)]
    turns = [Turn("privacy", each, "refused", 1, None, "Weigh the reason.") for each in partners(27)]
    assert [line.system for line in alike.turns_alike(turns)] == [*partners(20), "7 more partners"]


def sealed(system: str, day: date, **states: int) -> ManifestSummary:
    issued = datetime(2026, 11, 26, tzinfo=UTC)
    return ManifestSummary(f"{day}-{system:>032}", system, 1, day, issued, day, 2, {"erase": 1, "notify": 1}, states)


def test_a_run_tells_partners_manifests_by_the_day_and_the_states(capsys: pytest.CaptureFixture[str]) -> None:
    manifests = [
        sealed("crm", DAY, issued=2), *(sealed(each, DAY, issued=2) for each in partners(200)),
        *(sealed(each, DAY + timedelta(days=1), issued=2) for each in partners(6)),
        sealed("partner:p000", DAY + timedelta(days=1), done=1, refused=1),
    ]  # fmt: skip
    cycle.tell_manifests(Summary(**{**NOTHING, "manifests": tuple(manifests)}))
    told = capsys.readouterr().out
    assert len(told.splitlines()) == 8
    rows = [line.split() for line in told.splitlines()]
    issued = ["200", "erase,", "200", "notify", "400", "issued"]
    assert ["200", "manifests", "200", "partners", str(DAY), str(DAY), "400", *issued] in rows
    assert sum("partner:p000" in row for row in rows) == 1
    cycle.tell_manifests(Summary(**{**NOTHING, "manifests": (sealed("crm", DAY, issued=2),)}))
    assert alike.EACH_BY_NAME not in capsys.readouterr().out


def test_manifests_that_are_not_shown_are_counted_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    days = [DAY + timedelta(days=number) for number in range(50)]
    manifests = [sealed(each, day, verified=2) for day in days for each in partners(200)]
    cycle.tell_manifests(Summary(**{**NOTHING, "manifests": tuple(manifests)}))
    assert "2000 earlier ones" in capsys.readouterr().out


def test_what_reached_no_partner_for_one_reason_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    undelivered = [
        UndeliveredLine("M1", "crm", "unreachable", "crm: no."),
        *(UndeliveredLine(f"N{each}", each, "unreachable", f"{each}: no.") for each in partners(200)),
    ]
    unread = [UnreadLine(each, "circuit_open", f"{each}: left alone.", 2) for each in partners(200)]
    cycle.tell_summary(Summary(**{**NOTHING, "undelivered": tuple(undelivered), "unread": tuple(unread)}))
    assert capsys.readouterr().err.splitlines() == [
        "gallring: manifest M1 is approved and was not delivered (unreachable): crm: no.",
        "gallring: manifests of 200 partners are approved and were not delivered; the first (unreachable): "
        "partner:p000: no.",
        "gallring: answers of 200 partners could not be read (circuit_open, 400 times): partner:p000: left alone.",
    ]
