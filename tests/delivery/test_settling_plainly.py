"""Settlement starts from the few that can be settled; here every item is looked at, one by one, night after night."""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from assets.delivery.settling import settle
from assets.ingest import readings
from assets.ledger import issued, told
from assets.ledger.states import ANSWERS, Event, allowed, record
from assets.manifests.fields import number_fields
from assets.warehouse import Warehouse
from tests.manifests.company import POLICY, RECORDS, Company

DAY = date(2026, 11, 1)
SEEDS = int(os.environ.get("GALLRING_TEST_SEEDS", "6"))
NIGHTS = 8
#: What is answered to an item, and how often.
_STEPS = (*ANSWERS, "done", "done", "done", "already_absent", "partly_retained", "cancelled")
FIELDS = {
    record_type: [field for names in categories.values() for field in names]
    for record_type, (_, _, _, categories) in RECORDS.items()
}


#: The state that an outcome leads to, where it is no state.
ENDS = {"superseded": "cancelled"}


class Proof(NamedTuple):
    manifest_id: str
    item_id: str
    outcome: str
    delivery_id: str
    reason: str | None


class Sources:
    """Three systems that keep, lose, empty, merge and bring back records as chance has it, and tell of it or not."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.warehouse = Warehouse.in_memory(threads=1)
        company = Company(self.warehouse)
        run = self.warehouse.run
        run("delete from intake.deliveries")
        run("delete from intake.files")
        run("alter table intake.files add column rows_quarantined bigint")
        run(f"create table intake.readings ({readings.COLUMNS})")
        run("create table intake.quarantined (source varchar, table_name varchar, delivery_id varchar, "
            "record_key varchar)")  # fmt: skip
        for source, table, _, _ in RECORDS.values():
            run(f"alter table raw.{source}_{table} add column in_delivery varchar")
        run("alter table raw.crm_customers add column merged_into varchar")
        self.keys = {record_type: [f"{record_type[0]}{number}" for number in range(14)] for record_type in RECORDS}
        for record_type, keys in self.keys.items():
            for key in keys:
                company.add(record_type, key)
        issued.prepare(self.warehouse)
        number_fields(self.warehouse)
        self.minute = 0
        self.sealed: dict[str, list[str]] = {}

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def instant(self, day: date) -> datetime:
        """A later instant than any before it, unless it is of an earlier day."""
        self.minute += 1
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=self.minute)

    def done_at(self, day: date) -> datetime | None:
        """When something was done that was told of on a day: then, before or after the next export, or nobody knows."""
        return self.instant(day + timedelta(days=self.chance.choice([-1, 0, 0, 1, 2]))) if self.maybe(0.8) else None

    # -- what is told to them -------------------------------------------------------------------------------------

    def seal(self, number: int, day: date) -> None:
        """A manifest to one system: what it orders is the last word on the fields that it names."""
        record_type = self.chance.choice(list(RECORDS))
        manifest_id, source = f"M{number:02}", RECORDS[record_type][0]
        items, words = [], []
        for key in self.chance.sample(self.keys[record_type], self.chance.randint(4, 12)):
            action = self.chance.choice(["erase", "erase", "redact", "redact", "restrict", "lift"])
            fields = FIELDS[record_type] if action == "erase" else self.chance.sample(FIELDS[record_type], 2)
            state = {"restrict": "restrict", "lift": "retain"}.get(action, "erase")
            item_id = f"{manifest_id}-{key}"
            items.append((manifest_id, item_id, source, record_type, key, action, fields, day))
            words.append((record_type, key, state, item_id, day, action, fields))
        columns = ["manifest_id", "item_id", "system", "record_type", "record_key", "action", "fields", "as_of"]
        self.warehouse.insert("manifest.items", columns, items)
        self.warehouse.insert(
            "manifest.manifests", ["manifest_id", "system", "sequence"], [(manifest_id, source, number)]
        )
        self.warehouse.run("create or replace temp table said_words (record_type varchar, record_key varchar, "
                           "state varchar, item_id varchar, as_of date, action varchar, fields varchar[])")  # fmt: skip
        self.warehouse.insert(
            "said_words", ["record_type", "record_key", "state", "item_id", "as_of", "action", "fields"], words
        )
        told.tell(self.warehouse, "select words.* exclude (fields), bit_or(numbers.bit) as named "
                  "from said_words as words "
                  "inner join manifest.field_numbers as numbers on numbers.record_type = words.record_type "
                  "and list_contains(words.fields, numbers.field) group by all")  # fmt: skip
        self.sealed[manifest_id] = [item[1] for item in items]

    def step(self, day: date) -> None:
        """Manifests are approved, delivered or cancelled; items are answered."""
        events = []
        done = {item_id for (item_id,) in self.warehouse.rows(
            "select item_id from manifest.item_states where state in ('done', 'already_absent')"
        )}  # fmt: skip
        for manifest_id, items in self.sealed.items():
            if self.maybe(0.7):
                events.append(Event(manifest_id, "approved", day, "approve", at=self.instant(day)))
            if self.maybe(0.7):
                at = self.instant(day) if self.maybe(0.8) else None
                events.append(Event(manifest_id, "delivered", day, "deliver", at=at))
            if self.maybe(0.05) and not done.intersection(items):
                events.append(Event(manifest_id, "cancelled", day, "cancel"))
            answers = [
                Event(manifest_id, self.chance.choice(_STEPS), day, "receipt", item_id=item_id, at=self.done_at(day))
                for item_id in items
                if self.maybe(0.3)
            ]
            # Nobody cancels what was said to be done: what took it back closes it.
            events += [each for each in answers if each.state != "cancelled" or each.item_id not in done]
        record(self.warehouse, events)

    # -- what they deliver ----------------------------------------------------------------------------------------

    def deliver(self, record_type: str, day: date) -> None:
        source, table, _, _ = RECORDS[record_type]
        mode = "full" if self.maybe(0.75) else "delta"
        late = day - timedelta(days=2) if self.maybe(0.15) else day
        at, delivery_id = self.instant(late), f"D{self.minute}"
        status, file_status = ("loaded" if self.maybe(0.9) else "rejected" for _ in range(2))
        if self.warehouse.value("select count(*) from intake.deliveries where source = ? and status = 'loaded' "
                                "and extracted_at > ?", [source, at.replace(tzinfo=None)]):  # fmt: skip
            status = "rejected"  # it is behind what is known
        self.warehouse.insert(
            "intake.deliveries", ["sequence", "source", "delivery_id", "status", "mode", "extracted_at"],
            [(self.minute, source, delivery_id, status, mode, at.replace(tzinfo=None))],
        )  # fmt: skip
        for key in self.keys[record_type]:
            if self.maybe(0.8 if mode == "full" else 0.3):
                self._arrive(record_type, key, delivery_id)
        set_aside = 0
        if self.maybe(0.3):  # a row was set aside
            set_aside = 1
            if self.maybe(0.8):  # and is kept still
                of_key = self.chance.choice([*self.keys[record_type], None])
                self.warehouse.insert(
                    "intake.quarantined", ["source", "table_name", "delivery_id", "record_key"],
                    [(source, table, delivery_id, of_key)],
                )  # fmt: skip
        self.warehouse.insert(
            "intake.files", ["source", "delivery_id", "table_name", "status", "rows_quarantined"],
            [(source, delivery_id, table, file_status, set_aside)],
        )  # fmt: skip

    def _arrive(self, record_type: str, key: str, delivery_id: str) -> None:
        source, table, key_field, _ = RECORDS[record_type]
        there = self.maybe(0.8)
        values: dict[str, Any] = {"in_source": there, "in_delivery": delivery_id}
        empties = self.chance.choice([0, 0, 0, 0.5, 0.9])
        kept_out = [field for field in FIELDS[record_type] if self.maybe(0.1)]
        values["withheld"] = kept_out if there and kept_out and not self.maybe(empties) else None
        values |= {field: "-" if there and not self.maybe(empties) else None for field in FIELDS[record_type]}
        if record_type == "customer":
            values["merged_into"] = self.chance.choice(self.keys[record_type]) if self.maybe(0.25) else None
        names = ", ".join(f"{name} = ${name}" for name in values)
        self.warehouse.run(f"update raw.{source}_{table} set {names} where {key_field} = $key", {**values, "key": key})

    def read_otherwise(self, record_type: str, day: date) -> None:
        """What is delivered from now on is read by another contract: the rows in scope, the key, or a field."""
        source, table, key_field, _ = RECORDS[record_type]
        sealed = self.warehouse.value("select coalesce(max(sequence), 0) from manifest.manifests where system = ?",
                                      [source])  # fmt: skip
        what = self.chance.choice(["", "", key_field, self.chance.choice(FIELDS[record_type])])
        is_first = not self.warehouse.value(
            "select count(*) from intake.readings where source = ? and table_name = ? and what = ?",
            [source, table, what],
        )
        digest = self.chance.choice(["one", "one", "one", "another", None if what in FIELDS[record_type] else "one"])
        self.warehouse.insert(
            "intake.readings", ["source", "table_name", "what", "digest", "extracted_at", "sequence", "sealed_before"],
            [(source, table, what, digest, self.instant(day).replace(tzinfo=None), self.minute,
              None if is_first and self.maybe(0.8) else sealed)],
        )  # fmt: skip

    def night(self, number: int) -> date:
        day = DAY + timedelta(days=number)
        if number < 6:
            for each in (2 * number, 2 * number + 1):
                self.seal(each, day)
        self.step(day)
        self.warehouse.run("delete from intake.blocks")
        for record_type, (source, table, _, _) in RECORDS.items():
            if self.maybe(0.8):
                self.deliver(record_type, day + timedelta(days=1))
            if self.maybe(0.3):
                self.read_otherwise(record_type, day + timedelta(days=1))
            if self.maybe(0.1):
                self.warehouse.insert(
                    "intake.blocks", ["source", "table_name", "reason"],
                    [(source, table if self.maybe(0.5) else None, "shrunk")],
                )  # fmt: skip
        return day


# -- every item, one by one -----------------------------------------------------------------------------------------


def look(warehouse: Warehouse) -> tuple[list[Proof], Counter[tuple[str, str]]]:
    """What the exports prove of each item, and what is not proved."""
    proofs, unproven = [], Counter[tuple[str, str]]()
    for item in warehouse.records("from manifest.item_states where action in ('erase', 'redact') "
                                  "and state not in ('issued', 'approved', 'cancelled')"):  # fmt: skip
        named = {field for (field,) in warehouse.rows(
            "select field from manifest.sealed_fields where item_id = ? and state = 'erase'", [item["item_id"]])
        }  # fmt: skip
        replaced = {} if named or item["state"] == "verified" else _replaced(warehouse, item["item_id"])
        named = named or set(replaced)
        delivered_at = warehouse.value(
            "select min(coalesce(happened_at, on_day + interval 1 day)) from manifest.events "
            "where state = 'delivered' and manifest_id = ? and coalesce(item_id, ?) = ?",
            [item["manifest_id"], item["item_id"], item["item_id"]],
        )
        full = _latest_full(warehouse, item["record_type"])
        if not named or delivered_at is None or full is None or full[1] <= delivered_at:
            continue
        chain = _followed(warehouse, item["record_type"], item["record_key"])
        row = _telling(chain, named)
        if row is None or not _says(warehouse, item["record_type"], row, delivered_at):
            continue
        held = _held(row, named)
        merged = row[RECORDS[item["record_type"]][2]] != item["record_key"]
        outcome, reason = _judge(item["state"], named, held, merged)
        if replaced and held:
            outcome, reason = _judge_replaced(item["state"], all(replaced.values()))
        if outcome in ("discrepancy", "superseded") and not _says(warehouse, item["record_type"], row, _done_at(item)):
            continue
        otherwise = _read_otherwise(warehouse, item, named, row, full[0]) if outcome == "verified" else None
        if otherwise is not None:
            unproven[item["system"], otherwise] += 1
            continue
        if outcome == "verified" and not _is_seen(warehouse, item, chain, full[0]):
            continue
        if outcome == "returned" and warehouse.value(
            "select count(*) from manifest.verifications where item_id = ? and outcome = 'returned'", [item["item_id"]]
        ):
            continue  # it was told
        if outcome is not None:
            shown_by = row["in_delivery"] if held else full[0]
            proofs.append(Proof(item["manifest_id"], item["item_id"], outcome, shown_by, reason))
    return sorted(proofs), unproven


def _latest_full(warehouse: Warehouse, record_type: str) -> tuple[str, datetime] | None:
    source, table, _, _ = RECORDS[record_type]
    blocked = warehouse.value(
        "select count(*) from intake.blocks where source = ? and (table_name = ? or table_name is null)",
        [source, table],
    )
    fulls = warehouse.rows(
        "select delivery_id, extracted_at from intake.deliveries inner join intake.files using (source, delivery_id) "
        "where source = ? and deliveries.status = 'loaded' and files.status = 'loaded' and mode = 'full' "
        "and table_name = ? order by extracted_at", [source, table],
    )  # fmt: skip
    return None if blocked or not fulls else (fulls[-1][0], fulls[-1][1])


def _followed(warehouse: Warehouse, record_type: str, key: str) -> list[dict[str, Any]]:
    """The record, and those that it was merged into, the last one at the end; none where they go round in a circle."""
    source, table, key_field, _ = RECORDS[record_type]
    chain: list[dict[str, Any]] = []
    while all(row[key_field] != key for row in chain):
        found = warehouse.records(f"from raw.{source}_{table} where {key_field} = ?", [key])
        chain += found
        if not found or chain[-1].get("merged_into") is None:
            return chain
        key = chain[-1]["merged_into"]
    return []


def _held(row: dict[str, Any], named: set[str]) -> set[str]:
    """What a row holds of what was ordered."""
    return {field for field in named
            if row["in_source"] and (row[field] is not None or field in (row["withheld"] or ()))}  # fmt: skip


def _telling(chain: list[dict[str, Any]], named: set[str]) -> dict[str, Any] | None:
    """The row that tells what became of the order: the record's own while it holds something, else one that does."""
    holding = [row for row in chain if _held(row, named)]
    if chain and chain[0] in holding:
        return chain[0]
    holding.sort(key=lambda row: (row is not chain[-1], row["in_delivery"] is None, row["in_delivery"]))
    return holding[0] if holding else chain[-1] if chain else None


