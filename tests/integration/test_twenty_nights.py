"""Twenty nights against systems that tell the truth, lie, refuse, withhold, stammer, fail and forget.

One company is played once; the tests look at where it stands at the end. Everything is the product's own but the
systems: intake, evaluation, sealing, the folder transport, receipts, settling.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest

from assets.delivery.approving import approve, cancel
from assets.ledger import issued
from assets.manifests.verifying import verify
from tests.delivery.nights import Nights, System, instant, name_of

FIRST = date(2026, 11, 1)
NIGHTS = 20
LAST = FIRST + timedelta(days=NIGHTS - 1)

#: The nights on which something happens to the company.
OFFICE, DOWN, UP, WAITING, HOLD, APPROVED, CANCELLED, BACKUP = 2, 4, 7, 8, 9, 10, 12, 14

#: One customer a temper falls due every few nights; what each means stands in `tests.delivery.nights`.
TEMPERS = ("T", "L", "H", "P", "R", "W", "Q", "N", "S", "D", "O", "A")


def night_of(day: date) -> int:
    return (day - FIRST).days


def systems() -> tuple[System, ...]:
    """Customers, subscribers, orders and web events whose last day falls within the twenty nights, or long before."""
    crm, orders, mailing, web, office = (System(name) for name in ("crm", "orders", "mailing", "web", "office"))
    for number, temper in enumerate(TEMPERS):
        for turn, due in enumerate((-100, number, number + 8)):
            key = f"{temper}{number:02}{turn}"
            since = (FIRST + timedelta(days=due)).replace(year=2023) - timedelta(days=1)
            crm.add("customers", key, customer_type="private", name=name_of(key), phone="070-1740605",
                    street="Provgatan 1", customer_since=since.isoformat())  # fmt: skip
            subscribed = (FIRST + timedelta(days=due)).replace(year=2024) - timedelta(days=1)
            mailing.add("subscribers", f"{key}-s", email=f"{key.lower()}@post.example", name=name_of(key), list="news",
                        subscribed_at=subscribed.isoformat())  # fmt: skip
    for number in range(8):
        key = f"T-o{number}"
        orders.add("orders", key, purchase_capacity="private", placed_at="2012-01-05", status="closed",
                   closed_at="2012-02-01", buyer_name=name_of(key), buyer_email=f"o{number}@hem.example")  # fmt: skip
        delivered = FIRST - timedelta(days=90 - number)
        orders.add("orders", f"{key}n", purchase_capacity="private", placed_at="2026-07-01", status="open",
                   buyer_name=name_of(key))  # fmt: skip
        orders.add("deliveries", f"{key}d", order_id=f"{key}n", partner_id="P1", contact_name=name_of(key),
                   phone="070-1740606", street="Provgatan 1", delivered_at=delivered.isoformat())  # fmt: skip
        web.add("events", f"S-w{number}", cookie_id=f"k{number}", ip="192.0.2.10", kind="view", url="/",
                occurred_at=(FIRST - timedelta(days=90 - 2 * number)).isoformat())  # fmt: skip
    office.add("partners", "P1", name="Budfirman", role="processor")
    return crm, orders, mailing, web, office


def play(nights: Nights) -> None:
    """The twenty nights."""
    backup: dict[str, dict[str, dict[str, str]]] = {}
    waiting: list[str] = []
    for night in range(NIGHTS):
        day = FIRST + timedelta(days=night)
        happen(nights, night, day, backup)
        sources = ["crm", "mailing"] if night % 2 == 0 else []
        sources += ["orders", "web", "office"] if night % 3 == 0 or night == HOLD else []
        nights.night(day, *sources)
        if night == WAITING:
            waiting += [each.manifest_id for each in nights.decided if each.decision == "waits"]
            assert waiting
        if night == APPROVED:
            for each in issued.manifests(nights.warehouse):
                if "issued" in each.states:
                    approve(nights.warehouse, each.manifest_id, by="A. Prover", reason="read", on_day=day,
                            at=instant(day, 9))  # fmt: skip
            nights.deliver(day)


def happen(nights: Nights, night: int, day: date, backup: dict[str, Any]) -> None:
    """What the night brings before the cycle runs."""
    mailing, crm, office = nights.systems["mailing"], nights.systems["crm"], nights.systems["office"]
    away = nights.site.path / "unmounted"
    if night == OFFICE:
        backup.update(deepcopy(mailing.tables))
    if night == DOWN:
        nights.exchange("crm").rename(away)
    if night == UP:
        away.rename(nights.exchange("crm"))
    nights.rules.mode = "required" if WAITING <= night <= APPROVED else "automatic"
    if night == HOLD:
        held = next(
            key
            for (key,) in nights.warehouse.rows(
                "select record_key from manifest.item_states where state = 'issued' and system = 'crm' order by 1"
            )
        )
        office.add("holds", "H1", record_type="customer", record_key=held, placed_at=day.isoformat())  # fmt: skip
        assert held in crm.tables["customers"]
    if night == CANCELLED:
        nights.rules.mode = "required"
    if night == CANCELLED + 1:
        for each in issued.manifests(nights.warehouse):
            if "issued" in each.states:
                cancel(nights.warehouse, each.manifest_id, by="A. Prover", reason="once more", on_day=day,
                       at=instant(day, 1))  # fmt: skip
    if night == BACKUP:
        mailing.tables = deepcopy(backup)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    nights = Nights(tmp_path_factory.mktemp("twenty"), *systems(), respond_within=10)
    play(nights)
    yield nights
    nights.warehouse.close()


def test_every_item_is_at_its_end_or_has_an_owner_and_a_day(played: Nights) -> None:
    rows = played.warehouse.rows(
        "select state, action, owner, due_on, is_open, next_sv, next_en from manifest.item_states"
    )
    assert len(rows) > 100
    for state, action, owner, due_on, is_open, next_sv, next_en in rows:
        assert next_sv
        assert next_en
        if is_open:
            assert owner in ("approver", "gallring", "system", "privacy")
            assert due_on is not None
        else:
            ended = state in ("verified", "cancelled")
            assert ended or (state in ("done", "already_absent") and action in ("restrict", "lift", "notify"))
    states = Counter(row[0] for row in rows)
    assert {"verified", "cancelled", "discrepancy", "refused", "withheld", "partly_retained", "overdue"} <= set(states)


def test_no_item_is_lost(played: Nights) -> None:
    """Whatever is to be erased today and still has a value in its source has been told, and not been forgotten."""
    lost = played.warehouse.rows(
        """
        select records.record_type, records.record_key
        from retention.records as records
        where not exists (
            select 1 from retention.dispositions as dispositions
            where dispositions.record_type = records.record_type and dispositions.row_id = records.row_id
                and dispositions.disposition <> 'erase'
        ) and not exists (
            select 1 from manifest.item_states as states
            where states.record_type = records.record_type and states.record_key = records.record_key
                and states.action = 'erase' and states.is_open
        )
        """
    )
    present = [(kind, key) for kind, key in lost if held(played, kind, key)]
    assert present == []


def held(played: Nights, record_type: str, key: str) -> bool:
    """Whether the source still has a personal value of the record."""
    from tests.delivery.nights import RECORD_TABLES

    source, table, _ = RECORD_TABLES[record_type]
    row = played.systems[source].tables.get(table, {}).get(key, {})
    return any(row.get(field) for field in ("name", "email", "phone", "ip", "buyer_name", "contact_name"))


def test_nothing_is_sent_twice_with_effect(played: Nights) -> None:
    """One open order at a time for each field; each manifest arrived once; no order was carried out twice."""
    twice = played.warehouse.rows(
        "select states.system, states.record_key, states.action, items.fields from manifest.item_states as states "
        "inner join manifest.items as items on items.item_id = states.item_id where states.is_open "
        "group by all having count(*) > 1"
    )
    assert twice == []
    delivered = played.warehouse.rows(
        "select manifest_id, count(*) from manifest.events where state = 'delivered' group by all having count(*) > 1"
    )
    assert delivered == []
    for system in played.systems.values():
        assert max(Counter(item for item, _, _ in system.erased).values(), default=1) == 1, system.name
        erased = Counter((kind, key) for _, kind, key in system.erased if key[0] not in "HP")
        expected = 2 if system.name == "mailing" else 1  # what the old backup brought back was erased once more
        assert max(erased.values(), default=1) <= expected, system.name


def test_each_temper_ends_as_it_should(played: Nights) -> None:
    """The customers whose last day was long before: sealed on the first night."""
    ended = {temper: played.states(f"{temper}{number:02}0") for number, temper in enumerate(TEMPERS)}
    for truthful in "TQSDOA":
        assert ended[truthful] == ["verified"], truthful
    assert ended["L"] == ["discrepancy"]
    assert ended["H"] == ["discrepancy"]
    assert ended["P"] == ["partly_retained"]
    assert ended["R"] == ["refused"]
    assert ended["W"] == ["withheld"]
    assert ended["N"] == ["overdue"]


def test_what_was_withheld_has_its_day(played: Nights) -> None:
    days = played.warehouse.rows(
        "select distinct due_on - since from manifest.item_states where state = 'withheld' and system = 'crm'"
    )
    assert days == [(180,)]


def test_a_name_in_a_refusal_is_nowhere_in_the_ledger(played: Nights) -> None:
    for table in ("events", "receipts", "items", "manifests"):
        text = played.warehouse.value(
            f"select count(*) from manifest.{table} as each where contains(cast(each as varchar), 'Provperson')"
        )
        assert text == 0, table
    assert played.warehouse.value("select count(*) from manifest.item_states where state = 'refused'") > 0


def test_a_system_that_was_down_delayed_nobody_and_got_everything(played: Nights) -> None:
    days = played.warehouse.rows(
        "select manifests.system, manifests.as_of, events.on_day from manifest.events as events "
        "inner join manifest.manifests as manifests on manifests.manifest_id = events.manifest_id "
        "where events.state = 'delivered'"
    )
    down = [(sealed, arrived) for system, sealed, arrived in days
            if system == "crm" and DOWN <= night_of(sealed) < UP]  # fmt: skip
    assert down
    assert all(night_of(arrived) >= UP for _, arrived in down)
    meanwhile = [arrived for system, _, arrived in days if system == "mailing" and DOWN <= night_of(arrived) < UP]
    assert meanwhile


def test_a_hold_at_the_door_kept_its_record(played: Nights) -> None:
    (held_key,) = [row["record_key"] for row in played.systems["office"].tables["holds"].values()]
    assert held_key in played.systems["crm"].tables["customers"]
    assert played.systems["crm"].tables["customers"][held_key]["name"] == name_of(held_key)
    reasons = played.warehouse.rows(
        "select distinct origin from manifest.item_states where record_key = $key and state = 'cancelled'",
        {"key": held_key},
    )
    assert ("recall",) in reasons


def test_what_an_old_backup_brought_back_was_told_anew(played: Nights) -> None:
    returned = played.warehouse.rows(
        "select states.system, states.record_key from manifest.verifications as proofs inner join "
        "manifest.item_states as states on states.item_id = proofs.item_id where proofs.outcome = 'returned'"
    )
    assert {system for system, _ in returned} == {"mailing"}
    truthful = [key for _, key in returned if key[0] in "TSDOAQ"]
    assert truthful
    assert all(played.states(key)[-2:] == ["verified", "verified"] for key in truthful)
    assert not any(key in played.systems["mailing"].tables["subscribers"] for key in truthful)


def test_partners_were_told_once_and_answered(played: Nights) -> None:
    told = issued.recipients(played.warehouse, "delivery", "T-o0d")
    assert [(each.partner_id, each.role, each.state) for each in told] == [("P1", "processor", "done")]
    assert told[0].told_on is not None
    assert told[0].answered_on is not None


def test_the_chain_of_every_system_is_whole_at_its_receiver(played: Nights) -> None:
    """What arrived, and the bare documents of what was cancelled, form one chain without a hole."""
    public = played.site.keys / "signing.pub.pem"
    for folder in sorted((played.site.path / "exchange").iterdir()):
        documents = [
            json.loads(path.read_text(encoding="utf-8"))
            for place in ("manifests", "cancelled")
            for path in folder.glob(f"{place}/*/manifest.json")
        ]
        ids = {document["manifest_id"] for document in documents}
        sealed = played.warehouse.rows(
            "select manifest_id, previous from manifest.manifests where list_contains($ids, manifest_id) "
            "order by sequence",
            {"ids": sorted(ids)},
        )
        numbers = played.warehouse.rows(
            "select sequence from manifest.manifests where list_contains($ids, manifest_id) order by sequence",
            {"ids": sorted(ids)},
        )
        assert [number for (number,) in numbers] == list(range(1, len(sealed) + 1)), folder.name
        for path in folder.glob("manifests/*"):
            assert verify(path, public).problems == ()
