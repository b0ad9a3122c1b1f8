"""Simulated source systems and the nights of a company that exchanges with them: everything real but the systems.

A system has rows, exports them, takes what the folder transport brought it and answers, by the temper that stands at
the beginning of a record's key. Fictional people alone; names and addresses are made of the keys.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from assets.core.building import build
from assets.delivery.approving import Decision, approve_automatically
from assets.delivery.receipts import read_receipts
from assets.delivery.rechecking import at_the_door, recall
from assets.delivery.reminding import Reminder, fall_due, remind
from assets.delivery.sending import DeliveryReport, Retry, deliver_approved
from assets.delivery.settling import Settlement, settle
from assets.delivery.transports.choosing import ChosenTransports, Route
from assets.ingest.loading import ingest
from assets.manifests.changes import propose
from assets.manifests.folders import folder_name
from assets.manifests.sealing import SealReport, seal
from assets.manifests.signatures import Signer, make_key
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.site import Site
from assets.warehouse import Warehouse
from tests.beginning import begin, keep

POLICY = Policy.load()
PSEUDONYM_KEY = b"nights"
RECORD_TABLES = {
    contract.record_type: (contract.source, contract.table, contract.key)
    for contract in POLICY.contracts.values() if contract.record_type is not None
}  # fmt: skip

Row = dict[str, str]
Answer = dict[str, Any]


@dataclass
class Rules:
    """Approval as a site might set it."""

    mode: str = "automatic"
    items: int = 500
    share: float = 1
    times_median: float = 1000
    erase_share: float = 1
    leaves_out: bool = False


@dataclass(frozen=True)
class Temper:
    """What a system does with an erasure (`all`, `part` or nothing; `after` so many nights), and what it says."""

    does: str = "all"
    says: tuple[str, ...] = ("done",)
    detail: str = ""
    after: int = 0


#: By the first letter of a record's key; any other is truthful.
TEMPERS = {
    "L": Temper("", ("done",)),  # lies
    "H": Temper("part", ("done",)),  # does half of it, and says that it did all
    "P": Temper("part", ("partly_retained",), "required_field"),
    "R": Temper("", ("refused",), "Kunden {name} har öppna affärer"),
    "W": Temper("", ("withheld",), "order_open"),
    "Q": Temper("all", ("queued",), after=3),
    "N": Temper("", ()),  # neither acts nor answers
    "S": Temper("all", ()),  # acts, and is silent
    "D": Temper("all", ("accepted", "done", "accepted", "done")),  # answers twice
    "O": Temper("all", ("done", "queued", "accepted")),  # answers in the wrong order
    "A": Temper("all", ("already_absent",)),
}


def instant(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), UTC)


@dataclass
class System:
    """A source system with its rows, by table and key, and what it did with what it was told."""

    name: str
    tables: dict[str, dict[str, Row]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    erased: list[tuple[str, str, str]] = field(default_factory=list)
    restored: int = 0
    _later: list[tuple[date, list[Answer], Callable[[], None]]] = field(default_factory=list)

    def add(self, table: str, key: str, **row: str) -> None:
        self.tables.setdefault(table, {})[key] = row

    def files(self) -> Iterator[tuple[str, str, bytes, int]]:
        """Every table of the contracts as a CSV file: file name, table, content, rows."""
        for contract in POLICY.contracts.of_source(self.name):
            columns = [column.name for column in contract.columns]
            rows = self.tables.get(contract.table, {})
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(columns)
            for key, row in rows.items():
                writer.writerow([key if column == contract.key else row.get(column, "") for column in columns])
            yield f"{contract.table}.csv", contract.table, text.getvalue().encode(), len(rows)

    # -- what it does with manifests --------------------------------------------------------------------------------

    def act(self, folder: Path, day: date) -> None:
        """Take new manifests from `folder`, do what its temper says, and answer there."""
        answers: list[Answer] = []
        arrived = sorted((folder / "manifests").glob("*/manifest.json"), key=lambda path: path.parent.name)
        for document in arrived:
            manifest_id = document.parent.name
            if manifest_id not in self.seen:
                self.seen.add(manifest_id)
                for line in (document.parent / "items.jsonl").read_text(encoding="utf-8").splitlines():
                    answers += self._meet(manifest_id, json.loads(line), day)
        due, self._later = ([each for each in self._later if each[0] <= day],
                            [each for each in self._later if each[0] > day])  # fmt: skip
        for _, late, effect in due:
            effect()
            answers += late
        if answers:
            receipts = folder / "receipts"
            receipts.mkdir(exist_ok=True)
            lines = "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
            (receipts / f"answers-{day.isoformat()}.jsonl").write_text(lines, encoding="utf-8")

    def _meet(self, manifest_id: str, item: dict[str, Any], day: date) -> list[Answer]:
        """The answers of the day to one item, by the temper of the record's key."""
        (key,) = item["key"].values()
        at = instant(day, 12).isoformat().replace("+00:00", "Z")

        def answer(status: str, **more: Any) -> Answer:
            return {"manifest_id": manifest_id, "item_id": item["item_id"], "status": status, "at": at, **more}

        def do(part: bool = False) -> None:
            self._do(item, key, part)

        if item["action"] in ("restrict", "lift", "notify"):
            return [answer("done")]
        temper = TEMPERS.get(key[0], Temper())
        if temper.after:
            self._later.append((day + timedelta(days=temper.after), [answer("done")], do))
        elif temper.does:
            do(part=temper.does == "part")
        until = {"until": (day + timedelta(days=180)).isoformat()} if "withheld" in temper.says else {}
        detail = {"detail": temper.detail.replace("{name}", name_of(key))} if temper.detail else {}
        return [answer(status, **detail, **until) for status in temper.says]

    def _do(self, item: dict[str, Any], key: str, part: bool) -> None:
        _, table, _ = RECORD_TABLES[item["record_type"]]
        rows = self.tables.get(table, {})
        self.erased.append((item["item_id"], f"{item['action']} {item['record_type']}", key))
        if item["action"] == "erase" and not part:
            rows.pop(key, None)
            return
        held = [name for name, value in rows.get(key, {}).items() if value]
        fields = item["fields"] or [name for name in ("name", "email", "phone") if name in held]
        for name in fields[: len(fields) // 2 or 1] if part else fields:
            rows[key][name] = ""


def name_of(key: str) -> str:
    return f"Provperson {key}"


class Nights:
    """A company with its systems, one night after the other."""

    def __init__(
        self, path: Path, *systems: System, respond_within: int = 10, warehouse: Warehouse | None = None
    ) -> None:
        self.site = Site(path / "site")
        self.site.make()
        make_key(self.site.keys / "signing.pem", self.site.keys / "signing.pub.pem")
        self.signer = Signer.load(self.site.keys / "signing.pem")
        self.warehouse = warehouse or Warehouse.in_memory(pseudonym_key=PSEUDONYM_KEY, threads=1)
        self.systems = {system.name: system for system in systems}
        for name in ("crm", "orders", "mailing", "web", "office"):
            self.systems.setdefault(name, System(name))
        self.rules = Rules()
        self.respond_within = respond_within
        self.sealed: SealReport | None = None
        self.settled: list[Settlement] = []
        self.decided: list[Decision] = []
        self.sent: DeliveryReport | None = None
        self.reminders: list[Reminder] = []
        POLICY.publish(self.warehouse)
        for name in self.systems:
            self.exchange(name).mkdir(parents=True)

    def keep(self) -> None:
        """Close it as it stands in memory: others begin where it ends."""
        assert not any(system._later for system in self.systems.values()), "what is still to come is no other system's"
        keep(self.warehouse, self.site.path.parent / "kept.duckdb")
        self.warehouse.close()

    def begun(self, path: Path) -> Nights:
        """A company of a test's own that begins where this one was kept."""
        shutil.copytree(self.site.path, path / "site")
        begun = copy(self)
        begun.site = Site(path / "site")
        begun.warehouse = begin(self.site.path.parent / "kept.duckdb", pseudonym_key=PSEUDONYM_KEY)
        begun.systems, begun.rules = deepcopy((self.systems, self.rules))
        return begun

    def exchange(self, system: str) -> Path:
        return self.site.path / "exchange" / folder_name(system)

    def export(self, source: str, day: date, hour: int = 2, **described: Any) -> None:
        """A full delivery of a source into the inbox."""
        delivery_id = f"{day.isoformat()}-{hour}"
        folder = self.site.inbox / source / delivery_id
        folder.mkdir(parents=True)
        files = []
        for name, table, content, rows in self.systems[source].files():
            (folder / name).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            files.append({"name": name, "table": table, "rows": rows, "sha256": digest})
        note = {"source": source, "delivery_id": delivery_id, "extracted_at": instant(day, hour).isoformat(),
                "mode": "full", "files": files, **described}  # fmt: skip
        (folder / "delivery.json").write_text(json.dumps(note), encoding="utf-8")

    def transports(self, day: date) -> ChosenTransports:
        systems = {system for (system,) in self.warehouse.rows("select distinct system from manifest.manifests")}
        for system in systems - set(self.systems):
            self.exchange(system).mkdir(parents=True, exist_ok=True)
        routes = {system: Route("folder", f"exchange/{folder_name(system)}") for system in systems}
        return ChosenTransports(self.site, routes, lambda: self.signer, lambda: instant(day, 3))

    # -- the cycle ----------------------------------------------------------------------------------------------------

    def take_in(self, day: date) -> None:
        """Ingest, and settle by it."""
        report = ingest(self.warehouse, POLICY, self.site, as_of=day)
        self.rejected = report.rejected
        self.settled = settle(self.warehouse, POLICY, day)

    def decide(self, day: date) -> None:
        """Evaluate, re-check what waits, close what falls due, propose and seal."""
        build(self.warehouse)
        evaluate(self.warehouse, POLICY, day)
        recall(self.warehouse, POLICY, day, at=instant(day, 3))
        fall_due(self.warehouse, day)
        propose(self.warehouse, POLICY, day)
        self.sealed = seal(
            self.warehouse, POLICY, self.site, self.signer, as_of=day, issued_at=instant(day, 3),
            respond_within_days=self.respond_within, leave_out=self.rules.leaves_out,
        )  # fmt: skip

    def exchange_with_systems(self, day: date) -> None:
        """Approve what may go, deliver, let the systems act, read their answers, remind."""
        self.decided = approve_automatically(self.warehouse, self.rules, on_day=day, at=instant(day, 3))
        self.deliver(day)
        for name, system in self.systems.items():
            if self.exchange(name).is_dir():
                system.act(self.exchange(name), day)
        for folder in sorted((self.site.path / "exchange").glob("partner*")):
            self.systems.setdefault(folder.name, System(folder.name)).act(folder, day)
        read_receipts(self.warehouse, self.site, self.transports(day), now=instant(day, 20))
        self.reminders = remind(self.warehouse, day)

    def deliver(self, day: date) -> None:
        self.sent = deliver_approved(
            self.warehouse, POLICY, self.site, self.transports(day), as_of=day, now=instant(day, 4),
            recheck=lambda warehouse, policy, site: at_the_door(
                warehouse, policy, site, self.signer, as_of=day, issued_at=instant(day, 4),
                respond_within_days=self.respond_within, leave_out=self.rules.leaves_out,
            ),
            retry=Retry(attempts=1),
        )  # fmt: skip

    def night(self, day: date, *sources: str) -> None:
        for source in sources:
            self.export(source, day)
        self.take_in(day)
        self.decide(day)
        self.exchange_with_systems(day)

    def states(self, key: str) -> list[str]:
        """The states of a record's items, in the order in which they were sealed."""
        return [
            state
            for (state,) in self.warehouse.rows(
                "select states.state from manifest.item_states as states inner join manifest.manifests as manifests "
                "on manifests.manifest_id = states.manifest_id where states.record_key = $key "
                "order by manifests.as_of, manifests.sequence, states.action",
                {"key": key},
            )
        ]
