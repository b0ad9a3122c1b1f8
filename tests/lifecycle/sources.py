"""Source systems of a company whose life is played: what they hold, export, are told, do and answer.

Nothing here is the product's: a system reads the manifests that lie in its folder, and writes files. What it does with
an order is drawn by lot: it obeys, half obeys, lies, refuses, waits, answers twice or not at all.
"""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.oracle.evaluator import FIELDS, TABLES

Row = dict[str, Any]
Rows = dict[str, dict[str, Row]]
Named = tuple[str, str]

KEYS = {table: key for table, key in TABLES.values()} | {
    "office/fiscal_years": "starts_on", "office/partners": "partner_id", "office/disclosures": "disclosure_id",
    "office/holds": "hold_id", "office/requests": "request_id",
}  # fmt: skip
KINDS = {table: kind for kind, (table, _) in TABLES.items()}
SOURCES = ("crm", "orders", "mailing", "web", "office")
#: What stands in a row that breaks a rule of its contract, beside its columns.
BROKEN_ROW = "_broken"
#: Columns without which a row is set aside: a system that empties them would break its own export.
REQUIRED = {("invoice", "amount"), ("payment", "amount")}


def fields_of(kind: str) -> list[str]:
    """The classified fields of a record type."""
    return [name for names in FIELDS[kind].values() for name in names]


def held(row: Row | None, kind: str) -> set[str]:
    """The classified fields in which a row has a value."""
    return set() if row is None else {name for name in fields_of(kind) if (row.get(name) or "").strip()}


