"""A policy folder: the purpose register, the SQL of each purpose, and the contracts of what arrives.

Reads and checks them, and writes them as `policy.*` tables that the evaluation joins. Decides nothing about records.

A folder holds `register.yaml`, and, where they differ from the shipped ones, `purposes/*.sql`, `contracts/*.yaml` and
`scenarios/*.yaml`. Without a folder the shipped Familjefilm policy applies.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from assets.contracts.contract import Contracts
from assets.contracts.declarations import canonical, load_contracts
from assets.errors import BadInput
from assets.models import SQL, Model, Models
from assets.purpose_register import Register, months_and_days, read_register
from assets.vocabulary import CLOSED_WORDS, enum_of
from assets.warehouse import Warehouse

SHIPPED_REGISTER = SQL / "purposes" / "register.yaml"
SHARED_CLOCKS = "*"
#: The purpose that holds of the office's register keep records by.
HOLD = "legal_hold"


#: How SQL asks for a purpose's period: by a clock or several, or by what a row says, so that no clock stands there.
_ALIAS = r"(?:\w+\.)?"
_PURPOSE = rf"{_ALIAS}purpose\s*=\s*'(?P<purpose>[^']+)'"
_CLOCK = rf"{_ALIAS}clock\s*(?:=\s*'(?P<clock>[^']+)'|in\s*\((?P<clocks>[^)]*)\)|(?P<chosen>=))"
_PERIOD_READ = [
    re.compile(rf"\b{first}\s+and\s+{second}", re.IGNORECASE)
    for first, second in ((_PURPOSE, _CLOCK), (_CLOCK.replace("|(?P<chosen>=)", ""), _PURPOSE))
]


@dataclass(frozen=True)
class Coverage:
    """One clock of a purpose covers one category of one record type."""

    purpose: str
    clock: str
    record_type: str
    data_category: str


class OwnPurpose(Model):
    """A purpose's SQL out of a policy folder, which may claim a record several times: summed to one row a clock.

    Its clocks may be words of the policy's own, so none of its columns is held to the closed ones.
    """

    @property
    def closed_words(self) -> tuple[str, ...]:
        """None, even where the file was copied from a shipped one and its header says so."""
        return ()

    @cached_property
    def statement(self) -> str:
        """The SELECT of the file, summed."""
        return f"""
            with claims as ({super().statement}),
            summed as (
                select
                    claims.record_type, claims.row_id, claims.clock,
                    min(claims.starts_on) as starts_on,
                    max(claims.ends_on) as ends_on,
                    max(
                        case when claims.ended_by is not null
                            then cast(claims.ends_on as varchar) || ' ' || claims.ended_by end
                    ) as last_word,
                    max(claims.missing) as missing
                from claims
                where claims.row_id is not null
                group by claims.record_type, claims.row_id, claims.clock
            )
            select
                summed.record_type, summed.row_id, summed.clock, summed.starts_on, summed.ends_on,
                case
                    when substr(summed.last_word, 1, 10) = cast(summed.ends_on as varchar)
                        then substr(summed.last_word, 12)
                end as ended_by,
                summed.missing
            from summed
        """


def is_copy(own: Model) -> bool:
    """Whether a policy's own file says what the shipped one says, as in every new site."""
    shipped = SQL / "purposes" / own.path.name
    try:
        return shipped.is_file() and Model(own.schema, shipped).statement == own.statement
    except (OSError, UnicodeDecodeError):  # told by whoever checks what is not a copy
        return False


def periods_read(model: Model) -> set[tuple[str, str | None]]:
    """The periods that a SELECT plainly asks `policy.periods` for, as purpose and clock; None: the clock of a row."""
    read: set[tuple[str, str | None]] = set()
    for pattern in _PERIOD_READ:
        for found in (each.groupdict() for each in pattern.finditer(model.statement)):
            several = re.findall(r"'([^']+)'", found["clocks"] or "")
            read |= {(found["purpose"], clock) for clock in several or [found["clock"]]}
    return read


