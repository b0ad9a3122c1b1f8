"""Scenario files: rows in, expected dispositions and manifest items out, run in memory through the product's own SQL.

One file is one site: its steps run in the order of their days over the same exports. Compares; decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import yaml

from assets.core.building import build
from assets.errors import BadInput
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.vocabulary import ACTIONS, DISPOSITIONS
from assets.warehouse import Warehouse
from assets.yaml_files import PARSER, read_yaml, wrong_with

Entry = TypeVar("Entry")
Exports = dict[str, list[dict[str, str | None]]]
ANY_END = "any"
#: Systems that items are told to beside the sources: this product, and who was given data.
WAREHOUSE, PARTNER = "warehouse", "partner:"


class _TextLoader(PARSER):  # type: ignore[misc]
    """YAML in which every scalar but null stays the text that was written: dates, numbers and booleans too."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class ExpectedDisposition:
    """What a field (or a whole category) must be; `keep_until` is `any` where the file does not say."""

    record_type: str
    record_key: str
    field: str
    disposition: str
    keep_until: date | str | None = ANY_END

    def __str__(self) -> str:
        """The record and field, as a person would name it."""
        return f"{self.record_type} {self.record_key} {self.field}"


@dataclass(frozen=True)
class ExpectedItem:
    """An item that must be among those first issued on the day."""

    record_type: str
    record_key: str
    action: str
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Step:
    """What is expected on one day. `manifests`: system -> items; an empty tuple means none."""

    as_of: date
    dispositions: tuple[ExpectedDisposition, ...]
    manifests: dict[str, tuple[ExpectedItem, ...]]


@dataclass(frozen=True)
class Scenario:
    """One scenario file. `left_aside`: what stands in it and says nothing, a sentence each."""

    name: str
    exports: Exports
    steps: tuple[Step, ...]
    left_aside: tuple[str, ...] = ()


@dataclass
class ScenarioOutcome:
    """How a scenario went: `differences` is empty when everything is as expected; `left_aside` as in `Scenario`."""

    name: str
    expectations: int = 0
    differences: list[str] = field(default_factory=list)
    left_aside: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def read(path: Path) -> Scenario:
    """A scenario file, checked.

    Raises:
        BadInput: it is not a scenario; the message names the file and the place.
    """
    try:
        content = read_yaml(path, _TextLoader)
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such scenario file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not a YAML file in UTF-8: {wrong_with(error)}.") from None
    except OSError:
        raise BadInput(f"{path}: it cannot be read: look whose it is.") from None
    if not isinstance(content, dict) or not isinstance(content.get("expect"), list):
        raise BadInput(f"{path}: a scenario has a name, exports and a list under expect.")
    exports = _exports(path, content.get("exports") or {})
    steps = [_step(path, number, step) for number, step in enumerate(content["expect"], start=1)]
    return Scenario(
        str(content.get("name") or path.stem), exports, tuple(sorted(steps, key=lambda step: step.as_of)),
        tuple(_left_aside(content["expect"])),
    )  # fmt: skip