def _is_seen(warehouse: Warehouse, item: dict[str, Any], chain: list[dict[str, Any]], export: str) -> bool:
    """Whether the export itself shows that nothing is left: rows that it brought, or that it did not bring at all."""
    source, table, _, _ = RECORDS[item["record_type"]]
    sequences = dict(warehouse.rows(
        "select delivery_id, sequence from intake.deliveries where source = ? and status = 'loaded'", [source]
    ))  # fmt: skip
    for row in chain:
        said = row["in_delivery"]
        if said != export if row["in_source"] else said not in sequences or sequences[said] > sequences[export]:
            return False
    rows = warehouse.value(
        "select sum(rows_quarantined) from intake.files where source = ? and table_name = ? and delivery_id = ?",
        [source, table, export],
    )
    keys = [key for (key,) in warehouse.rows(
        "select record_key from intake.quarantined where source = ? and table_name = ? and delivery_id = ?",
        [source, table, export],
    )]  # fmt: skip
    if chain[0].get("merged_into") is not None:
        return not rows
    unknown = rows - sum(key is not None for key in keys)
    return item["record_key"] not in keys and (chain[0]["in_source"] or not unknown)


def _says(warehouse: Warehouse, record_type: str, row: dict[str, Any], delivered_at: datetime) -> bool:
    if not row["in_source"]:
        return True
    said = warehouse.value(
        "select max(extracted_at) from intake.deliveries where status = 'loaded' and source = ? and delivery_id = ?",
        [RECORDS[record_type][0], row["in_delivery"]],
    )
    return said is not None and said > delivered_at


