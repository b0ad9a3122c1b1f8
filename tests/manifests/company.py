"""A tiny company whose evaluation is written by hand: the tables that manifests are made from, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from assets.manifests.changes import propose
from assets.manifests.folders import restore
from assets.manifests.sealing import SealReport, seal
from assets.manifests.signatures import Signer, make_key
from assets.models import SQL, Model
from assets.policy import Policy, fields_pattern
from assets.site import Site
from assets.warehouse import Warehouse, literal
from tests.beginning import begin, keep

DAY = date(2025, 2, 1)
ISSUED_AT = datetime(2025, 2, 1, 3, 0, tzinfo=UTC)
POLICY = cast(Policy, SimpleNamespace(version="1", sha256="ab" * 32, register=SimpleNamespace(controller="Test AB")))

#: record type -> (source, table, key, {category: fields}), in the order of the contracts' columns
RECORDS: dict[str, tuple[str, str, str, dict[str, list[str]]]] = {
    "customer": ("crm", "customers", "customer_id",
                 {"identity": ["name"], "email": ["email"], "phone": ["phone"], "address": ["street", "city"]}),
    "delivery": ("orders", "deliveries", "delivery_id",
                 {"identity": ["contact_name"], "phone": ["phone"], "address": ["street", "postal_code", "city"]}),
    "web_event": ("web", "events", "event_id", {"device": ["ip"], "behaviour": ["cookie_id", "url"]}),
}  # fmt: skip

#: Values without a person in them, so that a test can look for them where they must not be.
VALUES = {"name": "Test Person", "email": "test@hem.example", "phone": "070-1740605", "street": "Provgatan 1",
          "city": "Teststad", "contact_name": "Test Person", "postal_code": "123 45", "ip": "192.0.2.10",
          "cookie_id": "k-1", "url": "https://butik.example/"}  # fmt: skip

Outcomes = Mapping[tuple[str, str], Mapping[str, str]]


def full(record_type: str, outcome: str) -> dict[str, str]:
    """The same outcome for every category of a record type."""
    return dict.fromkeys(RECORDS[record_type][3], outcome)


class Company:
    """A warehouse with records and an evaluation that the test sets.

    An outcome of a category is a disposition (`retain`, `restrict`, `review`, `erase`, `not_personal`), or `never`: an
    erase that no purpose ever covered. Claims that bear it out are made along.
    """

    def __init__(self, warehouse: Warehouse | None = None, *, threads: int | None = None, shuffle: int = 0) -> None:
        self.warehouse = warehouse or Warehouse.in_memory(threads=threads)
        self._rows: dict[tuple[str, str], int] = {}
        self._random = random.Random(shuffle)
        self._shuffled = shuffle > 0
        for statement in _tables():
            self.warehouse.run(statement)
        self.warehouse.run("insert into policy.purposes values ('selling', 'use'), ('bookkeeping', 'duty')")
        deliveries = [
            (1, "crm", "d1", "full", "aa", "loaded"),
            (2, "crm", "d2", "full", "bb", "loaded"),
            (3, "web", "d1", "full", "cc", "loaded"),
            (4, "web", "d2", "full", "dd", "rejected"),
        ]
        self.warehouse.insert(
            "intake.deliveries", ["sequence", "source", "delivery_id", "mode", "digest", "status"], deliveries
        )
        files = [
            (source, delivery_id, table, status)
            for _, source, delivery_id, _, _, status in deliveries
            for table in ("customers", "interactions")
        ]
        self.warehouse.insert("intake.files", ["source", "delivery_id", "table_name", "status"], files)

    @classmethod
    def opened(cls, warehouse: Warehouse) -> Company:
        """The company of a warehouse that was filled before."""
        company = cls.__new__(cls)
        company.warehouse = warehouse
        rows = warehouse.rows("select record_type, record_key, row_id from core.records order by row_id")
        company._rows = {(record_type, key): row_id for record_type, key, row_id in rows}
        company._random, company._shuffled = random.Random(0), False
        return company

    def keep(self, path: Path) -> None:
        """Close it as it stands, in a new file at `path`: others begin there."""
        keep(self.warehouse, path)
        self.warehouse.close()

    @classmethod
    def begun(cls, path: Path) -> Company:
        """A company of a test's own that begins where one was kept."""
        return cls.opened(begin(path, pseudonym_key=b""))

    def add(self, record_type: str, key: str, **values: Any) -> None:
        """One record; every classified field holds a value unless `values` says None."""
        source, table, key_field, categories = RECORDS[record_type]
        row_id = len(self._rows) + 1
        self._rows[record_type, key] = row_id
        fields = {field: VALUES[field] for names in categories.values() for field in names}
        row = {"row_id": row_id, "in_source": True, key_field: key, **fields, **values}
        self.warehouse.insert(f"raw.{source}_{table}", list(row), [list(row.values())])
        self.warehouse.insert(
            "core.records", ["record_type", "row_id", "record_key", "not_personal", "in_source"],
            [(record_type, row_id, key, False, True)],
        )  # fmt: skip
        if record_type == "delivery":
            self.warehouse.insert(
                "core.deliveries", ["delivery_id", "delivered_on"], [(row_id, row.get("delivered_at"))]
            )

    def gone(self, record_type: str, key: str) -> None:
        """The source does not deliver the record any more."""
        source, table, key_field, categories = RECORDS[record_type]
        emptied = ", ".join(f"{field} = null" for names in categories.values() for field in names)
        self.warehouse.run(f"update raw.{source}_{table} set in_source = false, {emptied} where {key_field} = ?", [key])
        self.warehouse.run("update core.records set in_source = false where record_key = ?", [key])

    def set_field(self, record_type: str, key: str, field: str, value: str | None) -> None:
        source, table, key_field, _ = RECORDS[record_type]
        self.warehouse.run(f"update raw.{source}_{table} set {field} = ? where {key_field} = ?", [value, key])

    def evaluate(self, day: date, outcomes: Outcomes) -> None:
        """Write `retention.*` as of the day: what `outcomes` says, `retain` for every other record in the sources."""
        warehouse = self.warehouse
        for table in ("retention.evaluation", "retention.records", "retention.dispositions",
                      "retention.purpose_claims"):  # fmt: skip
            warehouse.run(f"delete from {table}")
        warehouse.insert("retention.evaluation", ["as_of"], [(day,)])
        records: list[tuple[Any, ...]] = []
        dispositions: list[tuple[Any, ...]] = []
        claims: list[tuple[Any, ...]] = []
        present = {
            key
            for (key,) in warehouse.rows("select record_type || ' ' || record_key from core.records where in_source")
        }
        for (record_type, key), row_id in self._rows.items():
            if f"{record_type} {key}" not in present:
                continue
            records.append((record_type, RECORDS[record_type][0], row_id, key))
            for category, outcome in {**full(record_type, "retain"), **outcomes.get((record_type, key), {})}.items():
                disposition = "erase" if outcome == "never" else outcome
                dispositions.append((record_type, row_id, category, disposition))
                claims.extend((record_type, row_id, category, *claim) for claim in _claims(day, outcome))
        for rows in (records, dispositions, claims):
            if self._shuffled:
                self._random.shuffle(rows)
        warehouse.insert("retention.records", ["record_type", "source", "row_id", "record_key"], records)
        warehouse.insert(
            "retention.dispositions", ["record_type", "row_id", "data_category", "disposition"], dispositions
        )
        warehouse.insert(
            "retention.purpose_claims", ["record_type", "row_id", "clock", "purpose", "ends_on", "missing"], claims
        )

    def propose(self, day: date, outcomes: Outcomes) -> set[tuple[Any, ...]]:
        """Evaluate and propose; the proposed items as (system, record, key, action, fields)."""
        self.evaluate(day, outcomes)
        propose(self.warehouse, POLICY, day)
        return self.proposed()

    def proposed(self) -> set[tuple[Any, ...]]:
        rows = self.warehouse.rows("select system, record_type, record_key, action, fields from manifest.proposed")
        items = [(*row[:4], tuple(row[4])) for row in rows]
        assert len(items) == len(set(items))
        return set(items)

    def because(self, action: str) -> list[dict[str, Any]]:
        return self._json("because", action)

    def kept(self, action: str) -> list[dict[str, Any]]:
        return self._json("kept", action)

    def _json(self, column: str, action: str) -> list[dict[str, Any]]:
        import json

        parsed = json.loads(self.warehouse.value(f"select {column} from manifest.proposed where action = ?", [action]))
        assert isinstance(parsed, list)
        return parsed

    def night(self, day: date, outcomes: Outcomes, office: Office | None = None) -> set[tuple[Any, ...]]:
        """Evaluate, propose and seal; the items that were proposed."""
        items = self.propose(day, outcomes)
        report = self.seal(day, office)
        assert not report.refusals
        assert sum(sealed.items for sealed in report.sealed) == len(items)
        return items

    def seal(
        self, day: date, office: Office | None = None, issued_at: datetime = ISSUED_AT, leave_out: bool = False
    ) -> SealReport:
        site, signer = (None, None) if office is None else (office.site, office.signer)
        return seal(self.warehouse, POLICY, site, signer, as_of=day, issued_at=issued_at, leave_out=leave_out)