def run(path: Path, policy: Policy) -> ScenarioOutcome:
    """Run one scenario file against `policy` in a warehouse of its own.

    Raises:
        BadInput: it is not a scenario, or expects something of a table or system that the policy does not know.
    """
    scenario = read(path)
    _require_known_systems(path, scenario, policy)
    outcome = ScenarioOutcome(scenario.name, left_aside=scenario.left_aside)
    with Warehouse.in_memory(pseudonym_key=b"scenario", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        try:
            load_rows(warehouse, policy, scenario.exports)
        except BadInput as error:
            raise BadInput(f"{path}: {error.message}") from None
        build(warehouse)
        last = max((step.as_of for step in scenario.steps if step.manifests), default=date.min)
        for step in scenario.steps:
            _evaluate(warehouse, policy, step, outcome)
            if step.as_of <= last:
                _seal(warehouse, policy, step, outcome)
    return outcome


def _require_known_systems(path: Path, scenario: Scenario, policy: Policy) -> None:
    """Refuse to expect items of a system that is told nothing: to expect none of it would always be right."""
    sources = {contract.source for contract in policy.contracts.values()}
    for step in scenario.steps:
        for system in step.manifests:
            if system not in {*sources, WAREHOUSE} and not system.startswith(PARTNER):
                raise BadInput(
                    f"{path}: expect, {step.as_of}: manifests: no system is called {system}: one of "
                    f"{', '.join(sorted({*sources, WAREHOUSE}))}, or {PARTNER}ID."
                )


def _evaluate(warehouse: Warehouse, policy: Policy, step: Step, outcome: ScenarioOutcome) -> None:
    evaluate(warehouse, policy, step.as_of)
    for expected in step.dispositions:
        outcome.expectations += 1
        outcome.differences.extend(_disposition_differences(warehouse, step.as_of, expected))


def _seal(warehouse: Warehouse, policy: Policy, step: Step, outcome: ScenarioOutcome) -> None:
    """Seal the day and look at its items. After the last day that expects some, nobody asks: no evaluation does."""
    propose(warehouse, policy, step.as_of)
    seal(warehouse, policy, None, None, as_of=step.as_of, issued_at=None)
    for system, items in step.manifests.items():
        outcome.expectations += max(1, len(items))
        outcome.differences.extend(_item_differences(warehouse, step.as_of, system, items))


def _disposition_differences(warehouse: Warehouse, as_of: date, expected: ExpectedDisposition) -> Iterator[str]:
    rows = warehouse.rows(
        """
        select distinct disposition.disposition, disposition.keep_until
        from retention.records as record
        inner join retention.dispositions as disposition
            on record.record_type = disposition.record_type and record.row_id = disposition.row_id
        inner join policy.fields as field
            on record.record_type = field.record_type and disposition.data_category = field.data_category
        where record.record_type = ? and record.record_key = ? and (field.field = ? or field.data_category = ?)
        """,
        [expected.record_type, expected.record_key, expected.field, expected.field],
    )
    if len(rows) != 1:
        why = _set_aside(warehouse, expected.record_key)
        yield f"{as_of} {expected}: expected {expected.disposition}, found no such record or field{why}"
        return
    disposition, keep_until = rows[0]
    if disposition != expected.disposition:
        yield f"{as_of} {expected}: expected {expected.disposition}, is {disposition} ({keep_until or 'no end'})"
    elif expected.keep_until != ANY_END and keep_until != expected.keep_until:
        yield f"{as_of} {expected}: expected to keep until {expected.keep_until}, is {keep_until}"


def _set_aside(warehouse: Warehouse, record_key: str) -> str:
    """What kept rows of that key out, such as `; a row of orders/invoices was set aside: not_in_enum (country)`."""
    rows = warehouse.rows(
        "select distinct source || '/' || table_name, rule || coalesce(' (' || column_name || ')', '') "
        "from intake.quarantined where record_key = ? order by all",
        [record_key],
    )
    return "".join(f"; a row of {table} was set aside: {rule}" for table, rule in rows)


def _item_differences(warehouse: Warehouse, as_of: date, system: str, items: tuple[ExpectedItem, ...]) -> Iterator[str]:
    issued = {
        (record_type, record_key, action): tuple(fields or ())
        for record_type, record_key, action, fields in warehouse.rows(
            "select record_type, record_key, action, fields from manifest.items where as_of = ? and system = ?",
            [as_of, system],
        )
    }
    if not items and issued:
        yield f"{as_of} {system}: expected no items, found {len(issued)}"
    for item in items:
        name = f"{as_of} {system}: {item.record_type} {item.record_key} {item.action}"
        found = issued.get((item.record_type, item.record_key, item.action))
        if found is None:
            others = sorted(
                action for kind, key, action in issued if (kind, key) == (item.record_type, item.record_key)
            )
            yield f"{name}: not issued" + (f" (but {', '.join(others)})" if others else "")
        elif item.action == "erase" and item.fields:
            yield f"{name}: expected fields {sorted(item.fields)}, but an erasure is of the whole record and names none"
        elif item.fields is not None and set(found) != set(item.fields):
            yield f"{name}: expected fields {sorted(item.fields)}, issued {sorted(found)}"


def _exports(path: Path, exports: Any) -> Exports:
    if not isinstance(exports, dict):
        raise BadInput(f"{path}: exports maps source/table to rows.")
    exports = {table: [] if rows is None else rows for table, rows in exports.items()}
    for table, rows in exports.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadInput(f"{path}: exports: {table} must be a list of rows.")
    return {
        str(table): [
            {column: _cell(f"{path}: exports: {table}, row {number}: {column}", value) for column, value in row.items()}
            for number, row in enumerate(rows, start=1)
        ]
        for table, rows in exports.items()
    }


def _cell(where: str, value: Any) -> str | None:
    """A cell as an export has it; several values in one are separated by `;` there."""
    several = value if isinstance(value, list) else [value]
    if not all(each is None or isinstance(each, str) for each in several):
        raise BadInput(f"{where}: give one value, or a list of some.")
    return ";".join(each for each in several if each) if isinstance(value, list) else value


def _step(path: Path, number: int, step: Any) -> Step:
    where = f"{path}: expect, step {number}"
    if not isinstance(step, dict) or (len(step) > 1 and _EXPECTED.isdisjoint(step)):
        raise BadInput(f"{where}: give as_of: YYYY-MM-DD with dispositions, manifests or both.")
    try:
        as_of = date.fromisoformat(step["as_of"])
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{where}: give as_of: YYYY-MM-DD, a day that there is.") from None
    manifests = step.get("manifests") or {}
    if not isinstance(manifests, dict):
        raise BadInput(f"{where}: manifests maps a system to its items.")
    return Step(
        as_of,
        tuple(_entries(f"{where}: dispositions", step.get("dispositions"), _expected_disposition, _DISPOSITION)),
        {
            str(system): tuple(_entries(f"{where}: manifests: {system}", items, _expected_item, _ITEM))
            for system, items in manifests.items()
        },
    )


def _left_aside(steps: list[dict[str, Any]]) -> Iterator[str]:
    """The keys of steps that are none, and whether nothing is expected at all: such a file is always right."""
    for number, step in enumerate(steps, start=1):
        for name in sorted(map(str, step.keys() - _EXPECTED - {"as_of"})):
            yield f"expect, step {number}: {name} is left aside: a step has as_of, dispositions and manifests"
    if not any(step.get(name) for step in steps for name in _EXPECTED):
        yield "it expects nothing"


#: What a step may expect.
_EXPECTED = frozenset({"dispositions", "manifests"})
_DISPOSITION = f"[record, key, field, {' | '.join(DISPOSITIONS)} (, YYYY-MM-DD or null)]"
_ITEM = f"[record, key, {' | '.join(ACTIONS)} (, [fields])]"


def _entries(where: str, listed: Any, made: Callable[..., Entry], form: str) -> Iterator[Entry]:
    """Each entry of a list as what it expects; what is none is told with its place in the list."""
    if not isinstance(listed or [], list):
        raise BadInput(f"{where}: give a list of {form}.")
    for number, entry in enumerate(listed or [], start=1):
        try:
            yield made(*entry)
        except (TypeError, ValueError):
            raise BadInput(f"{where}: entry {number}: give {form}.") from None


def _expected_disposition(
    record_type: str, record_key: str, named: str, disposition: str, *keep_until: str | None
) -> ExpectedDisposition:
    """An entry of `dispositions`; raises `ValueError` where a word or a day is none."""
    if disposition not in DISPOSITIONS or len(keep_until) > 1 or not _are_texts(record_type, record_key, named):
        raise ValueError
    end: date | str | None = ANY_END
    if keep_until:
        end = None if keep_until[0] is None else date.fromisoformat(keep_until[0])
    return ExpectedDisposition(record_type, record_key.strip(), named, disposition, end)


def _expected_item(record_type: str, record_key: str, action: str, *fields: list[str]) -> ExpectedItem:
    """An entry of `manifests`; raises `ValueError` where the action is none."""
    if action not in ACTIONS or len(fields) > 1 or not all(isinstance(each, list) for each in fields):
        raise ValueError
    if not _are_texts(record_type, record_key, *(name for each in fields for name in each)):
        raise ValueError
    return ExpectedItem(record_type, record_key.strip(), action, tuple(fields[0]) if fields else None)


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)