def _done_at(item: dict[str, Any]) -> datetime:
    """When it was done by its system's word, at the latest on the day on which that was read."""
    read = datetime(*item["since"].timetuple()[:3]) + timedelta(days=1)
    return read if item["happened_at"] is None else min(item["happened_at"], read)


def _read_otherwise(
    warehouse: Warehouse, item: dict[str, Any], named: set[str], row: dict[str, Any], export: str
) -> str | None:
    """Why a contract that changed after the item was sealed may have left out what is missing; None: it did not."""
    source, table, key_field, _ = RECORDS[item["record_type"]]
    sequence = warehouse.value("select sequence from manifest.manifests where manifest_id = ?", [item["manifest_id"]])
    seen = warehouse.value(
        "select max(extracted_at) from intake.deliveries where status = 'loaded' and source = ? and delivery_id = ?",
        [source, row["in_delivery"]],
    )
    reasons = []
    for what in {key_field, *(named if row["in_source"] else {""})}:
        history = warehouse.records(
            "from intake.readings where source = ? and table_name = ? and what = ? order by sequence",
            [source, table, what],
        )
        before = [each for each in history if each["sealed_before"] is None or each["sealed_before"] < sequence]
        if len(before) == len(history):
            continue
        then, last = before[-1]["digest"] if before else None, history[-1]
        if then is not None and then == last["digest"]:
            unseen = seen is None or seen < last["extracted_at"]
            is_otherwise = unseen if row["in_source"] else _may_be_set_aside(warehouse, item, row, export)
        else:
            is_otherwise = what != "" or seen is None or seen <= last["extracted_at"]
        if is_otherwise:
            reasons.append(
                "key_read_otherwise" if what == key_field else "other_rows_in_scope" if what == "" else
                "field_read_no_more" if last["digest"] is None else "field_read_otherwise"
            )  # fmt: skip
    return min(reasons, default=None)


