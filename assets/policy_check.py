"""Checks a policy before anyone runs it: coverage, SQL, scenarios, periods, legal bases, and words that are published.

Reads the policy alone, no warehouse. A finding is an `error` (the policy cannot be trusted to run), a `warning` (it
runs, and a person should look) or a `note` (it may well be meant so). What would be published of claims a run looks at
anew (`require_words_that_name_nobody`): a policy may have changed since somebody checked it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlglot
import yaml
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from assets.contracts.contract import ROW, Column, Contract, folded
from assets.contracts.declarations import canonical
from assets.contracts.raw_tables import raw_columns
from assets.errors import BadInput
from assets.models import Model
from assets.policy import HOLD, SHARED_CLOCKS, Policy, is_copy
from assets.yaml_files import read_yaml

CLAIM_COLUMNS = ("record_type", "row_id", "clock", "starts_on", "ends_on", "ended_by", "missing")
#: The columns of claims that are text; analysts see them.
_CLAIM_WORDS = ("clock", "ended_by", "missing")
_GROUNDS = {"use": ("eu-gdpr:A6-1-a", "eu-gdpr:A6-1-b", "eu-gdpr:A6-1-f"), "duty": ("eu-gdpr:A6-1-c", "eu-gdpr:A6-1-f")}

#: Grounds that a person's word takes away.
_ENDED_BY_WORDS = {"eu-gdpr:A6-1-a", "eu-gdpr:A6-1-f-controller"}
#: Tables by which a purpose hears what a person said.
_HEARD = frozenset({
    "triggers.customer_words", "triggers.contact_words", "triggers.named_contact_words", "triggers.person_words",
    "triggers.quote_words", "triggers.relations", "triggers.exits", "triggers.consent_ends",
    "triggers.newsletter_subscriptions", "triggers.requests_in_force", "triggers.address_withdrawals",
})  # fmt: skip


_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, order=True)
class Finding:
    """What a policy lacks. `rule` is a stable name, `message` says where and what to do."""

    severity: Literal["error", "warning", "note"]
    rule: str
    message: str


def check(policy: Policy) -> list[Finding]:
    """Everything that is to be said about a policy, errors first, notes last."""
    checks = (
        _uncovered_fields, _unknown_coverage, _purpose_files, _periods, _scenarios, _grounds, _words, _holds, _consents,
        _record, _published_words, _strays, _forgotten, _undeclared, _undelivered,
        _constants, _lookup_columns,
    )  # fmt: skip
    return sorted(
        (finding for one in checks for finding in one(policy)), key=lambda each: (_ORDER[each.severity], each)
    )


def _consents(policy: Policy) -> Iterator[Finding]:
    """How long a consent lasted is said by the purpose that rests on it; the proof of it lasts from then on."""
    path = policy.purpose_path("accountability")
    if "accountability" not in policy.register.purposes or path is None or _is_own(path, policy):
        return
    for name in ("newsletter", "web_statistics"):
        if name not in policy.register.purposes:
            yield Finding(
                "warning",
                "consents_for_review",
                f"register: there is no purpose {name}: the proof of a consent to it (accountability) is for review "
                "until a word ends the consent. Keep the entry for as long as you have such consents.",
            )


def _record(policy: Policy) -> Iterator[Finding]:
    """What Art 30(1) asks beside the purposes."""
    if policy.register.record is None:
        yield Finding(
            "warning",
            "record_missing",
            f"{policy.register_path.name} has no record: contacts, recipients, transfers and security measures "
            "(Art 30(1)(a), (d), (e), (g)) are not in the register. Add them, as the shipped one does.",
        )


def _uncovered_fields(policy: Policy) -> Iterator[Finding]:
    """A personal field that no purpose covers is erased for the person, and a finding for the register."""
    covered = {
        (entry.record_type, entry.data_category)
        for entry in policy.coverage()
        if policy.register.purposes[entry.purpose].covers != "every_category"
    }
    delivered = _delivered_fields(policy)
    for record_type, categories in policy.fields.items():
        for category, known in categories.items():
            fields = [name for name in known if (record_type, name) in delivered]
            if fields and (record_type, category) not in covered:
                yield Finding(
                    "warning",
                    "field_without_purpose",
                    f"{record_type}: {', '.join(fields)} ({category}) has no purpose in the register and will be "
                    "erased. Add a purpose that covers it, or stop exporting it.",
                )


def _undelivered(policy: Policy) -> Iterator[Finding]:
    """A purpose keeps nothing of what no export brings: a contract may have been forgotten, or is still to come."""
    for name, purpose in policy.register.purposes.items():
        lacking = dict.fromkeys(
            each
            for record_types in (purpose.covers.values() if purpose.covers != "every_category" else ())
            for record_type, categories in record_types.items()
            for each in _lacking(policy, record_type, () if categories == "all" else categories)
        )
        if lacking:
            yield Finding(
                "note",
                "not_delivered",
                f"register: {name} covers {', '.join(lacking)}, which no contract delivers, and keeps nothing of it. "
                "Add the contract, or let the entry wait for one.",
            )


def _lacking(policy: Policy, record_type: str, categories: Sequence[str]) -> list[str]:
    """What no contract delivers of a record type that the rules know: all of it, or categories that are named."""
    if record_type not in policy.fields:
        return []
    if not any(each.declared and each.record_type == record_type for each in policy.contracts.values()):
        return [record_type]
    known, read = policy.fields[record_type], _delivered_fields(policy)
    return [
        f"{record_type}.{category}"
        for category in categories
        if category in known and not any((record_type, field) in read for field in known[category])
    ]


def _delivered_fields(policy: Policy) -> set[tuple[str, str]]:
    """Record types and fields that some layout reads from its files; of the others there is nothing to erase."""
    return {
        (contract.record_type, column.name)
        for contract in policy.contracts.values() if contract.declared and contract.record_type is not None
        for layout in contract.layouts
        for column in layout.columns if column.physical is not None or column.transform is not None
    }  # fmt: skip


def _unknown_coverage(policy: Policy) -> Iterator[Finding]:
    """A purpose may only cover categories that some contract has."""
    for name, purpose in policy.register.purposes.items():
        if purpose.covers == "every_category":
            continue
        for clock, record_types in purpose.covers.items():
            for record_type, categories in record_types.items():
                known = policy.fields.get(record_type)
                if known is None:
                    yield Finding(
                        "warning",
                        "unknown_record_type",
                        f"register: {name} → {clock} covers {record_type}, which no contract delivers.",
                    )
                    continue
                for category in () if categories == "all" else categories:
                    if category not in known:
                        yield Finding(
                            "warning",
                            "unknown_category",
                            f"register: {name} → {clock} covers {record_type}.{category}, which no contract has.",
                        )


def _purpose_files(policy: Policy) -> Iterator[Finding]:
    """Every purpose has one SELECT that gives claims in the agreed columns."""
    for name in policy.register.purposes:
        path = policy.purpose_path(name)
        if path is None:
            yield Finding("error", "purpose_without_sql", f"{name}: add purposes/{name}.sql, one SELECT of its claims.")
            continue
        yield from _claims_shape(name, Model(schema="purposes", path=path))


def _claims_shape(name: str, model: Model) -> Iterator[Finding]:
    try:
        statements = sqlglot.parse(model.statement, dialect="duckdb")
    except SqlglotError:
        yield Finding("error", "sql_not_readable", f"{model.path.name}: this is not one SQL SELECT.")
        return
    query = statements[0]
    if len(statements) != 1 or not isinstance(query, exp.Query):
        yield Finding("error", "sql_not_readable", f"{model.path.name}: a purpose is one SELECT, nothing else.")
        return
    columns = tuple(query.named_selects)
    if columns != CLAIM_COLUMNS:
        yield Finding(
            "error", "claims_shape", f"{model.path.name}: it must select {', '.join(CLAIM_COLUMNS)}, in this order."
        )
    unknown = model.parameters - {"as_of"}
    if unknown:
        yield Finding(
            "error", "unknown_parameter", f"{name}: ${', $'.join(sorted(unknown))} is no parameter; $as_of is."
        )


def _periods(policy: Policy) -> Iterator[Finding]:
    """Every period that the SQL reads stands in the register; every one in the register is read."""
    for lacking in policy.lacking_periods:
        yield Finding("error", "period_missing", lacking)
    available = {(SHARED_CLOCKS, clock) for clock in policy.register.clocks}
    available |= {(name, clock) for name, purpose in policy.register.purposes.items() for clock in purpose.periods}
    read = {period for model in policy.period_readers for period in policy.periods_read_by(model)}
    for purpose, clock in sorted(available):
        if not read & {(purpose, clock), (purpose, None)}:
            yield Finding("warning", "period_unused", f"register: {purpose} → {clock}: no SQL reads this period.")


def _scenarios(policy: Policy) -> Iterator[Finding]:
    """Every purpose has a scenario: a file of its name, or one that lists it under `purposes`."""
    named: set[str] = set()
    for folder in policy.scenario_folders:
        for path in sorted(folder.glob("*.yaml")):
            named.add(path.stem)
            named.update(_purposes_of(path))
    for name in policy.register.purposes:
        if name not in named:
            yield Finding(
                "error",
                "purpose_without_scenario",
                f"{name}: add {name}.yaml to the policy's scenarios folder, or name it under `purposes` of one there.",
            )


def _purposes_of(path: Path) -> list[str]:
    try:
        if b"purposes" not in path.read_bytes():  # as in most, and there are a hundred
            return []
        content = read_yaml(path)
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return []
    listed = content.get("purposes") if isinstance(content, dict) else None
    return [str(name) for name in listed] if isinstance(listed, list) else []


def _grounds(policy: Policy) -> Iterator[Finding]:
    """A use rests on consent, contract or balance; a duty on law or balance, with its exception to erasure."""
    for name, purpose in policy.register.purposes.items():
        for basis in purpose.legal_basis:
            if not basis.startswith(_GROUNDS[purpose.purpose_class]):
                yield Finding(
                    "error", "legal_basis", f"register: {name}: {basis} cannot carry a {purpose.purpose_class} purpose."
                )
        rests_on_law = "eu-gdpr:A6-1-c" in purpose.legal_basis
        if purpose.purpose_class == "duty" and not rests_on_law and not purpose.erasure_exception:
            yield Finding(
                "error",
                "erasure_exception",
                f"register: {name} keeps data against an erasure: name its ground in Art 17(3) as erasure_exception.",
            )


def _words(policy: Policy) -> Iterator[Finding]:
    """A use that rests on consent or balance ends when the person says so (Art 7(3), 17(1), 21); the SQL has to ask.

    The shipped purposes are judged by their scenarios; this is about SQL that a company wrote itself.
    """
    for name, purpose in policy.register.purposes.items():
        path = policy.purpose_path(name)
        if path is None or path.parent != policy.purpose_folder or purpose.erasure_exception:
            continue
        model = Model(schema="purposes", path=path)
        may_go_on = purpose.purpose_class == "duty" or not set(purpose.legal_basis) & _ENDED_BY_WORDS
        if not may_go_on and not is_copy(model) and not model.references & _HEARD:
            yield Finding(
                "warning",
                "word_unheard",
                f"{path.name}: {name} is a use that rests on consent or balance, and goes on after an objection or an "
                "erasure request. Join triggers.customer_words or the like, or state an erasure_exception.",
            )


def require_words_that_name_nobody(policy: Policy) -> None:
    """Refuse a policy whose own claims' words could name somebody, or cannot be traced: they are published.

    Costs nothing where every purpose is the shipped one; what was found of a policy is known for as long as the
    process lives, by the policy's digest.

    Raises:
        BadInput: the words of a purpose could name somebody; the message is that of `check`.
    """
    if not _own_purposes(policy):
        return
    if policy.sha256 not in _judged:
        _judged[policy.sha256] = tuple(_published_words(policy))
    found = _judged[policy.sha256]
    if found:
        more = f" So with {len(found) - 1} more: `gallring policy check` tells them all." if len(found) > 1 else ""
        raise BadInput(found[0].message + more)


#: What was found of the words of a policy's claims, by the digest of everything that they are made of.
_judged: dict[str, tuple[Finding, ...]] = {}


def _own_purposes(policy: Policy) -> list[str]:
    return [name for name in policy.register.purposes if _is_own(policy.purpose_path(name), policy)]


def _published_words(policy: Policy) -> Iterator[Finding]:
    """What a company's own SQL calls its claims by is published: codes, and nothing that could name somebody."""
    own = _own_purposes(policy)
    if not own:
        return
    from assets.catalogue.lineage import LineageUnknown
    from assets.catalogue.published_lineage import column_lineage

    try:
        traced = column_lineage(policy)
        policy.purpose_models  # noqa: B018 - raises where a file is none, which is told elsewhere
    except BadInput:
        return
    for name in own:
        try:
            leaks = traced.leaks_of(f"purposes.{name}", _CLAIM_WORDS)
        except (LineageUnknown, SqlglotError, RecursionError):
            yield Finding(
                "error",
                "claims_untraced",
                f"{name}.sql: what its {', '.join(_CLAIM_WORDS)} are made of cannot be traced, so that nobody can say "
                "that they name no one, and they are published. Say of each column which table it is of, and join "
                "instead of asking within a column.",
            )
            continue
        for leak in leaks:
            yield Finding(
                "error",
                "claims_name_somebody",
                f"{name}.sql: {leak.column} carries {leak.origin.table}.{leak.origin.column}, which could name "
                "somebody, and is published. Give a word of your own instead.",
            )