@dataclass(frozen=True)
class Policy:
    """A register with the SQL and the contracts that apply it."""

    register: Register
    register_path: Path
    purpose_folder: Path | None
    contracts: Contracts
    scenario_folders: tuple[Path, ...]

    @classmethod
    def load(cls, folder: Path | None = None) -> Policy:
        """The policy of `folder`, or the shipped one.

        Raises:
            BadInput: the folder or its register is missing or wrong; the message names the entry.
        """
        if folder is None:
            register_path, purposes, contracts = SHIPPED_REGISTER, None, canonical()
            scenarios: tuple[Path, ...] = (SQL.parent / "tests" / "scenarios",)
        else:
            register_path = folder / "register.yaml"
            purposes = folder / "purposes" if (folder / "purposes").is_dir() else None
            own = folder / "contracts"
            contracts = load_contracts(own) if own.is_dir() else canonical()
            scenarios = (folder / "scenarios",)
        return cls(read_register(register_path), register_path, purposes, contracts, scenarios)

    @property
    def version(self) -> str:
        """The register's version, as its owner writes it."""
        return self.register.version

    @cached_property
    def sha256(self) -> str:
        """A digest over everything that decides: register, purpose SQL, evaluation SQL and contracts."""
        digest = hashlib.sha256(self.register_path.read_bytes())
        shared = Models.of("core", "triggers", "retention").ordered
        for model in sorted((*self.purpose_models, *shared), key=lambda model: model.table):
            digest.update(f"\n{model.table}\n".encode() + model.statement.encode())
        for contract in self.contracts.values():
            digest.update(f"\n{contract.source}/{contract.table}\n".encode() + contract.digest.encode())
        return digest.hexdigest()

    @cached_property
    def own_sha256(self) -> str | None:
        """A digest over what the policy's owner writes: register, and the folder's purposes and contracts.

        None of the shipped policy. Another version of the program leaves it as it is.
        """
        folder = self.register_path.parent
        if self.register_path == SHIPPED_REGISTER:
            return None
        digest = hashlib.sha256(self.register_path.read_bytes())
        for model in sorted(self.purpose_models, key=lambda model: model.table):
            if model.path.parent == self.purpose_folder:
                digest.update(f"\n{model.table}\n".encode() + Model(model.schema, model.path).statement.encode())
        for contract in self.contracts.values() if (folder / "contracts").is_dir() else ():
            digest.update(f"\n{contract.source}/{contract.table}\n".encode() + contract.digest.encode())
        return digest.hexdigest()

    @cached_property
    def purpose_models(self) -> tuple[Model, ...]:
        """One model for each purpose of the register: the policy's own file, else the shipped one.

        Raises:
            BadInput: a purpose has no SQL file, or one that is more than a SELECT over the evaluation's tables.
        """
        found: list[Model] = []
        for purpose in self.register.purposes:
            path = self.purpose_path(purpose)
            if path is None:
                raise BadInput(
                    f"{self.register_path.name}: purpose {purpose} has no file purposes/{purpose}.sql. Add it."
                )
            model = Model(schema="purposes", path=path)
            if path.parent == self.purpose_folder and not is_copy(model):
                from assets.statements import check_select  # reads a parser of SQL: a tenth of what a command takes

                check_select(path)
                model = OwnPurpose(schema="purposes", path=path)
            found.append(model)
        return tuple(found)

    def purpose_path(self, purpose: str) -> Path | None:
        """Where a purpose's SQL is, or None."""
        folders = [folder for folder in (self.purpose_folder, SQL / "purposes") if folder is not None]
        return next((path for folder in folders if (path := folder / f"{purpose}.sql").is_file()), None)

    @cached_property
    def period_readers(self) -> tuple[Model, ...]:
        """The SQL that may ask for periods: of the register's purposes, and of the triggers."""
        paths = (self.purpose_path(name) for name in self.register.purposes)
        return (*(Model("purposes", path) for path in paths if path), *Models.of("triggers").ordered)

    def periods_read_by(self, model: Model) -> set[tuple[str, str | None]]:
        """The periods that a SELECT asks for: of the policy's own in any shape, of those shipped in the plain ones."""
        if model.path.parent != self.purpose_folder or is_copy(model):
            return periods_read(model)
        from assets.asked_periods import periods_asked  # reads a parser of SQL: a tenth of what a command takes

        return periods_read(model) | periods_asked(model.statement)

    @cached_property
    def lacking_periods(self) -> tuple[str, ...]:
        """What to add to the register, a sentence for each period that SQL joins and that is not there.

        The SQL would join nothing, and so keep nothing. A trigger may read a purpose that the register does not have.
        """
        known: set[tuple[str, str | None]] = {(purpose, clock) for purpose, clock, _ in self._periods()}
        known |= {(purpose, None) for purpose, _ in known}
        return tuple(
            f"register: {'clocks' if purpose == SHARED_CLOCKS else f'purposes → {purpose} → periods'}: "
            f"add {clock or 'the clocks that its rows choose'}; {model.path.name} reads "
            f"{'it' if clock else 'them'}, and keeps nothing without."
            for model in self.period_readers
            for purpose, clock in sorted(self.periods_read_by(model) - known, key=str)
            if model.schema == "purposes" or purpose in (SHARED_CLOCKS, *self.register.purposes)
        )

    def require_periods(self) -> None:
        """Refuse to decide by SQL that joins a period which the register lacks: all that it keeps would be erased.

        Raises:
            BadInput: a period is missing; the message is that of `gallring policy check`.
        """
        if lacking := self.lacking_periods:
            more = f" So with {len(lacking) - 1} more: `gallring policy check` tells them all."
            raise BadInput(lacking[0] + (more if len(lacking) > 1 else ""))

    @cached_property
    def fields(self) -> dict[str, dict[str, list[str]]]:
        """Record type -> data category -> classified fields, in the contracts' order."""
        found: dict[str, dict[str, list[str]]] = {}
        for contract in self.contracts.values():
            if contract.record_type is None:
                continue
            categories = found.setdefault(contract.record_type, {})
            for column in contract.columns:
                if column.category is not None:
                    categories.setdefault(column.category, []).append(column.name)
        return found

    def coverage(self) -> Iterator[Coverage]:
        """What every purpose covers, with `all` spelled out, in the register's order."""
        for name, purpose in self.register.purposes.items():
            if purpose.covers == "every_category":
                for record_type, categories in self.fields.items():
                    for category in categories:
                        yield Coverage(name, category, record_type, category)
                continue
            for clock, record_types in purpose.covers.items():
                for record_type, categories_named in record_types.items():
                    chosen = list(self.fields.get(record_type, {})) if categories_named == "all" else categories_named
                    for category in chosen:
                        yield Coverage(name, clock, record_type, category)

    def publish(self, warehouse: Warehouse) -> None:
        """Write the policy as `policy.*` tables, in one transaction."""
        with warehouse.transaction():
            warehouse.run("create schema if not exists policy")
            for table, rows in self._rows.items():
                columns = self._stored_columns(table)
                described = ", ".join(f"{name} {kind}" for name, kind in columns.items())
                warehouse.run(f"create or replace table policy.{table} ({described})")
                warehouse.insert(f"policy.{table}", list(columns), rows)

    @cached_property
    def _rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """What each table of `policy.*` holds."""
        purposes = self.register.purposes
        return {
            "about": [(self.register.policy, self.version, self.sha256, self.register.controller)],
            "purposes": [
                (name, position, entry.purpose_class, " | ".join(entry.legal_basis), entry.title.sv, entry.title.en,
                 entry.dpv_purpose, entry.law, entry.decided_by, entry.erasure_exception)
                for position, (name, entry) in enumerate(purposes.items())
            ],
            "particulars": list(self._particulars()),
            "periods": [
                (purpose, clock, *months_and_days(period)) for purpose, clock, period in self._periods()
            ],
            "categories": [(number, *category) for category, number in self._categories.items()],
            "coverage": list(self._coverage_rows()),
            "records": [
                (contract.record_type, contract.source, contract.table, contract.key,
                 fields_pattern([column.name for column in contract.columns if column.category is not None]))
                for contract in self.contracts.values() if contract.record_type is not None
            ],
            "fields": [
                (contract.record_type, contract.source, contract.table, column.name, column.category, position)
                for contract in self.contracts.values() if contract.record_type is not None
                for position, column in enumerate(contract.columns) if column.category is not None
            ],
        }  # fmt: skip

    @cached_property
    def _categories(self) -> dict[tuple[str, str], int]:
        """Record type and data category to a number of its own, so that the evaluation groups by numbers."""
        pairs = [(record_type, category) for record_type, found in self.fields.items() for category in found]
        return {pair: number for number, pair in enumerate(pairs)}

    @cached_property
    def purpose_words(self) -> tuple[str, ...]:
        """The names of the purposes in alphabetical order."""
        return tuple(sorted(self.register.purposes))

    @cached_property
    def sharing_purposes(self) -> frozenset[str]:
        """The purposes of which several clocks cover the same category of a record type."""
        return frozenset(purpose for purpose, *_, is_shared in self._coverage_rows() if is_shared)

    def _stored_columns(self, table: str) -> dict[str, str]:
        """A table's columns with their types: of what claims are joined with, words as the claims keep them.

        A word outside the closed ones (a policy's own clock) leaves the column text.
        """
        columns = _columns(_TABLES[table])
        if table not in ("coverage", "categories"):
            return columns
        words = {"purpose": self.purpose_words} | CLOSED_WORDS
        rows = [dict(zip(columns, row, strict=True)) for row in self._rows[table]]
        closed = [name for name in columns if name in words and {row[name] for row in rows} <= set(words[name])]
        return columns | {name: enum_of(words[name]) for name in closed}

    def _coverage_rows(self) -> Iterator[tuple[Any, ...]]:
        covers = list(self.coverage())
        clocks = Counter((cover.purpose, cover.record_type, cover.data_category) for cover in covers)
        for cover in covers:
            number = self._categories.get((cover.record_type, cover.data_category))
            is_shared = clocks[cover.purpose, cover.record_type, cover.data_category] > 1
            yield cover.purpose, cover.clock, cover.record_type, cover.data_category, number, is_shared

    def _particulars(self) -> Iterator[tuple[Any, ...]]:
        """What the register says beside its purposes, a row each, in the order of Art 30(1)."""
        record = self.register.record
        if record is None:
            return
        own = record.controller.model_copy(update={"name": record.controller.name or self.register.controller})
        contacts = [("controller", own), *(("joint_controller", each) for each in record.joint_controllers)]
        contacts += [("representative", record.representative)] if record.representative else []
        officer = record.data_protection_officer
        contacts += [("data_protection_officer", officer)] if officer else []
        rows: list[tuple[str, ...]] = [
            (part, who.name, who.name, who.name, who.ways, "", "", "", "") for part, who in contacts
        ]
        rows += [
            ("recipient", name, each.title.sv, each.title.en, "", each.role, each.country, each.safeguard,
             "; ".join(each.purposes))
            for name, each in record.recipients.items()
        ]  # fmt: skip
        rows += [("security", "", measure.sv, measure.en, "", "", "", "", "") for measure in record.security]
        for position, (part, *values) in enumerate(rows, start=1):
            yield part, position, *values

    def _periods(self) -> Iterator[tuple[str, str, str]]:
        for clock, shared in self.register.clocks.items():
            yield SHARED_CLOCKS, clock, shared.period
        for name, purpose in self.register.purposes.items():
            for clock, period in purpose.periods.items():
                yield name, clock, period