def _may_be_set_aside(warehouse: Warehouse, item: dict[str, Any], row: dict[str, Any], export: str) -> bool:
    """Whether a row that the export brought and that broke a rule may be the record."""
    source, table, key_field, _ = RECORDS[item["record_type"]]
    keys = [key for (key,) in warehouse.rows(
        "select record_key from intake.quarantined where source = ? and table_name = ? and delivery_id = ?",
        [source, table, export],
    )]  # fmt: skip
    merged = row[key_field] != item["record_key"]
    return any(merged or key is None or key == item["record_key"] for key in keys)


def _judge(state: str, named: set[str], held: set[str], merged: bool) -> tuple[str | None, str | None]:
    if not held:
        return (None if state == "verified" else "verified"), None
    reason = "merged_into_another" if merged else "there_again" if state == "verified" else (
        "still_there" if held == named else "partly_there"
    )  # fmt: skip
    if state == "verified":
        return (None if merged else "returned"), reason
    if state in ("done", "already_absent") or (state == "partly_retained" and held == named):
        return "discrepancy", reason
    return None, None


def _replaced(warehouse: Warehouse, item_id: str) -> dict[str, bool]:
    """The fields that an item ordered and of which something else was told since, and whether that was acknowledged."""
    found: dict[str, bool] = {}
    for field, state in warehouse.rows(
        "select field, states.state from manifest.replaced_fields as replaced "
        "inner join manifest.item_states as states on states.item_id = replaced.item_id "
        "where told_by = ? and replaced.state = 'erase'", [item_id],
    ):  # fmt: skip
        found[field] = found.get(field, False) or state in ("done", "already_absent", "verified")
    return found


