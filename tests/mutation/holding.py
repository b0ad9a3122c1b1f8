"""What holds the rules' SQL: days that were evaluated, each with what is to come out of it.

A day is a warehouse of its own, evaluated once. Of a SELECT that was changed only the tables are made anew that come
after it, so that a day is asked in some hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from assets.core.building import build
from assets.errors import GallringError
from assets.ingest.loading import load_rows
from assets.ingest.tables import prepare
from assets.models import Model, Models
from assets.policy import Policy
from assets.rehearsal.scenarios import _disposition_differences, read
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse
from tests.oracle.companies import random_company

DECIDED = "retention.dispositions"
_GATHERED = "retention.purpose_claims"
_ROWS = f"""
    select record_type, row_id, data_category, disposition, keep_until
    from {DECIDED} order by all
"""


@dataclass(frozen=True)
class Day:
    """A day that was evaluated; `is_as_before` says whether it still comes out as it is to."""

    name: str
    as_of: date
    warehouse: Warehouse
    is_as_before: Callable[[], bool]


class Evaluation:
    """The SELECTs of an evaluation, of which one at a time says something else."""

    def __init__(self, policy: Policy) -> None:
        """Take the models of `policy` as they stand."""
        self.policy = policy
        purposes = Models(policy.purpose_models).ordered
        self.models: tuple[Model, ...] = (*Models.of("triggers").ordered, *purposes, *Models.of("retention").ordered)
        self._purposes = frozenset(model.table for model in purposes)

    def model(self, path: Path) -> Model:
        """The model of a file.

        Raises:
            KeyError: dispositions do not come of it.
        """
        beneath = self._beneath(DECIDED)
        return {model.path: model for model in self.models if model.table in beneath}[path]

    def after(self, changed: Model) -> list[Model]:
        """The model and those that come of it, on the way to the dispositions."""
        found = {changed.table}
        for model in self.models:
            if self._reads(model) & found:
                found.add(model.table)
        beneath = self._beneath(DECIDED)
        return [model for model in self.models if model.table in found & beneath]

    def _reads(self, model: Model) -> frozenset[str]:
        return model.references | (self._purposes if _GATHERED in model.references else frozenset())

    def _beneath(self, table: str) -> set[str]:
        found = {table}
        for model in reversed(self.models):
            if model.table in found:
                found |= self._reads(model)
        return found

    # -- days -----------------------------------------------------------------------------------------------------

    def of_companies(self, seeds: Sequence[int]) -> Iterator[Day]:
        """The days of random companies: what they decide is what the second reading decides (`tests/oracle`)."""
        for seed in seeds:
            exports, days = random_company(seed)
            for day in days:
                warehouse = self._evaluated(exports, day)
                yield Day(f"company {seed}", day, warehouse, _as_now(warehouse))

    def of_scenarios(self, paths: Sequence[Path], table: str) -> Iterator[Day]:
        """The days of scenarios in which a table has rows, and what they expect. Those that seal first are left out."""
        for path in paths:
            scenario = read(path)
            for step in scenario.steps:
                if not step.dispositions:
                    continue
                warehouse = self._evaluated(scenario.exports, step.as_of)

                def as_expected(known: Warehouse = warehouse, expected: Any = step) -> bool:
                    return not any(
                        True for each in expected.dispositions
                        for _ in _disposition_differences(known, expected.as_of, each)
                    )  # fmt: skip

                if warehouse.value(f"select count(*) from {table}") and as_expected():
                    yield Day(path.stem, step.as_of, warehouse, as_expected)
                else:
                    warehouse.close()

    def _evaluated(self, exports: Any, day: date) -> Warehouse:
        warehouse = Warehouse.in_memory(pseudonym_key=b"mutation", threads=1)
        self.policy.publish(warehouse)
        prepare(warehouse, self.policy)
        load_rows(warehouse, self.policy, exports)
        build(warehouse)
        evaluate(warehouse, self.policy, day)
        return warehouse


def _as_now(warehouse: Warehouse) -> Callable[[], bool]:
    """Whether a warehouse decides what it decides now."""
    before = warehouse.rows(_ROWS)
    return lambda: warehouse.rows(_ROWS) == before


def notices(days: list[Day], changed: Model, after: Sequence[Model], statement: str) -> Day | None:
    """The first day that comes out otherwise when a model says something else, which then is asked first."""
    was = changed.statement
    vars(changed)["statement"] = statement
    try:
        for at, day in enumerate(days):
            if _differs(day, after):
                days.insert(0, days.pop(at))
                return day
    finally:
        vars(changed)["statement"] = was
    return None


def restore(days: Sequence[Day], after: Sequence[Model]) -> None:
    """Make the tables again that a change had made otherwise."""
    for day in days:
        for model in after:
            model.build(day.warehouse, {"as_of": day.as_of})


def _differs(day: Day, after: Sequence[Model]) -> bool:
    try:
        for model in after:
            model.build(day.warehouse, {"as_of": day.as_of})
        return not day.is_as_before()
    except GallringError:
        return True


def first(days: Iterator[Day], most: int) -> list[Day]:
    """At most so many days: each is a warehouse in memory, of some forty megabytes."""
    return list(islice(days, most))