_TABLES = {
    "about": "policy varchar, version varchar, sha256 varchar, controller varchar",
    "purposes": "purpose varchar, position integer, class varchar, legal_basis varchar, title_sv varchar, "
    "title_en varchar, dpv_purpose varchar, law varchar, decided_by varchar, erasure_exception varchar",
    "particulars": "part varchar, position integer, name varchar, title_sv varchar, title_en varchar, contact varchar, "
    "role varchar, country varchar, safeguard varchar, purposes varchar",
    "periods": "purpose varchar, clock varchar, months integer, days integer",
    "categories": "category_id integer, record_type varchar, data_category varchar",
    "coverage": "purpose varchar, clock varchar, record_type varchar, data_category varchar, category_id integer, "
    "is_shared boolean",
    "records": "record_type varchar, source varchar, table_name varchar, key_field varchar, fields_pattern varchar",
    "fields": "record_type varchar, source varchar, table_name varchar, field varchar, data_category varchar, "
    "position integer",
}


def _columns(described: str) -> dict[str, str]:
    """Column names to types, out of a table's description."""
    return dict(column.split() for column in described.split(", "))


def fields_pattern(fields: list[str]) -> str:
    """Matches a list of known fields between semicolons (`;name;phone;`), and nothing else but more of these."""
    return "^;+(?:(?:" + "|".join(fields) + ");+)+$"
