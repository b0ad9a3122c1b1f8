"""Scenario files: rows in, expected dispositions and manifest items out, run in memory through the product's own SQL.

One file is one site: its steps run in the order of their days over the same exports. Compares; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from assets.core.building import build
from assets.errors import BadInput
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.manifests.changes import propose
from assets.manifests.sealing import seal
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse
from assets.yaml_files import PARSER, read_yaml

Exports = dict[str, list[dict[str, str | None]]]
ANY_END = "any"


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
    """One scenario file."""

    name: str
    exports: Exports
    steps: tuple[Step, ...]


@dataclass
class ScenarioOutcome:
    """How a scenario went: `differences` is empty when everything is as expected."""

    name: str
    expectations: int = 0
    differences: list[str] = field(default_factory=list)

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
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        raise BadInput(f"{path}: not a YAML file in UTF-8.") from None
    if not isinstance(content, dict) or not isinstance(content.get("expect"), list):
        raise BadInput(f"{path}: a scenario has a name, exports and a list under expect.")
    exports = _exports(path, content.get("exports") or {})
    steps = [_step(path, number, step) for number, step in enumerate(content["expect"], start=1)]
    return Scenario(str(content.get("name") or path.stem), exports, tuple(sorted(steps, key=lambda step: step.as_of)))


def run(path: Path, policy: Policy) -> ScenarioOutcome:
    """Run one scenario file against `policy` in a warehouse of its own."""
    scenario = read(path)
    outcome = ScenarioOutcome(scenario.name)
    with Warehouse.in_memory(pseudonym_key=b"scenario", threads=1) as warehouse:
        policy.publish(warehouse)
        prepare(warehouse, policy)
        load_rows(warehouse, policy, scenario.exports)
        build(warehouse)
        last = max((step.as_of for step in scenario.steps if step.manifests), default=date.min)
        for step in scenario.steps:
            _evaluate(warehouse, policy, step, outcome)
            if step.as_of <= last:
                _seal(warehouse, policy, step, outcome)
    return outcome


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
        elif item.fields is not None and set(found) != set(item.fields):
            yield f"{name}: expected fields {sorted(item.fields)}, issued {sorted(found)}"


def _exports(path: Path, exports: Any) -> Exports:
    if not isinstance(exports, dict):
        raise BadInput(f"{path}: exports maps source/table to rows.")
    for table, rows in exports.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadInput(f"{path}: exports: {table} must be a list of rows.")
    return {str(table): rows for table, rows in exports.items()}


def _step(path: Path, number: int, step: Any) -> Step:
    try:
        return Step(
            as_of=date.fromisoformat(step["as_of"]),
            dispositions=tuple(_expected_disposition(*entry) for entry in step.get("dispositions") or []),
            manifests={
                system: tuple(_expected_item(*entry) for entry in items or [])
                for system, items in (step.get("manifests") or {}).items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(
            f"{path}: expect, step {number}: give as_of: YYYY-MM-DD, dispositions: [record, key, field, disposition "
            "(, keep_until)] and manifests: system: [record, key, action (, fields)]."
        ) from None


def _expected_disposition(
    record_type: str, record_key: str, named: str, disposition: str, *keep_until: str | None
) -> ExpectedDisposition:
    end: date | str | None = ANY_END
    if keep_until:
        end = None if keep_until[0] is None else date.fromisoformat(keep_until[0])
    return ExpectedDisposition(record_type, record_key, named, disposition, end)


def _expected_item(record_type: str, record_key: str, action: str, *fields: list[str]) -> ExpectedItem:
    return ExpectedItem(record_type, record_key, action, tuple(fields[0]) if fields else None)