def instant(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant of a day."""
    return datetime.combine(day, time(hour, minute), UTC)


@dataclass(frozen=True)
class Export:
    """One delivery as it was written: what the model reads, and the product as files."""

    source: str
    delivery_id: str
    extracted_at: datetime
    mode: str
    tables: dict[str, list[Row]]

    def write(self, inbox: Path, columns: dict[str, list[str]]) -> None:
        """Write it into the inbox, described and summed up."""
        folder = inbox / self.source / self.delivery_id
        folder.mkdir(parents=True)
        files = []
        for table, rows in sorted(self.tables.items()):
            names = [*columns[table], *(["_deleted"] if self.mode == "delta" else [])]
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(names)
            writer.writerows([row.get(name) or "" for name in names] for row in rows)
            content = text.getvalue().encode()
            name = table.split("/")[1]
            (folder / f"{name}.csv").write_bytes(content)
            files.append({"name": f"{name}.csv", "table": name, "rows": len(rows),
                          "sha256": hashlib.sha256(content).hexdigest()})  # fmt: skip
        note = {"source": self.source, "delivery_id": self.delivery_id, "mode": self.mode, "files": files,
                "extracted_at": self.extracted_at.isoformat()}  # fmt: skip
        (folder / "delivery.json").write_text(json.dumps(note), encoding="utf-8")


@dataclass
class System:
    """What one system was told, and what it still has to do and to say."""

    name: str
    random: Random
    #: By record and field: the last word that came, and the item that brought it.
    told: dict[Named, dict[str, tuple[str, str]]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    later: list[tuple[date, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    answered: list[dict[str, Any]] = field(default_factory=list)

    def act(
        self, folder: Path, order: list[str], rows: Rows, now: datetime, everything: Sequence[tuple[str, str]]
    ) -> list[str]:
        """Read what came, in the order of the chain; do and answer. Returns what was done, for the story.

        `everything` is every item that there is: now and then an answer is about one that never came here.
        """
        answers: list[dict[str, Any]] = []
        day = now.date()
        done: list[str] = []
        for manifest_id in order:
            path = folder / "manifests" / manifest_id / "items.jsonl"
            if manifest_id in self.seen or not path.is_file():
                continue
            self.seen.add(manifest_id)
            for line in path.read_text(encoding="utf-8").splitlines():
                item = json.loads(line)
                self._hear(item)
                how, said = self._meet(item, manifest_id, rows, now)
                answers += said
                done.append(f"{self.name} {item['action']} {item['record_type']} {next(iter(item['key'].values()))} "
                            f"{','.join(item['fields'])}: {how}")  # fmt: skip
        due = [each for each in self.later if each[0] <= day]
        self.later = [each for each in self.later if each[0] > day]
        for _, item, answer in due:
            if item["action"] in ("erase", "redact"):
                self._do(item, rows, 1.0)
            answers.append(answer)
            done.append(f"{self.name} does late {item['record_type']} {next(iter(item['key'].values()))}")
        self.answered += answers
        answers += self._change_words(now)
        if answers and everything and self.random.random() < 0.2:
            manifest_id, item_id = self.random.choice(everything)
            answers.append({**answers[0], "manifest_id": manifest_id, "item_id": item_id})
            done.append(f"{self.name} answers {answers[0]['status']} to {item_id[:6]} too")
        self._say(folder, answers, day)
        return done

    def _change_words(self, now: datetime) -> list[dict[str, Any]]:
        """An answer that was given before, in other words."""
        if not self.answered or self.random.random() > 0.2:
            return []
        before = self.random.choice(self.answered)
        status = self.random.choice(("done", "refused", "withheld", "queued", "partly_retained", "already_absent"))
        words = {name: before[name] for name in ("manifest_id", "item_id")}
        until = {"until": (now.date() + timedelta(days=self.random.choice((0, 2, 40)))).isoformat()}
        return [{**words, "status": status, "at": _text(now), **(until if status == "withheld" else {})}]

    def _hear(self, item: dict[str, Any]) -> None:
        (key,) = item["key"].values()
        words = self.told.setdefault((item["record_type"], key), {})
        word = {"restrict": "restrict", "lift": "retain", "notify": "notify"}.get(item["action"], "erase")
        for name in item["fields"] or fields_of(item["record_type"]):
            words[name] = (word, item["item_id"])

    def _say(self, folder: Path, answers: list[dict[str, Any]], day: date) -> None:
        if not answers:
            return
        lines = [json.dumps(each) for each in answers]
        if self.random.random() < 0.2:  # twice, backward, forged, malformed
            lines += self.random.sample(lines, 1)
            forged = {**answers[0], "item_id": "0" * 64}
            lines += [json.dumps(forged), '{"manifest_id": 7', json.dumps({**answers[0], "status": "accepted"})]
            lines.append(json.dumps({**answers[0], "manifest_id": "f" * 64, "status": "done"}))
        (folder / "receipts").mkdir(exist_ok=True)
        number = len(list((folder / "receipts").iterdir()))
        (folder / "receipts" / f"{day.isoformat()}-{number}.jsonl").write_text("\n".join(lines) + "\n")

    def _meet(
        self, item: dict[str, Any], manifest_id: str, rows: Rows, now: datetime
    ) -> tuple[str, list[dict[str, Any]]]:
        def answer(status: str, **more: Any) -> dict[str, Any]:
            return {"manifest_id": manifest_id, "item_id": item["item_id"], "status": status, "at": _text(now), **more}

        day = now.date()
        until = (day + timedelta(days=self.random.choice((1, 20, 180)))).isoformat()
        if item["action"] not in ("erase", "redact"):
            how = self.random.choice(("done",) * 8 + ("refused", "withheld", "silent", "accepted", "late"))
            if how == "late":
                self.later.append((day + timedelta(days=self.random.choice((1, 5, 40))), item, answer("done")))
                return how, []
            if how == "withheld":
                return how, [answer(how, until=until)]
            return how, [] if how == "silent" else [answer(how)]
        how = self.random.choice((
            *("obeys",) * 8, "obeys silently", "half", "half", "lies", "refuses", "withholds", "partly", "queues",
            "absent", "accepts", "ignores",
        ))  # fmt: skip
        share = {"obeys": 1.0, "obeys silently": 1.0, "half": 0.5, "partly": 0.5, "absent": 1.0}.get(how, 0.0)
        if share:
            self._do(item, rows, share)
        if how == "queues":
            self.later.append((day + timedelta(days=self.random.choice((1, 5, 40))), item, answer("done")))
        answers = {
            "obeys": [answer("done")], "half": [answer("done")], "lies": [answer("done")],
            "refuses": [answer("refused", detail="order_open")], "withholds": [answer("withheld", until=until)],
            "partly": [answer("partly_retained", detail="required_field")], "queues": [answer("queued")],
            "absent": [answer("already_absent")], "accepts": [answer("accepted")],
        }.get(how, [])  # fmt: skip
        return how, answers

    def _do(self, item: dict[str, Any], rows: Rows, share: float) -> None:
        """Erase what the item names and nothing has been said about since."""
        (key,) = item["key"].values()
        kind = item["record_type"]
        table = TABLES[kind][0]
        row = rows[table].get(key)
        words = self.told[kind, key]
        if row is None:
            return
        names = [name for name in (item["fields"] or fields_of(kind)) if words[name][1] == item["item_id"]]
        if share == 1 and not item["fields"] and len(names) == len(fields_of(kind)):
            del rows[table][key]
            return
        for name in names[: max(1, round(len(names) * share))]:
            if (kind, name) not in REQUIRED:
                row[name] = None


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def snapshot(rows: Rows, source: str) -> Rows:
    """What a source holds now, as its backup keeps it."""
    return {table: copy.deepcopy(there) for table, there in rows.items() if table.startswith(f"{source}/")}
