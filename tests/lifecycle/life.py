"""The life of a small company's orders: what happens by lot, the night that follows, and what must be true after it.

A `Life` has a real site and a real warehouse file; its nights are made of the calls that the assets make, in their
order. What is true after a night is `model`'s to say.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from assets.core.changing import rebuild
from assets.delivery.approving import approve, approve_automatically, cancel
from assets.delivery.assets import Door, deliver_checked
from assets.delivery.receipts import read_receipts
from assets.delivery.rechecking import recall
from assets.delivery.reminding import fall_due, remind
from assets.delivery.settling import settle
from assets.delivery.transports.choosing import ChosenTransports, Route
from assets.erasure.erasing import erase_own_copies
from assets.erasure.restoring import back_up, lay_out, put_in_place, replay, restoring_path
from assets.errors import GallringError
from assets.evidence.recording import record
from assets.ingest.loading import ingest
from assets.ingest.tables import prepare
from assets.ledger import issued, states
from assets.manifests.changes import propose
from assets.manifests.folders import folder_name
from assets.manifests.sealing import seal
from assets.manifests.signatures import PublicKey, Signer, make_key
from assets.manifests.verifying import verify
from assets.policy import Policy
from assets.retention.explaining import explain
from assets.retention.incremental import evaluate_night
from assets.site import Site
from assets.warehouse import Warehouse
from tests.lifecycle.lines import Lines
from tests.lifecycle.model import Delivered, Item, Model
from tests.lifecycle.sources import (
    BROKEN_ROW,
    KEYS,
    KINDS,
    SOURCES,
    Export,
    Row,
    System,
    fields_of,
    held,
    instant,
    snapshot,
)
from tests.oracle import evaluator
from tests.oracle.companies import random_company
from tests.oracle.evaluator import TABLES

RESPOND_WITHIN = 10
#: How often a day has one more run, as of a day that is past.
AS_OF_THE_PAST = 0.06
#: How often a row of a delivery breaks a rule of its contract.
BROKEN = 0.15
REQUEST_KINDS = ("objection", "erasure", "termination", "restriction", "withdrawal", "rectification")


class Killed(BaseException):
    """The run was ended from outside, in the middle of whatever it did."""


@dataclass
class Rules:
    """Approval as a site might set it."""

    mode: str = "automatic"
    items: int = 100_000
    share: float = 1
    times_median: float = 100_000
    erase_share: float = 1
    leaves_out: bool = False


@dataclass(frozen=True)
class Kept:
    """A backup: the file, and what the product knew then."""

    file: Path
    delivered: Delivered


class Life:
    """A company, its systems, its site, and the model of it all."""

    def __init__(self, path: Path, policies: list[tuple[Policy, dict[str, dict[str, int]]]], seed: int) -> None:
        self.seed, self.random, self.path = seed, Random(seed), path
        self.policies = policies
        self.policy, self.periods = policies[0]
        self.story: list[str] = []
        self.site = Site(path / "site")
        self.site.make()
        make_key(self.site.keys / "signing.pem", self.site.keys / "signing.pub.pem")
        self.signer = Signer.load(self.site.keys / "signing.pem")
        self.public_key = PublicKey.load(self.site.keys / "signing.pub.pem")
        self.model = Model()
        self.systems: dict[str, System] = {}
        self.columns = {f"{each.source}/{each.table}": [column.name for column in each.columns]
                        for each in self.policy.contracts.values()}  # fmt: skip
        self._found()
        self.number = 0
        self.run_of_day, self.days_back = 0, 0
        self.lots: dict[str, Random] = {}
        self.kept: list[Kept] = []
        self.snapshots: list[tuple[str, dict[str, dict[str, Row]]]] = []
        self.last_full: dict[str, date] = {}
        self.warehouse = self._open()

    def _found(self) -> None:
        """The company of the seed; a part of its rows is still to come."""
        exports, days = random_company(self.seed, 10)
        self.day = days[0]
        self.rows: dict[str, dict[str, Row]] = {table: {} for table in self.columns}
        self.to_come: list[tuple[str, str, Row]] = []
        partners = [{"partner_id": f"P{number}", "name": "Frakt Exempel", "role": role, "system": "frakt"}
                    for number, role in enumerate(("processor", "controller", "authority"))]  # fmt: skip
        for row in exports.get("orders/deliveries", []):
            row["partner_id"] = self.random.choice((None, "P0", "P1"))
        everything: dict[str, list[Row]] = {**exports, "office/partners": partners}
        for table, rows in everything.items():
            for row in rows:
                key = str(row[KEYS[table]])
                if self.random.random() < 0.8 or table in ("office/fiscal_years", "office/partners"):
                    self.rows[table][key] = dict(row)
                else:
                    self.to_come.append((table, key, dict(row)))

    def _open(self) -> Warehouse:
        warehouse = Warehouse.open(self.site.warehouse, key=None, pseudonym_key=b"life", threads=1)
        self.policy.publish(warehouse)
        prepare(warehouse, self.policy)
        issued.prepare(warehouse)
        return warehouse

    def close(self) -> None:
        """Let go of the file."""
        self.warehouse.close()

    def tell(self, what: str) -> None:
        """Add to the story, which is what a failure shows."""
        self.story.append(what)

    # -- what happens by day --------------------------------------------------------------------------------------

    def live(self) -> None:
        """Days pass, things happen, and a night comes."""
        self.day += timedelta(days=self.random.choice((1, 1, 1, 1, 2, 3, 10, 31, 95, 370, 730)))
        self.run_of_day = 0
        self.tell(f"--- {self.day}")
        self._happen()
        self._export()
        if self.kept and self.random.random() < 0.1:
            self._restore()
        self._night_or_two()
        if self.random.random() < 0.15:
            self._back_up()
        if self.random.random() < 0.15:
            self.run_of_day = 1
            self.tell(f"--- {self.day}, once more")
            self._happen()
            self._export()
            self._night()
        if self.random.random() < AS_OF_THE_PAST:
            self.days_back = self.random.choice((1, 30, 400))
            self.tell(f"--- {self.day}, as of {self.as_of}")
            self._night()
            self.days_back = 0

    @property
    def as_of(self) -> date:
        """The day as of which a night is: the day itself, or one that is past."""
        return self.day - timedelta(days=self.days_back)

    def _at(self, hour: int) -> datetime:
        """An instant of the day, by the hours of its first run."""
        return instant(self.day, hour + 10 * self.run_of_day)

    def _happen(self) -> None:
        happenings: list[tuple[float, Callable[[], None]]] = [
            (0.8, self._rows_change), (0.3, self._rows_go), (0.4, self._rows_come), (0.35, self._hold),
            (0.3, self._release), (0.35, self._ask), (0.3, self._answer), (0.15, self._disclose),
            (0.1, self._change_policy), (0.12, self._restore_a_source), (0.2, self._decide_by_day),
        ]  # fmt: skip
        for chance, happen in happenings:
            if self.random.random() < chance:
                happen()

    def _some(self, table: str) -> Row | None:
        rows = self.rows[table]
        return self.random.choice([rows[key] for key in sorted(rows)]) if rows else None

    def _some_ordered(self, *tables: str) -> tuple[str, Row] | None:
        """A row of which its source has an order, or is about to."""
        found = [(TABLES[item.record[0]][0], item.record[1]) for item in self.model.items.values() if item.is_heard]
        there = sorted({each for each in found if each[1] in self.rows[each[0]] and (not tables or each[0] in tables)})
        if not there:
            return None
        table, key = self.random.choice(there)
        return table, self.rows[table][key]

    def _rows_change(self) -> None:
        for _ in range(self.random.choice((1, 1, 2, 3))):
            table = self.random.choice(sorted(KINDS))
            row, other = self._some(table), self._some(table)
            if row is None or other is None:
                continue
            key = KEYS[table]
            for name in self.random.sample(sorted(set(row) - {key}), min(2, len(row) - 1)):
                value = row[name]
                if isinstance(value, str) and value[:2] in ("19", "20") and value[4:5] == "-":
                    back = self.random.choice((-1200, -800, -366, -31, -1, 0, 1, 40))
                    row[name] = (self.day + timedelta(days=back)).isoformat()
                else:
                    row[name] = other.get(name)
                self.tell(f"{table} {row[key]}.{name}: {value!r} -> {row[name]!r}")

    def _rows_go(self) -> None:
        table = self.random.choice(sorted(KINDS))
        if row := self._some(table):
            key = row[KEYS[table]]
            self.to_come.append((table, key, self.rows[table].pop(key)))
            self.tell(f"{table} {key} goes")

    def _rows_come(self) -> None:
        for _ in range(min(len(self.to_come), self.random.choice((1, 2, 4)))):
            table, key, row = self.to_come.pop(self.random.randrange(len(self.to_come)))
            if key not in self.rows[table]:
                self.rows[table][key] = row
                self.tell(f"{table} {key} comes")

    def _hold(self) -> None:
        table = self.random.choice((*sorted(KINDS), "crm/customers", "crm/customers"))
        row = self._some(table)
        if self.random.random() < 0.4 and (ordered := self._some_ordered()):
            table, row = ordered
        if row:
            kind = KINDS[table]
            released = self.day.isoformat() if self.random.random() < 0.15 else None
            listed = ";".join(self.random.sample(fields_of(kind), 1)) if self.random.random() < 0.4 else None
            key = f"J-{len(self.rows['office/holds'])}-{self.day}"
            self.rows["office/holds"][key] = {
                "hold_id": key, "record_type": kind, "record_key": row[KEYS[table]], "fields": listed,
                "placed_at": self.day.isoformat(), "released_at": released, "reason": "tvist",
            }  # fmt: skip
            self.tell(f"hold on {kind} {row[KEYS[table]]} {listed or ''} {'for the day' if released else ''}")

    def _release(self) -> None:
        hold = self._some("office/holds")
        if hold is not None and not hold.get("released_at"):
            hold["released_at"] = (self.day - timedelta(days=self.random.choice((0, 1)))).isoformat()
            self.tell(f"{hold['hold_id']} is released")

    def _ask(self) -> None:
        customer = self._some("crm/customers")
        if self.random.random() < 0.4 and (ordered := self._some_ordered("crm/customers")):
            _, customer = ordered
        kind = self.random.choice(REQUEST_KINDS)
        if customer is not None:
            key = f"T-{len(self.rows['office/requests'])}-{self.day}"
            verified = self.day.isoformat() if self.random.random() < 0.7 else None
            self.rows["office/requests"][key] = {
                "request_id": key, "customer_id": customer["customer_id"], "contact_id": None, "email": None,
                "kind": kind, "scope": None, "received_at": self.day.isoformat(), "identity_verified_at": verified,
                "extended_at": None, "answered_at": None,
            }  # fmt: skip
            self.tell(f"{kind} of {customer['customer_id']} ({verified})")

    def _answer(self) -> None:
        request = self._some("office/requests")
        if request is not None and not request.get("answered_at"):
            request["answered_at"] = self.day.isoformat()
            self.tell(f"{request['request_id']} is answered")

    def _disclose(self) -> None:
        table = self.random.choice(sorted(KINDS))
        if row := self._some(table):
            kind = KINDS[table]
            listed = ";".join(self.random.sample(fields_of(kind), 1)) if self.random.random() < 0.5 else None
            key = f"D-{len(self.rows['office/disclosures'])}-{self.day}"
            self.rows["office/disclosures"][key] = {
                "disclosure_id": key, "partner_id": self.random.choice(("P0", "P1", "P2")), "record_type": kind,
                "record_key": row[KEYS[table]], "fields": listed, "disclosed_at": self.day.isoformat(),
            }  # fmt: skip
            self.tell(f"disclosure {key} of {kind} {row[KEYS[table]]} {listed or ''}")

    def _change_policy(self) -> None:
        number = self.random.randrange(len(self.policies))
        self.policy, self.periods = self.policies[number]
        self.tell(f"policy {number}")

    def _decide_by_day(self) -> None:
        """A person approves or cancels something that waits, long before the night."""
        for manifest_id, state, may_have_arrived in self._waiting():
            roll = self.random.random()
            if roll < (0.6 if may_have_arrived else 0.2):
                self.tell(f"cancel {manifest_id[:6]} by day{', which may have arrived' if may_have_arrived else ''}")
                cancel(self.warehouse, manifest_id, by="Eva", reason="nej", on_day=self.day, at=self._at(0))
            elif state == "issued" and roll > 0.8:
                self.tell(f"approve {manifest_id[:6]} by day")
                approve(self.warehouse, manifest_id, by="Eva", reason="ok", on_day=self.day, at=self._at(0))
        self._look()

    def _waiting(self) -> list[tuple[str, str, bool]]:
        return self.warehouse.rows(
            "select distinct manifest_id, state, manifest_id in (select manifest_id from manifest.sending) "
            "from manifest.manifest_states where state in ('issued', 'approved') order by all"
        )

    def _restore_a_source(self) -> None:
        if self.snapshots:
            source, rows = self.random.choice(self.snapshots)
            self.rows |= copy.deepcopy(rows)
            self.tell(f"{source} restores a backup")

    # -- exports --------------------------------------------------------------------------------------------------

    def _export(self) -> None:
        """Each source delivers in full as a rule; now and then changes alone, late, stale, or not at all."""
        for source in SOURCES:
            roll = self.random.random()
            if not self.last_full.get(source) or roll < 0.75 or source == "office":
                how = "full"
            else:
                how = "delta" if roll < 0.88 else "stale" if roll < 0.94 else "none"
            self._deliver(source, how)
            if self.random.random() < 0.1:
                self._rows_change()
                self._deliver(source, self.random.choice(("full", "full", "delta", "stale")))
            if self.random.random() < 0.15:
                self.snapshots.append((source, snapshot(self.rows, source)))

    def _deliver(self, source: str, how: str) -> None:
        tables = {table: [dict(row) for row in rows.values()] for table, rows in self.rows.items()
                  if table.startswith(f"{source}/")}  # fmt: skip
        at = self._at(1) + timedelta(minutes=self.number % 60)
        if how == "none":
            self.tell(f"{source} does not deliver")
            return
        if how == "stale":
            at -= timedelta(days=self.random.choice((1, 4, 30)))
        mode = "full" if how != "delta" else "delta"
        if mode == "delta":
            tables = {table: changes for table, rows in tables.items() if (changes := self._changes(table, rows))}
            if not tables:
                return
        if how != "stale":
            self._break_a_row(tables)
        self.number += 1
        export = Export(source, f"{self.day}-{self.number:04}", at, mode, tables)
        export.write(self.site.inbox, self.columns)
        self.model.written.append(export)
        if how == "full":
            self.last_full[source] = self.day
        self.tell(f"{source} delivers: {how} {export.delivery_id}")

    def _break_a_row(self, tables: dict[str, list[Row]]) -> None:
        """Now and then a row has a day that is none, and is set aside: of a record with an order if one is there."""
        lot = self.lots.setdefault("broken rows", Random(f"{self.seed} broken rows"))
        if lot.random() > BROKEN:
            return
        found = [
            ((KINDS[table], row[KEYS[table]]), row, name)
            for table, rows in sorted(tables.items()) if table in KINDS
            for row in rows if not row.get("_deleted")
            for name in sorted(row)
            if name.endswith(("_at", "_on", "_since")) and name in self.columns[table]
        ]  # fmt: skip
        ordered = {item.record for item in self.model.items.values() if item.is_heard}
        found = [each for each in found if each[0] in ordered] or found
        if found:
            record, row, name = lot.choice(found)
            row |= {name: "2026-13-45", BROKEN_ROW: True}
            self.tell(f"{record} is set aside: {name}")

    def _changes(self, table: str, rows: list[Row]) -> list[Row]:
        """What differs from what was delivered last; now and then some of it went with a delta that was lost."""
        there = self.model.delivered.there.get(table, {})
        now = {row[KEYS[table]]: row for row in rows}
        changed = [row for key, row in now.items() if there.get(key) != row]
        changed += [{KEYS[table]: key, **there[key], "_deleted": "true"} for key in sorted(there.keys() - now)]
        lost = 0.4 if self.random.random() < 0.3 else 0
        return [row for row in changed if not lost or self.random.random() > lost]

    # -- nights ---------------------------------------------------------------------------------------------------

    def _night_or_two(self) -> None:
        """The night; now and then killed in the middle, and run again on the same day or the next."""
        if self.random.random() < 0.2:
            after = int(2 ** self.random.uniform(3, 10.5))
            try:
                with killed_after(after):
                    self._night()
            except Killed:
                self.tell(f"killed after {after} statements")
            self.warehouse.close()
            self.warehouse = self._open()
            self._look()
            self.day += timedelta(days=self.random.choice((0, 0, 1)))
        self._night()

    def _steps(self, out: dict[str, Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
        warehouse, policy, day = self.warehouse, self.policy, self.as_of
        rules = Rules(self.random.choice(("automatic", "automatic", "required")), leaves_out=self._leaves_out())
        yield "publish", lambda: policy.publish(warehouse)
        yield "ingest", lambda: ingest(warehouse, policy, self.site, as_of=day)
        yield "settle", lambda: settle(warehouse, policy, day)
        yield "rebuild", lambda: rebuild(warehouse, policy, full=False)
        yield "evaluate", lambda: evaluate_night(warehouse, policy, day, full=False)
        yield "recall", lambda: recall(warehouse, policy, day, at=self._at(3))
        yield "fall due", lambda: fall_due(warehouse, day)
        yield "propose", lambda: propose(warehouse, policy, day)
        yield "seal", lambda: out.update(report=self._seal(rules))
        if self.random.random() < 0.25:
            yield "seal again", lambda: out.update(again=self._seal_again(rules))
        yield "approve", lambda: self._approve(rules)
        yield "deliver", lambda: out.update(sent=self._send(rules))
        waits = "P7D" if day.day % 2 else "P0D"  # every other day the file may wait
        yield "erase", lambda: erase_own_copies(warehouse, policy, as_of=day, erased_bytes=waits)
        yield "systems", self._systems_act
        yield "receipts", lambda: read_receipts(warehouse, self.site, self._transports(), now=self._at(6))
        yield "remind", lambda: remind(warehouse, day)
        yield "evidence", lambda: record(warehouse, self.site, self.signer, self._at(7))

    def _leaves_out(self) -> bool:
        """Whether what an unread row may keep is left out tonight; a company does so on most nights or on few."""
        return (self.as_of.day % 3 == 0) == (self.seed % 2 == 0)

    def _seal(self, rules: Rules) -> Any:
        return seal(
            self.warehouse, self.policy, self.site, self.signer, as_of=self.as_of, issued_at=self._at(3),
            respond_within_days=RESPOND_WITHIN, leave_out=rules.leaves_out,
        )  # fmt: skip

    def _seal_again(self, rules: Rules) -> Any:
        """The day's proposal and seal once more: nothing is told twice."""
        propose(self.warehouse, self.policy, self.as_of)
        return self._seal(rules)

    def _approve(self, rules: Rules) -> None:
        """What may go by itself; of what waits, a person approves some, cancels some and leaves some."""
        day = self.as_of
        approve_automatically(self.warehouse, rules, on_day=day, at=self._at(3))
        for manifest_id, state, may_have_arrived in self._waiting():
            roll = self.random.random()
            if state == "issued" and roll < 0.5:
                approve(self.warehouse, manifest_id, by="Eva", reason="ok", on_day=day, at=self._at(3))
            elif roll > (0.7 if may_have_arrived else 0.9):
                self.tell(f"cancel {manifest_id[:6]}{', which may have arrived' if may_have_arrived else ''}")
                self.taken_back = True
                cancel(self.warehouse, manifest_id, by="Eva", reason="nej", on_day=day, at=self._at(3))

    def _send(self, rules: Rules) -> Any:
        door = Door(rules, lambda: self.signer, lambda _: RESPOND_WITHIN)
        lines = Lines(self.seed, self._transports(), self.lots)
        try:
            return deliver_checked(
                self.warehouse, self.policy, self.site, lines, door, as_of=self.as_of, clock=lambda: self._at(4),
            )  # fmt: skip
        finally:
            self.story += sorted(lines.broken)

    def _exchange(self, system: str) -> Path:
        return self.site.path / "exchange" / folder_name(system)

    def _transports(self) -> ChosenTransports:
        systems = [system for (system,) in self.warehouse.rows("select distinct system from manifest.manifests")]
        for system in systems:
            self._exchange(system).mkdir(parents=True, exist_ok=True)
        routes = {system: Route("folder", f"exchange/{folder_name(system)}") for system in systems}
        return ChosenTransports(self.site, routes, lambda: self.signer, lambda: self._at(3))

    def _systems_act(self) -> None:
        """Each system takes what came to its folder, in the order of its chain."""
        chains: dict[str, list[str]] = {}
        for system, manifest_id in self.warehouse.rows(
            "select system, manifest_id from manifest.manifests order by system, sequence"
        ):
            chains.setdefault(system, []).append(manifest_id)
        everything = self.warehouse.rows("select manifest_id, item_id from manifest.items order by all")
        for name, order in sorted(chains.items()):
            system = self.systems.setdefault(name, System(name, Random(f"{self.seed} {name}")))
            for done in system.act(self._exchange(name), order, self.rows, self._at(5), everything):
                self.tell(done)

    def _night(self) -> None:
        self.taken_back = False  # by a person, tonight: told anew by the next night
        out: dict[str, Any] = {}
        before = set(self.model.items)
        proofs = self._proofs()
        for name, step in self._steps(out):
            try:
                step()
            except GallringError as error:
                raise AssertionError(self.told(f"{name}: {type(error).__name__}: {error}")) from error
            if name == "ingest":
                self._look()
            if name == "settle":
                self._look_at_returns()
                self._expect("proofs", self.model.amiss_in_proofs(
                    self._proofs()[len(proofs):], self._delivered_at()
                ))  # fmt: skip
        self._look()
        with periods(self.periods):
            self.model.decide(self.as_of)
        self._check(out, before)

    # -- what is looked at ------------------------------------------------------------------------------------------

    def _proofs(self) -> list[tuple[str, str]]:
        return self.warehouse.rows("select item_id, outcome from manifest.verifications order by rowid")

    def _delivered_at(self) -> dict[str, datetime]:
        return {
            manifest_id: at.replace(tzinfo=instant(self.day, 0).tzinfo)
            for manifest_id, at in self.warehouse.rows(
                "select manifest_id, min(coalesce(happened_at, on_day + interval 1 day)) from manifest.events "
                "where state = 'delivered' group by all"
            )
        }

    def _look(self) -> None:
        """Take over what the product says that it loaded and sealed, and where each item stands."""
        loaded = {name for (name,) in self.warehouse.rows(
            "select delivery_id from intake.deliveries where status = 'loaded'"
        )}  # fmt: skip
        self.model.take_in(loaded)
        self._look_at_returns()
        known = self.warehouse.rows("select manifest_id, system, sequence, as_of from manifest.manifests")
        for manifest_id, system, sequence, as_of in sorted(known, key=lambda row: (row[1], row[2])):
            if not any(item.manifest_id == manifest_id for item in self.model.items.values()):
                self._read(manifest_id, system, sequence, as_of)
        states_of = {item: (state, reason) for item, state, reason in self.warehouse.rows(
            "select item_id, state, reason from manifest.item_states"
        )}  # fmt: skip
        sending = {name for (name,) in self.warehouse.rows("select manifest_id from manifest.sending")}
        for item in self.model.items.values():
            item.may_have_arrived = item.manifest_id in sending
            item.state, reason = states_of.get(item.item_id, ("unknown", None))
            item.told_anew = item.state == "cancelled" and reason == "told_anew"

    def _look_at_returns(self) -> None:
        """What came back after it was verified is to be told anew."""
        returned = {item_id for item_id, outcome in self._proofs() if outcome == "returned"}
        for item_id, item in self.model.items.items():
            item.returned = item_id in returned

    def _read(self, manifest_id: str, system: str, sequence: int, as_of: date) -> None:
        path = self.site.outbox / folder_name(system) / manifest_id / "items.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            ((_, key),) = item["key"].items()
            record = (item["record_type"], key)
            named = frozenset(item["fields"]) or frozenset(held(self.model.row(record), record[0]))
            assert item["item_id"] not in self.model.items, self.told(f"{item['item_id']} was given twice")
            self.model.items[item["item_id"]] = Item(
                manifest_id, item["item_id"], system, sequence, record, item["action"], named, as_of
            )

    # -- what must be true --------------------------------------------------------------------------------------------

    def _check(self, out: dict[str, Any], before: set[str]) -> None:
        model = self.model
        blocked = {refusal.rule for refusal in out["report"].refusals}
        if blocked - {"blocked_delivery"}:
            raise AssertionError(self.told(f"the gate refuses: {out['report'].refusals}"))
        if "again" in out and out["again"].sealed:
            raise AssertionError(self.told(f"sealed twice in a day: {out['again'].sealed}"))
        sealed = [item for item_id, item in model.items.items() if item_id not in before]
        delivered = {each.manifest_id for each in out["sent"].delivered}
        model.left_out = set(self.warehouse.rows("select record_type, record_key from manifest.left_out"))
        self._expect("decisions", self._amiss_in_decisions())
        self._expect("sealed", model.amiss_in_orders(item for item in sealed if item.stands))
        self._expect("waiting", model.amiss_in_waiting(delivered))
        if not blocked and not self.taken_back and not any(item.state == "cancelled" for item in sealed):
            self._expect("told", model.amiss_in_words())
            for name, system in self.systems.items():
                if not name.startswith("partner"):
                    self._expect("at the source", model.amiss_at_the_source(system.told))
        self._expect("copies", model.amiss_in_copies(self._raw()))
        self._expect("states", self._amiss_in_states())
        self._expect("counts", self._amiss_in_counts())
        self._expect("partners", self._amiss_at_partners())
        self._expect("arrived", self._amiss_in_arrivals())
        self._expect("seals", self._amiss_in_seals({item.manifest_id for item in sealed}))
        self._expect("explained", self._amiss_in_explanation())

    def _expect(self, what: str, amiss: Iterator[str]) -> None:
        found = list(amiss)
        if found:
            raise AssertionError(self.told(f"{what}: " + "\n  ".join(found[:8])))

    def told(self, what: str) -> str:
        """A failure, with the story that led to it."""
        return "\n".join([f"seed {self.seed}", *self.story[-400:], f"=> {self.day}: {what}"])

    def _amiss_in_decisions(self) -> Iterator[str]:
        """The product decides as the oracle does over what is remembered."""
        by_sql = {
            (kind, key, name): disposition
            for kind, key, name, disposition in self.warehouse.rows(
                "select records.record_type, records.record_key, fields.field, dispositions.disposition "
                "from retention.dispositions as dispositions inner join retention.records as records "
                "on records.record_type = dispositions.record_type and records.row_id = dispositions.row_id "
                "inner join policy.fields as fields on fields.record_type = dispositions.record_type "
                "and fields.data_category = dispositions.data_category"
            )
        }
        by_row = {(*record, name): self.model.says(record, name) for record, _ in self.model.there()
                  for name in fields_of(record[0])}  # fmt: skip
        for each in sorted(by_sql.keys() | by_row.keys()):
            if by_sql.get(each) != by_row.get(each):
                yield f"{each}: product {by_sql.get(each)}, rules {by_row.get(each)} {self.model.decided.get(each)}"

    def _raw(self) -> dict[str, dict[str, tuple[Row, list[str]]]]:
        found: dict[str, dict[str, tuple[Row, list[str]]]] = {}
        for kind, (table, key) in TABLES.items():
            names = [*fields_of(kind), key, "withheld"]
            rows = self.warehouse.rows(f"select {', '.join(names)} from raw.{table.replace('/', '_')} where in_source")
            found[kind] = {row[-2]: (dict(zip(names, row, strict=True)), row[-1] or []) for row in rows}
        return found

    def _amiss_in_states(self) -> Iterator[str]:
        """Every item stands in one place, to which allowed steps led."""
        rows = self.warehouse.rows(
            "select item_id, count(*) from manifest.item_states group by all having count(*) > 1"
        )
        yield from (f"{item} stands in {count} places" for item, count in rows)
        of_manifest: dict[str, list[str]] = {}
        for item in self.model.items.values():
            of_manifest.setdefault(item.manifest_id, []).append(item.item_id)
        stands = dict.fromkeys(self.model.items, "issued")
        for item_id, manifest_id, state in self.warehouse.rows(
            "select item_id, manifest_id, state from manifest.events where state <> 'issued' order by sequence"
        ):
            for each in [item_id] if item_id else of_manifest.get(manifest_id, []):
                if states.allowed(stands[each], state):
                    stands[each] = state
                elif item_id:
                    yield f"{each}: from {stands[each]} to {state}"
        for item in self.model.items.values():
            if item.state != stands[item.item_id]:
                yield f"{item.record} stands in {item.state}, its events lead to {stands[item.item_id]}"

    def _amiss_in_arrivals(self) -> Iterator[str]:
        """What lies at a system was delivered, or is known as what may have arrived."""
        delivered = self._delivered_at()
        for item in self.model.items.values():
            there = (self._exchange(item.system) / "manifests" / item.manifest_id).is_dir()
            if there and item.manifest_id not in delivered and not item.may_have_arrived:
                yield f"{item.system} has {item.manifest_id[:6]}, which the product does not know"

    def _amiss_in_counts(self) -> Iterator[str]:
        counted = dict(self.warehouse.rows("select manifest_id, sum(items) from manifest.manifest_states group by all"))
        stated = dict(self.warehouse.rows("select manifest_id, items from manifest.manifests"))
        lines: dict[str, int] = {}
        for item in self.model.items.values():
            lines[item.manifest_id] = lines.get(item.manifest_id, 0) + 1
        for manifest_id in sorted(stated.keys() | lines.keys() | counted.keys()):
            three = [each.get(manifest_id) for each in (stated, lines, counted)]
            if len(set(three)) > 1:
                yield f"{manifest_id[:6]}: stated, lines, counted by state: {three}"

    def _amiss_at_partners(self) -> Iterator[str]:
        """A partner is told once of a copy, of what is over; authorities never."""
        given: dict[tuple[str, str, str], list[date]] = {}
        for row in self.model.delivered.there.get("office/disclosures", {}).values():
            given.setdefault((row["partner_id"], row["record_type"], row["record_key"]), []).append(
                date.fromisoformat(row["disclosed_at"])
            )
        told: dict[tuple[str, str, str, str], list[Item]] = {}
        for item in self.model.items.values():
            if item.action == "notify" and item.stands:
                for name in item.fields:
                    told.setdefault((item.system.partition(":")[2], *item.record, name), []).append(item)
        for (partner, kind, key, name), items in told.items():
            if partner == "P2":
                yield f"an authority is told of {kind} {key}"
            copies = len(set(given.get((partner, kind, key), []))) + (kind == "delivery")
            if len(items) > max(1, copies):
                days = [str(each.sealed_on) for each in items]
                yield f"{partner} is told of {kind} {key} {name} on {days}, of {copies} copies"

    def _amiss_in_seals(self, manifests: set[str]) -> Iterator[str]:
        for manifest_id, system in self.warehouse.rows("select manifest_id, system from manifest.manifests"):
            if manifest_id in manifests:
                found = verify(self.site.outbox / folder_name(system) / manifest_id, self.public_key)
                yield from (f"{system} {manifest_id[:6]}: {problem}" for problem in found.problems)

    def _amiss_in_explanation(self) -> Iterator[str]:
        records = sorted(record for record, _ in self.model.there())
        kind, key = records[self.number % len(records)]
        for each in explain(self.warehouse, self.policy, kind, key).fields:
            if each.disposition != self.model.says((kind, key), each.field):
                yield f"{kind} {key} {each.field} is explained as {each.disposition}"

    # -- backups of the warehouse -------------------------------------------------------------------------------------

    def _back_up(self) -> None:
        made_at = datetime(self.day.year, self.day.month, self.day.day, 5, len(self.kept))
        written, _ = back_up(self.warehouse, self.site, made_at=made_at, period="P9Y")
        self.kept.append(Kept(written.path, self.model.remember()))
        self.tell("backup")

    def _restore(self) -> None:
        """The warehouse of an earlier night is brought back, and what was sealed since is replayed."""
        kept = self.random.choice(self.kept)
        self.warehouse.close()
        lay_out(kept.file, self.site)
        with Warehouse.open(restoring_path(self.site), key=None, pseudonym_key=b"life", threads=1) as warehouse:
            prepare(warehouse, self.policy)
            replay(warehouse, self.policy, self.site, self.public_key)
            erase_own_copies(warehouse, self.policy, as_of=self.day)
        put_in_place(self.site)
        self.model.delivered = copy.deepcopy(kept.delivered)
        self.warehouse = self._open()
        self.tell(f"restored {kept.file.name}")
        self._look()


@contextmanager
def killed_after(statements: int) -> Iterator[None]:
    """Whoever runs a statement after so many is killed there."""
    left = statements
    run = Warehouse.run

    def counting(self: Warehouse, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        run(self, *args, **kwargs)

    with mock.patch.object(Warehouse, "run", counting):
        yield


@contextmanager
def periods(changed: dict[str, dict[str, int]]) -> Iterator[None]:
    """Let the oracle read a register with other periods."""
    with mock.patch.dict(evaluator.CHANGEABLE, changed):
        yield


def clear(path: Path) -> None:
    """Nothing is left of a life that went well."""
    shutil.rmtree(path, ignore_errors=True)