def _is_own(path: Path | None, policy: Policy) -> bool:
    """Whether a purpose's SQL is the policy's own, and not a copy of the shipped one."""
    return path is not None and path.parent == policy.purpose_folder and not is_copy(Model("purposes", path))


def _strays(policy: Policy) -> Iterator[Finding]:
    """SQL of a purpose that the register does not name keeps nothing: an entry lost by mistake erases."""
    for path in sorted(policy.purpose_folder.glob("*.sql")) if policy.purpose_folder else ():
        if path.stem not in policy.register.purposes:
            yield Finding(
                "warning",
                "sql_without_purpose",
                f"purposes/{path.name}: the register has no purpose {path.stem}, so that nothing is kept by it. Add "
                "the entry, or take the file away.",
            )


def _forgotten(policy: Policy) -> Iterator[Finding]:
    """What a purpose reads of a row must not be gone the night after an ordered erasure: it would decide otherwise.

    It cannot be while the purpose's own claim keeps it.
    """
    contracts = {contract.raw_table: contract for contract in policy.contracts.values()}
    covered = {(entry.purpose, entry.record_type, entry.data_category) for entry in policy.coverage()}
    for name in _own_purposes(policy):
        path = policy.purpose_path(name)
        for table, read in sorted(_raw_columns_read(path)) if path else ():
            contract = contracts.get(table)
            column = next((each for each in contract.columns if each.name == read), None) if contract else None
            if contract is None or column is None or contract.record_type is None or column.category is None:
                continue
            if (name, contract.record_type, column.category) not in covered:
                yield Finding("warning", "column_forgotten", _told_of_forgotten(name, contract, column))


