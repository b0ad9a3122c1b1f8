"""A hold placed after a manifest was sealed and approved recalls what it holds; the rest leaves the same day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from assets.core.building import build
from assets.delivery.approving import approve
from assets.evidence.recording import record
from assets.publication.analytics import publish
from assets.retention.evaluation import evaluate
from assets.rights import freetext, holds
from assets.rights.holds import Record
from tests.delivery.nights import POLICY, Nights, System, instant, name_of

DAY = date(2026, 11, 1)
KEYS = ("T1", "T2", "T3", "T4")
EVERY = {*KEYS, *(f"{key}-i" for key in KEYS)}
#: Of the first customer one record is held, of the second everything, of the third what a query names; of T4 nothing.
HELD = {"T1-i", "T2", "T2-i", "T3", "T3-i"}
SOURCES = ("crm", "orders", "mailing", "web", "office")


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """Three customers whose last day has long passed, with a call each; sealed and approved, not yet delivered."""
    crm = System("crm")
    for key in KEYS:
        crm.add("customers", key, customer_type="private", name=name_of(key), customer_since="2020-01-01")
        crm.add(
            "interactions", f"{key}-i", customer_id=key, channel="phone", occurred_at="2020-01-02", body="Provsamtal"
        )
    made = Nights(tmp_path, crm)
    made.rules.mode = "required"
    for source in SOURCES:
        made.export(source, DAY)
    made.take_in(DAY)
    made.decide(DAY)
    freetext.scan(made.warehouse)
    publish(made.warehouse, POLICY, made.site)
    for (manifest_id,) in made.warehouse.rows("select manifest_id from manifest.manifests"):
        approve(made.warehouse, manifest_id, by="A. Prover", reason="x", on_day=DAY, at=instant(DAY, 6))
    return made


def left(nights: Nights) -> set[str]:
    """The records that the system was told to erase."""
    return {key for _, _, key in nights.systems["crm"].erased}


def job(nights: Nights, day: date) -> None:
    """What the job that delivers does: evaluate the day, look at each item at the door, deliver."""
    build(nights.warehouse)
    evaluate(nights.warehouse, POLICY, day)
    nights.exchange_with_systems(day)
    assert left(nights) == set(), "what fell takes its manifest with it; the rest is sealed anew"
    nights.rules.mode = "automatic"
    nights.exchange_with_systems(day)


def place_holds(nights: Nights) -> None:
    """By record, by customer, and by a query over the published tables."""
    query = "select record_type, record_key from retention.dispositions where record_key like 'T3%'"
    for records in ([Record("interaction", "T1-i")], [Record("customer", "T2")], holds.chosen_by(nights.site, query)):
        holds.place(nights.warehouse, records, reason="dispute", reviewer="jurist", placed_on=DAY, at=instant(DAY, 7))


def test_what_is_held_between_sealing_and_delivery_stays_and_leaves_after_release(nights: Nights) -> None:
    assert all(nights.states(key) == ["approved"] for key in EVERY)
    place_holds(nights)
    job(nights, DAY)
    assert left(nights) == EVERY - HELD
    for key in HELD:
        assert nights.states(key)[0] == "cancelled"
        assert set(nights.states(key)[1:]) <= {"done"}  # a restriction, told in its place
    for key in EVERY - HELD:
        assert nights.states(key) == ["cancelled", "done"]  # recalled with its manifest, sealed anew and done
    assert holds.fallen_due(nights.warehouse)[0] == len(HELD)

    for hold in sorted({each.hold_id.partition(".")[0] for each in holds.holds(nights.warehouse, DAY)}):
        holds.release(nights.warehouse, hold, DAY + timedelta(days=1), instant(DAY, 8))
    nights.night(DAY + timedelta(days=1), *SOURCES)
    assert left(nights) == EVERY - HELD, "the last day of a hold holds"
    nights.night(DAY + timedelta(days=2), *SOURCES)
    assert left(nights) == EVERY, "and the first cycle after it does not"
    require_evidence(nights)


def require_evidence(nights: Nights) -> None:
    """The log tells of the hold, the recall and the release, and of nobody."""
    record(nights.warehouse, nights.site, nights.signer, instant(DAY, 9))
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(nights.site.evidence.rglob("*.jsonl")))
    told = [json.loads(line) for line in text.splitlines()]
    office = [entry["facts"] for entry in told if entry["kind"] == "office"]
    assert {facts["event"] for facts in office} == {"placed", "released"}
    assert any(entry["kind"] == "cancelled" and "now_restrict" in json.dumps(entry) for entry in told)
    assert not any(word in text for word in ("Provperson", "jurist", "T2-i", "Provsamtal"))
