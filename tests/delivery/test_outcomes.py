"""What became of one record: the orders about it and where they stand, and why none was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
import yaml

from assets.delivery.outcomes import SENTENCES, Outcome, outcome_of, render, render_gone
from assets.ledger.states import ANSWERS, STATES
from assets.vocabulary import ACTIONS
from assets.warehouse import Warehouse
from tests.delivery.nights import Nights, Rules, System, name_of
from tests.delivery.test_unread import PAST, with_an_unread_order
from tests.manifests.company import DAY

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    """Customers who left long ago, in a system that does what the first letters of their keys say."""
    made = Nights(tmp_path, System("crm"))
    for key in ("T1", "R1", "L1", "N1"):
        made.systems["crm"].add("customers", key, name=name_of(key), **PAST)
    yield made
    made.warehouse.close()


def of_customer(nights: Nights, key: str) -> Outcome:
    return outcome_of(nights.warehouse, "customer", key)


def told(nights: Nights, key: str) -> list[str]:
    return render(of_customer(nights, key), "crm", "en")


def test_before_anything_was_ordered_nothing_is_told() -> None:
    with Warehouse.in_memory() as warehouse:
        warehouse.run("create schema policy")
        warehouse.run("create table policy.records (record_type varchar, source varchar)")
        assert outcome_of(warehouse, "customer", "T1") == Outcome((), False, ())


def test_an_order_is_followed_to_its_proof(nights: Nights) -> None:
    nights.rules = Rules(mode="required")
    nights.night(DAY, *nights.systems)
    (order,) = of_customer(nights, "T1").orders
    assert (order.system, order.action, order.as_of, order.state, order.since) == ("crm", "erase", DAY, "issued", DAY)
    (heading, line) = told(nights, "T1")
    assert heading == "What was ordered"
    assert line == (
        f"  {DAY}, crm: the whole record is to go. Waits for approval ({DAY}). Approve or cancel the manifest. "
        f"Manifest {order.manifest_id[:16]}."
    )
    nights.rules = Rules()
    nights.exchange_with_systems(DAY)
    assert of_customer(nights, "T1").orders[0].state == "done"
    nights.night(NEXT, *nights.systems)
    (order,) = of_customer(nights, "T1").orders
    assert (order.state, order.since, order.due_on) == ("verified", NEXT, None)
    assert "Proved by an export" in told(nights, "T1")[1]


def test_what_a_system_answers_is_told_by_its_code_and_never_by_its_text(nights: Nights) -> None:
    nights.night(DAY, *nights.systems)
    (order,) = of_customer(nights, "R1").orders
    assert (order.state, order.reason) == ("refused", None), "free text is dropped when it is read"
    assert of_customer(nights, "N1").orders[0].state == "delivered"
    nights.systems["crm"].add("customers", "P1", name=name_of("P1"), **PAST)
    nights.night(NEXT, *nights.systems)
    assert "The system has kept a part, required_field" in told(nights, "P1")[1]
    assert "Still there in spite of the answer" in told(nights, "L1")[1]
    everything = "".join(line for key in ("T1", "R1", "L1", "N1", "P1") for line in told(nights, key))
    assert "Provperson" not in everything


def test_a_cancelled_order_is_told_no_more(nights: Nights) -> None:
    nights.rules = Rules(mode="required")
    nights.night(DAY, *nights.systems)
    nights.systems["crm"].tables["customers"]["T1"]["relation_ended_at"] = ""
    nights.systems["crm"].tables["customers"]["T1"]["customer_since"] = DAY.isoformat()
    nights.night(NEXT, *nights.systems)
    assert nights.states("T1") == ["cancelled"]
    assert of_customer(nights, "T1").orders == ()
    assert told(nights, "T1") == ["What was ordered", "  Nothing is ordered of any system."]


def test_a_record_of_another_type_with_the_same_key_is_another(nights: Nights) -> None:
    nights.night(DAY, *nights.systems)
    assert outcome_of(nights.warehouse, "contact", "T1").orders == ()
    assert outcome_of(nights.warehouse, "unicorn", "T1") == Outcome((), False, ())


def test_what_is_left_out_says_why(tmp_path: Path) -> None:
    nights = with_an_unread_order(tmp_path)
    with nights.warehouse:
        nights.rules = Rules(leaves_out=True)
        nights.night(DAY, *nights.systems)
        assert of_customer(nights, "T1") == Outcome((), left_out=True, blocks=())
        assert "a row that was set aside bears on the record" in told(nights, "T1")[-1]
        assert not of_customer(nights, "T2").left_out


def test_what_is_held_back_by_a_delivery_says_which(nights: Nights) -> None:
    nights.night(DAY, *(name for name in nights.systems if name != "orders"))
    outcome = of_customer(nights, "T1")
    assert outcome.orders == ()
    assert "orders/orders: never_arrived" in outcome.blocks
    assert told(nights, "T1")[-1].startswith("  Nothing is ordered of crm while a delivery blocks: orders/")


def test_a_record_that_is_gone_is_told_of_all_the_same(nights: Nights) -> None:
    nights.night(DAY, *nights.systems)
    nights.night(NEXT, *nights.systems)
    assert nights.warehouse.value("select count(*) from retention.records where record_key = 'T1'") == 0
    lines = render_gone(of_customer(nights, "T1"), "customer", "T1", "crm", NEXT, "sv")
    assert lines[:3] == [f"customer T1 finns inte i något källsystem, {NEXT}.", "", "Vad som har beordrats"]
    assert "hela posten ska bort. Bevisat av en export" in lines[3]
    blocked = replace(of_customer(nights, "T1"), blocks=("orders/orders: stale",))
    lines = render_gone(blocked, "customer", "T1", "crm", NEXT, "en")
    assert lines[-1] == "  Nothing is ordered of crm while a delivery blocks: orders/orders: stale."


def _words() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))
    return found


def test_every_state_and_action_has_its_words_in_both_languages() -> None:
    words = _words()
    for language in ("sv", "en"):
        assert words[language]["states"].keys() == {state.name for state in STATES} - {"cancelled"}
        assert words[language]["actions"].keys() == set(ACTIONS)
        assert set(ANSWERS) <= words[language]["states"].keys()


def test_both_languages_say_the_same() -> None:
    def shape(words: Any) -> Any:
        if isinstance(words, str):
            return {name for _, name, _, _ in Formatter().parse(words) if name}
        return {key: shape(entry) for key, entry in words.items()}

    words = _words()
    assert shape(words["sv"]) == shape(words["en"])