def _undeclared(policy: Policy) -> Iterator[Finding]:
    """A column that has left its contract stands in its table for as long as a purpose names it there, and ages."""
    contracts = {contract.raw_table: contract for contract in policy.contracts.values()}
    for name in _own_purposes(policy):
        path = policy.purpose_path(name)
        for table, read in sorted(_raw_columns_read(path, only_named=True)) if path else ():
            if table in contracts and read not in raw_columns(contracts[table]):
                yield Finding(
                    "warning",
                    "column_undeclared",
                    f"{name}.sql reads raw.{table}.{read}, which no contract declares: what stands there stays as long "
                    "as it is read, gets no news, and no order reaches it. Put the column back into its contract, or "
                    "take it out of the SQL.",
                )


def _constants(policy: Policy) -> Iterator[Finding]:
    """A personal field that is the same whatever the file holds is there in every export: no erasure of it shows."""
    for contract in policy.contracts.values():
        for layout in contract.layouts if contract.declared and contract.record_type is not None else ():
            for column in layout.columns:
                made = column.transform
                if column.category is None or made is None or made.columns or made.lookups:
                    continue
                if made.sql.lower() != "null":
                    of = f" of {layout.file_pattern}" if contract.other_layouts else ""
                    yield Finding(
                        "warning",
                        "constant_field",
                        f"contracts/{contract.raw_table}{of}: {column.name} ({column.category}) is made by an "
                        "expression that reads no column of the file: it stands in every export, and no erasure of "
                        "it can be proved. Leave it out, or give it only where a column of the file has a value.",
                    )