class Office:
    """A site folder with a signing key."""

    def __init__(self, path: Path, keys: Path | None = None) -> None:
        self.site = Site(path)
        self.site.make()
        folder = keys or self.site.keys
        self.public = folder / "signing.pub.pem"
        if not self.public.exists():
            make_key(folder / "signing.pem", self.public)
        self.signer = Signer.load(folder / "signing.pem")

    def files(self) -> dict[str, bytes]:
        """Everything in the outbox, by its path there."""
        return {
            str(path.relative_to(self.site.outbox)): path.read_bytes()
            for path in sorted(self.site.outbox.rglob("*")) if path.is_file()
        }  # fmt: skip

    def restore(self, company: Company) -> None:
        restore(company.warehouse, self.site)


def _claims(day: date, outcome: str) -> Sequence[tuple[Any, ...]]:
    """The claims that bear an outcome out: purpose, last day, what is missing. Each category has a clock of its own."""
    yesterday, later = day - timedelta(days=1), day + timedelta(days=100)
    ended = ("selling", yesterday, None)
    claims: dict[str, list[tuple[Any, ...]]] = {
        "retain": [("selling", later, None)],
        "restrict": [ended, ("bookkeeping", later, None)],
        "review": [("selling", None, "closed_at")],
        "erase": [ended],
        "never": [],
        "not_personal": [],
    }
    return claims[outcome]