def _judge_replaced(state: str, is_acknowledged: bool) -> tuple[str | None, str | None]:
    closes = is_acknowledged and state in ("done", "already_absent", "discrepancy")
    return ("superseded", "superseded") if closes else (None, None)


def _words(warehouse: Warehouse) -> dict[tuple[str, str, str, str], str]:
    return {tuple(row[:4]): row[4] for row in warehouse.rows(
        "select record_type, record_key, field, item_id, state from manifest.sealed_fields")}  # fmt: skip


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_settled_is_what_a_look_at_every_item_shows(
    seed: int, seen: Counter[tuple[str, str, str | None]]
) -> None:
    sources = Sources(seed)
    warehouse = sources.warehouse
    for number in range(NIGHTS):
        day = sources.night(number)
        before, states = _words(warehouse), dict(warehouse.rows("select item_id, state from manifest.item_states"))
        proofs, unproven = look(warehouse)
        counted = settle(warehouse, POLICY, day)
        found = warehouse.rows("select manifest_id, item_id, outcome, delivery_id, reason "
                               "from manifest.verifications where as_of = ? order by all", [day])  # fmt: skip
        assert [Proof(*row) for row in found] == [each for each in proofs if each.outcome != "superseded"]
        assert (
            Counter(
                {
                    (system, reason): items
                    for system, reason, items, table, _ in warehouse.rows("from manifest.unproven")
                    if table is None
                }
            )
            == unproven
        )
        settled = [each for each in counted if each.outcome != "unproven"]
        assert sum(each.items for each in counted) - sum(each.items for each in settled) == unproven.total()
        assert Counter({(each.system, each.outcome): each.items for each in settled}) == Counter(
            (warehouse.value("select system from manifest.manifests where manifest_id = ?", [proof.manifest_id]),
             proof.outcome) for proof in proofs
        )  # fmt: skip
        events = warehouse.rows(
            "select manifest_id, item_id, state, reason from manifest.events "
            "where origin in ('verify', 'recall') and on_day = ? order by sequence",
            [day],
        )
        assert events == [
            (each.manifest_id, each.item_id, ENDS.get(each.outcome, each.outcome), each.reason)
            for each in proofs
            if each.outcome != "returned" and allowed(states[each.item_id], ENDS.get(each.outcome, each.outcome))
        ]  # fmt: skip
        assert _words(warehouse) == before, "also of what is there again: it is kept out until it is told anew"
        seen.update((states[each.item_id], each.outcome, each.reason) for each in proofs)
        seen.update(("", "unproven", reason) for _, reason in unproven)
    warehouse.close()


def test_the_nights_showed_all_that_an_export_can(seen: Counter[tuple[str, str, str | None]]) -> None:
    """Else the comparison above is about less than it says."""
    assert {state for state, outcome, _ in seen if outcome == "verified"} >= {"delivered", "refused", "partly_retained"}
    assert set(seen) >= {
        ("verified", "returned", "there_again"),
        ("done", "discrepancy", "still_there"),
        ("done", "discrepancy", "partly_there"),
        ("done", "discrepancy", "merged_into_another"),
        ("already_absent", "discrepancy", "still_there"),
        ("partly_retained", "discrepancy", "still_there"),
        ("done", "superseded", "superseded"),
        ("", "unproven", "key_read_otherwise"),
        ("", "unproven", "other_rows_in_scope"),
    }


@pytest.fixture(scope="module")
def seen() -> Counter[tuple[str, str, str | None]]:
    return Counter()