def _lookup_columns(policy: Policy) -> Iterator[Finding]:
    """An expression that reads what its lookup does not list is refused by the engine with each delivery."""
    for contract in policy.contracts.values():
        for layout in contract.layouts if contract.declared else ():
            columns = [*layout.columns, *(each for each in (layout.deletion, layout.last_by) if each)]
            written = {f"transformLogic of {each.name}": each.transform for each in columns}
            for where, expression in {**written, "rowFilter": layout.row_filter}.items():
                for names, column in expression.looked_up if expression else ():
                    listed = [name for each in layout.lookups if each.name in names for name in each.readable]
                    readable = [*listed, *(layout.reads if ROW in names else ())]
                    if folded(column) not in map(folded, readable):
                        of = f" of {layout.file_pattern}" if contract.other_layouts else ""
                        lookups = " or ".join(name for name in names if name != ROW)
                        yield Finding(
                            "error",
                            "lookup_column",
                            f"contracts/{contract.raw_table}{of}: {where} reads {column}, which the lookup {lookups} "
                            f"does not list ({', '.join(sorted(listed))}). Add it there, or read another.",
                        )


def _told_of_forgotten(name: str, contract: Contract, column: Column) -> str:
    ours = all(column.name != each.name for each in canonical()[contract.source, contract.table].columns)
    instead = f"read known_{column.name} instead, or " if column.remembered else (
        f"say `remembered` of it in the contract and read known_{column.name} instead, or " if ours else ""
    )  # fmt: skip
    return (
        f"{name}.sql reads raw.{contract.raw_table}.{column.name}, which is empty from the night after "
        f"{column.category} of the {contract.record_type} was ordered erased, and may then decide otherwise. So "
        f"{instead}cover that category too and claim nothing where it is empty."
    )


def _raw_columns_read(path: Path, *, only_named: bool = False) -> set[tuple[str, str]]:
    """The columns of `raw.*` that a SELECT names, as table and column; one without its table counts for each there.

    `only_named`: it counts for none.
    """
    try:
        scopes = traverse_scope(sqlglot.parse_one(Model("purposes", path).statement, dialect="duckdb"))
    except (SqlglotError, RecursionError):
        return set()  # told elsewhere
    read = set()
    for scope in scopes:
        tables = {alias: source.name for alias, source in scope.sources.items()
                  if isinstance(source, exp.Table) and source.db == "raw"}  # fmt: skip
        for column in scope.columns:
            if column.table in tables:
                read.add((tables[column.table], column.name))
            elif not column.table and not only_named:
                read |= {(table, column.name) for table in tables.values()}
    return read


def _holds(policy: Policy) -> Iterator[Finding]:
    """A hold keeps data by the purpose of that name alone; without it every run with a hold in force stops."""
    if HOLD not in policy.register.purposes:
        yield Finding(
            "warning",
            "hold_without_purpose",
            f"register: there is no purpose {HOLD}, so that nothing keeps what is put on hold, and a run stops as soon "
            "as there is a hold. Add it, as the shipped register has it.",
        )
