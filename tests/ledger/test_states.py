"""The states of an item: which steps there are, and that what is recorded follows them."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlglot
from sqlglot import exp

from assets.ledger import issued
from assets.ledger.states import (
    ANSWERS,
    BY_NAME,
    ORIGINS,
    OWNERS,
    STATES,
    Event,
    allowed,
    among,
    among_items,
    ask_of_items,
    ask_of_manifests,
    ask_of_manifests_in,
    is_code,
    record,
    record_selected,
)
from assets.warehouse import Warehouse

VIEWS = ("common_states", "own_states", "item_states", "manifest_states")
DAY = date(2026, 11, 25)
NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)

#: As interfaces.md names them.
NAMED = {
    "issued", "approved", "delivered", "accepted", "queued", "done", "verified", "already_absent", "partly_retained",
    "refused", "withheld", "overdue", "discrepancy", "cancelled",
}  # fmt: skip


@pytest.fixture
def warehouse() -> Warehouse:
    """Two manifests of three items each."""
    warehouse = Warehouse.in_memory()
    issued.prepare(warehouse)
    for manifest, system in (("M1", "crm"), ("M2", "orders")):
        warehouse.insert("manifest.manifests", ["manifest_id", "system", "sequence"], [(manifest, system, 1)])
        warehouse.insert(
            "manifest.items",
            ["manifest_id", "item_id", "system", "record_type", "record_key", "action", "as_of", "respond_by"],
            [(manifest, f"{manifest}-{n}", system, "customer", f"C{n}", "erase", DAY, "2026-12-25") for n in (1, 2, 3)],
        )
    return warehouse


def states(warehouse: Warehouse, manifest: str = "M1") -> list[str]:
    return [
        state
        for (state,) in warehouse.rows(
            "select state from manifest.item_states where manifest_id = $id order by item_id", {"id": manifest}
        )
    ]


def event(state: str, item: int | None = None, **more: object) -> Event:
    return Event("M1", state, DAY, "clock", item_id=f"M1-{item}" if item else None, **more)  # type: ignore[arg-type]


def test_the_states_are_those_of_the_interfaces() -> None:
    assert {state.name for state in STATES} == NAMED
    assert all(step in BY_NAME for state in STATES for step in state.steps)


def test_every_state_has_an_owner_and_a_next_step_in_both_languages() -> None:
    for state in STATES:
        assert state.owner in OWNERS
        assert len({state.next_sv, state.next_en, ""}) == 3
        assert (state.owner == "nobody") == (not state.steps)


def test_only_verified_and_cancelled_are_ends() -> None:
    assert {state.name for state in STATES if not state.steps} == {"verified", "cancelled"}


def test_nothing_is_approved_delivered_or_issued_twice() -> None:
    assert [s.name for s in STATES if "issued" in s.steps] == []
    assert [s.name for s in STATES if "approved" in s.steps] == ["issued"]
    assert [s.name for s in STATES if "delivered" in s.steps] == ["approved"]


def test_verified_comes_from_a_delivered_item_alone() -> None:
    assert not any(allowed(state, "verified") for state in ("issued", "approved"))
    assert all(allowed(answer, "verified") for answer in ANSWERS)


def test_an_item_without_events_is_issued(warehouse: Warehouse) -> None:
    assert states(warehouse) == ["issued"] * 3


def test_one_event_speaks_for_the_whole_manifest_and_for_no_other(warehouse: Warehouse) -> None:
    assert record(warehouse, [event("approved", by_whom="A. Prover")]) == []
    assert states(warehouse) == ["approved"] * 3
    assert states(warehouse, "M2") == ["issued"] * 3
    assert warehouse.value("select count(*) from manifest.events") == 1


def test_what_was_settled_otherwise_stays_so(warehouse: Warehouse) -> None:
    record(warehouse, [event("cancelled", 2), event("approved"), event("delivered", at=NOW)])
    assert states(warehouse) == ["delivered", "cancelled", "delivered"]


def test_steps_that_lead_nowhere_are_given_back_and_change_nothing(warehouse: Warehouse) -> None:
    early = event("done", 1)
    unknown = Event("M9", "approved", DAY, "approve")
    twice = event("approved")
    assert record(warehouse, [early, unknown, event("approved"), twice]) == [early, unknown, twice]
    assert states(warehouse) == ["approved"] * 3
    assert warehouse.value("select count(*) from manifest.events") == 1


def test_events_of_one_call_are_judged_in_their_order(warehouse: Warehouse) -> None:
    late = event("accepted", 1)
    assert record(warehouse, [event("approved"), event("delivered"), event("done", 1), late]) == [late]
    assert states(warehouse) == ["done", "delivered", "delivered"]


def test_the_order_of_arrival_decides_and_not_the_day(warehouse: Warehouse) -> None:
    record(warehouse, [event("approved"), event("delivered")])
    record(warehouse, [Event("M1", "done", date(2026, 1, 1), "receipt", item_id="M1-1")])
    assert states(warehouse)[0] == "done"
    assert [n for (n,) in warehouse.rows("select sequence from manifest.events order by all")] == [1, 2, 3]


def test_a_state_says_since_when_why_and_until_when(warehouse: Warehouse) -> None:
    record(warehouse, [event("approved"), event("delivered", at=NOW)])
    record(warehouse, [event("withheld", 1, reason="order_within_180_days", until=date(2027, 5, 24))])
    found = warehouse.records("select * from manifest.item_states where item_id = 'M1-1'")[0]
    assert (found["state"], found["reason"], found["due_on"], found["owner"]) == (
        "withheld", "order_within_180_days", date(2027, 5, 24), "system",
    )  # fmt: skip
    other = warehouse.records("select * from manifest.item_states where item_id = 'M1-2'")[0]
    assert (other["due_on"], other["happened_at"]) == (date(2026, 12, 25), NOW.replace(tzinfo=None))


def test_a_refusal_without_a_day_falls_due_after_thirty(warehouse: Warehouse) -> None:
    record(warehouse, [event("approved"), event("delivered"), event("refused", 1, reason="business_open")])
    assert warehouse.value("select due_on from manifest.item_states where item_id = 'M1-1'") == date(2026, 12, 25)
    assert warehouse.value("select is_open from manifest.item_states where item_id = 'M1-1'") is True


def test_an_acknowledged_restriction_is_nobodys_to_prove(warehouse: Warehouse) -> None:
    warehouse.run("update manifest.items set action = 'restrict' where item_id = 'M1-1'")
    record(warehouse, [event("approved"), event("delivered"), event("done", 1), event("done", 2)])
    found = warehouse.rows("select owner, is_open from manifest.item_states where state = 'done' order by item_id")
    assert found == [("nobody", False), ("gallring", True)]


def test_free_text_is_no_reason() -> None:
    assert all(is_code(text) for text in ("business_open", "eu-gdpr:a17-3-b"))
    for text in ("Test Person har öppna affärer", "Business open", "", "a" * 81, "business_open\n"):
        assert not is_code(text)
        with pytest.raises(ValueError, match="code"):
            event("refused", 1, reason=text)


def test_an_unknown_state_or_origin_is_a_defect() -> None:
    with pytest.raises(ValueError, match="gone"):
        event("gone")
    assert "gossip" not in ORIGINS
    with pytest.raises(ValueError, match="gossip"):
        Event("M1", "done", DAY, "gossip")


def test_many_items_take_a_step_by_one_query(warehouse: Warehouse) -> None:
    record(warehouse, [event("approved"), event("delivered"), event("done", 3)])
    number = record_selected(
        warehouse,
        "select manifest_id, item_id, 'overdue' as state, cast($day as date) as on_day, 'clock' as origin "
        "from manifest.items",
        {"day": DAY},
    )
    assert number == 2
    assert states(warehouse) == ["overdue", "overdue", "done"]
    assert states(warehouse, "M2") == ["issued"] * 3


def test_an_older_warehouse_gets_the_columns_that_came_later() -> None:
    warehouse = Warehouse.in_memory()
    warehouse.run("create schema manifest")
    warehouse.run(
        "create table manifest.events (item_id varchar, manifest_id varchar, state varchar, on_day date, "
        "detail varchar)"
    )
    warehouse.run("insert into manifest.events values ('I1', 'M1', 'issued', date '2026-11-22', null)")
    issued.prepare(warehouse)
    warehouse.insert("manifest.items", ["manifest_id", "item_id", "action"], [("M1", "I1", "erase")])
    assert record(warehouse, [event("approved")]) == []
    assert states(warehouse) == ["approved"]


def test_what_is_counted_by_manifest_is_what_the_items_say() -> None:
    """Random steps of items and whole manifests, in random order, on random days."""
    counted = (
        "select manifest_id, system, action, state, max(since), is_open, owner, count(*) from manifest.item_states "
        "group by all order by all"
    )
    for seed in range(12):
        chance = random.Random(seed)
        warehouse = Warehouse.in_memory(threads=1)
        issued.prepare(warehouse)
        for number in range(3):
            warehouse.insert(
                "manifest.items", ["manifest_id", "item_id", "system", "record_type", "record_key", "action", "as_of"],
                [(f"M{number}", f"I{number}-{item}", "crm", "customer", f"C{item}",
                  chance.choice(issued.ACTIONS), DAY) for item in range(6)],
            )  # fmt: skip
        names = [state.name for state in STATES if state.name != "issued"]
        weights = [6 if name in ("approved", "delivered") else 1 for name in names]
        for _ in range(chance.randrange(60)):
            number, day = chance.randrange(3), DAY + timedelta(days=chance.randrange(20))
            item = None if chance.random() < 0.4 else f"I{number}-{chance.randrange(6)}"
            record(warehouse, [Event(f"M{number}", chance.choices(names, weights)[0], day, "clock", item_id=item)])
        told = warehouse.rows("select manifest_id, system, action, state, since, is_open, owner, items "
                              "from manifest.manifest_states order by all")  # fmt: skip
        assert told == warehouse.rows(counted), seed
        narrowed_is_the_same(warehouse, chance)


def narrowed_is_the_same(warehouse: Warehouse, chance: random.Random) -> None:
    """What is said of some manifests or items is what the views say of them; who may stand there leaves none out."""
    manifests = chance.sample(["M0", "M1", "M2"], 2)
    items = [f"I{number}-{item}" for number in range(3) for item in chance.sample(range(6), 2)]
    named = "select unnest(cast($names as varchar[])) as"
    assert ask_of_manifests(warehouse, f"{named} manifest_id", {"names": manifests})
    for view in VIEWS:
        whole = f"from manifest.{view} where list_contains(cast($names as varchar[]), manifest_id) order by all"
        assert warehouse.rows(f"from ({among(view)}) order by all") == warehouse.rows(whole, {"names": manifests})
    assert ask_of_items(warehouse, f"{named} item_id", {"names": items})
    whole = "from manifest.item_states where list_contains(cast($names as varchar[]), item_id) order by all"
    assert warehouse.rows(f"from ({among_items()}) order by all") == warehouse.rows(whole, {"names": items})
    for state in STATES:
        ask_of_manifests_in(warehouse, state.name)
        standing = warehouse.rows(
            "select manifest_id from manifest.manifest_states where state = ? "
            "and manifest_id not in (select manifest_id from asked_manifests)", [state.name],
        )  # fmt: skip
        assert standing == [], state.name


@pytest.mark.parametrize("select", [*map(among, VIEWS), among_items()])
def test_nothing_but_what_is_asked_of_is_looked_at(select: str) -> None:
    tables = list(sqlglot.parse_one(select, read="duckdb").find_all(exp.Table))
    read = [table for table in tables if table.db == "manifest"]
    assert {table.name for table in read} <= {"events", "items", "states", "state_steps"}
    for table in read:
        if table.name in ("events", "items"):
            where = table.find_ancestor(exp.Select).args["where"]  # type: ignore[union-attr]
            assert {each.name for each in where.find_all(exp.Table)} & {"asked_manifests", "asked_items"}
    assert {"asked_manifests", "asked_items"} & {table.name for table in tables}


def test_a_manifest_that_stands_nowhere_near_is_not_asked(warehouse: Warehouse) -> None:
    record(warehouse, [event("approved"), event("delivered"), event("done", 1)])
    assert ask_of_manifests_in(warehouse, "issued", "approved")
    assert warehouse.rows("from asked_manifests") == [("M2",)]
    assert not ask_of_manifests_in(warehouse, "refused")