def _tables() -> list[str]:
    statements = [f"create schema {name}" for name in ("policy", "raw", "core", "intake", "retention", "triggers")]
    statements += [
        "create table policy.purposes (purpose varchar, class varchar)",
        "create table policy.records (record_type varchar, source varchar, table_name varchar, key_field varchar, "
        "fields_pattern varchar)",
        "create table policy.fields (record_type varchar, source varchar, table_name varchar, field varchar, "
        "data_category varchar, position integer)",
        "create table raw.office_partners (row_id bigint, in_source boolean default true, partner_id varchar, "
        "role varchar)",
        "create table raw.office_disclosures (row_id bigint, in_source boolean default true, partner_id varchar, "
        "record_type varchar, record_key varchar, fields varchar, disclosed_at date, withheld varchar[], "
        "changed_in varchar)",
        "create table core.records (record_type varchar, row_id bigint, record_key varchar, not_personal boolean, "
        "in_source boolean)",
        "create table core.deliveries (delivery_id bigint, delivered_on date)",
        "create table intake.deliveries (sequence bigint, source varchar, delivery_id varchar, mode varchar, "
        "digest varchar, status varchar, extracted_at timestamp)",
        "create table intake.files (source varchar, delivery_id varchar, table_name varchar, status varchar)",
        "create table intake.blocks (source varchar, table_name varchar, reason varchar, detail varchar)",
        "create table retention.evaluation (as_of date)",
        "create table retention.records (record_type varchar, source varchar, row_id bigint, record_key varchar)",
        "create table retention.dispositions (record_type varchar, row_id bigint, data_category varchar, "
        "disposition varchar)",
        "create table retention.purpose_claims (purpose varchar, record_type varchar, row_id bigint, clock varchar, "
        "starts_on date, ends_on date, ended_by varchar, missing varchar, has_shared_clocks boolean default false)",
        "create table policy.coverage (purpose varchar, clock varchar, record_type varchar, data_category varchar, "
        "is_shared boolean default false)",
        "create table triggers.restricted_records (record_type varchar, row_id bigint)",
    ]
    for record_type, (source, table, key_field, categories) in RECORDS.items():
        fields = [field for names in categories.values() for field in names]
        columns = ", ".join(f"{name} varchar" for name in (key_field, *fields))
        extra = ", partner_id varchar, delivered_at date" if record_type == "delivery" else ""
        statements.append(
            f"create table raw.{source}_{table} "
            f"(row_id bigint, in_source boolean, withheld varchar[], {columns}{extra})"
        )
        described = (record_type, source, table, key_field, fields_pattern(fields))
        statements.append(f"insert into policy.records values ({', '.join(map(literal, described))})")
        position = 0
        for category, names in categories.items():
            for field in names:
                position += 1
                values = f"'{record_type}', '{source}', '{table}', '{field}', '{category}', {position}"
                statements.append(f"insert into policy.fields values ({values})")
        statements.extend(
            "insert into policy.coverage (purpose, clock, record_type, data_category) "
            f"values ('{purpose}', '{category}', '{record_type}', '{category}')"
            for purpose in ("selling", "bookkeeping")
            for category in categories
        )
    statements.append(
        f"create view retention.claims as {Model('retention', SQL / 'retention' / 'claims.sql').statement}"
    )
    return statements
