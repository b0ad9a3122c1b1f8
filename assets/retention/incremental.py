"""A night's evaluation: the units in which something happened, evaluated whole; every other row stays as it is.

Something happened in a unit when intake changed a row of it (`assets.core.changing` has left word of that), or when a
date that its rows carry was reached: every comparison with the day is one with a date that stands in `core.*`,
`triggers.*` or `retention.purpose_claims`, so that what may turn is found by a filter over dates. The SQL is the same
as for a whole evaluation, over the units alone; what it gives is put in the place of their old rows in one transaction.
A day that goes backwards, another policy or program, or a state that is not known, has everything evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from assets.core.changing import (
    LARGEST_PART,
    count_records,
    is_read,
    last_evaluated,
    raw_tables,
    remember_evaluation,
    words_of,
)
from assets.core.units import GLOBAL, KIND, KINDS, LINKS, NODES, NotSpliceable, Shape, Stage, stage
from assets.models import Models
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.warehouse import Warehouse, identifier

_EVALUATED = ("triggers", "purposes", "retention")
#: What a claim's end is read from; `retention.claims` and `retention.dispositions` only repeat it.
_CLAIMS = ("retention", "purpose_claims")


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation did: `whole` when every record was evaluated, and how many were."""

    whole: bool
    records: int


def evaluate_night(
    warehouse: Warehouse, policy: Policy, as_of: date, *, full: bool = False, largest_part: float = LARGEST_PART
) -> Evaluated:
    """Bring `triggers.*`, `purposes.*` and `retention.*` to the day: whole where `full` or where it has to be.

    `core.*` must stand as `assets.core.changing.rebuild` left it, and `policy.*` be published. Not inside a
    transaction. Row for row the same as `assets.retention.evaluation.evaluate`, in any order of the rows.
    """
    last = last_evaluated(warehouse, policy) if not full and is_read(warehouse, policy) else None
    if last is None or as_of < last:
        return _whole(warehouse, policy, as_of)
    with stage(warehouse) as units:
        _want_pending(units)
        if as_of != last:
            _want_turning(units, last, as_of)
        units.complete()
        if units.records() <= largest_part * count_records(warehouse):
            return _put_in(units, policy, as_of)
    return _whole(warehouse, policy, as_of)


def _whole(warehouse: Warehouse, policy: Policy, as_of: date) -> Evaluated:
    evaluate(warehouse, policy, as_of)
    if is_read(warehouse, policy):
        with warehouse.transaction():
            remember_evaluation(warehouse, policy, as_of)
    return Evaluated(True, count_records(warehouse))


def _put_in(units: Stage, policy: Policy, as_of: date) -> Evaluated:
    """Evaluate the units on the stage, and put what comes of it in the place of their old rows."""
    warehouse = units.warehouse
    anything = any(units.sizes[name] for name in KIND)
    if anything:
        _evaluate_part(units, policy, as_of)
    try:
        with warehouse.transaction():
            if anything:
                units.splice(_EVALUATED)
            else:
                warehouse.run("update retention.evaluation set as_of = ?", [as_of])
            remember_evaluation(warehouse, policy, as_of)
    except NotSpliceable:
        return _whole(warehouse, policy, as_of)
    return Evaluated(False, units.records())


def _evaluate_part(units: Stage, policy: Policy, as_of: date) -> None:
    models = (*Models.of("triggers", "retention").ordered, *policy.purpose_models)
    read = {name for model in models for name in model.references}
    views = Models([model for model in Models.of("core").ordered if model.is_view and model.table in read])
    models = (*models, *views.ordered)
    units.copy_raw(raw_tables(models), words_of(models))
    units.name_rows()
    units.copy_core(read)
    views.build(units.part)
    for table in sorted(name for name in read if name.startswith("policy.")):
        units.copy_whole(table)
    evaluate(units.part, policy, as_of)


# -- what happened -----------------------------------------------------------------------------------------------------


def _want_pending(units: Stage) -> None:
    for name in KIND:
        units.want(name, f"select each from {units.warehouse.catalog}.nights.pending where kind = '{name}'")
    units.want("email", f"select hash from {units.warehouse.catalog}.nights.pending where kind = 'email'")


def _want_turning(units: Stage, last: date, as_of: date) -> None:
    """Ask for the units that carry a date between the two days.

    What is compared with the day is `<=`, `<`, `>` or `>=` it, or `>` the day after it: of two days, a comparison
    with a date outside the first and the one after the second is decided alike.
    """
    between = {"first": last, "last": as_of + timedelta(days=1)}
    for schema, table, dates in _dated(units.shape):
        named = _named(units.shape, schema, table)
        columns = ", ".join(f"{column} as {identifier(what + str(at))}" for at, (what, column) in enumerate(named))
        turning = " or ".join(f"{identifier(name)} between $first and $last" for name in dates)
        units.warehouse.run(
            f"create or replace table {units.turning} as select {columns} "
            f"from {units.warehouse.catalog}.{schema}.{identifier(table)} where {turning}",
            between,
        )
        if units.warehouse.value(f"select count(*) from {units.turning}"):
            for at, (what, _) in enumerate(named):
                units.want(what, f"select {identifier(what + str(at))} from {units.turning}")


def _dated(shape: Shape) -> Iterator[tuple[str, str, list[str]]]:
    """The tables with dates that are compared with the day, and those dates' columns."""
    for schema, table in shape.tables(["core", "triggers"]):
        dates = [name for name, kind in shape.columns(schema, table).items() if kind == "DATE"]
        if dates and f"{schema}.{table}" not in GLOBAL:
            yield schema, table, dates
    yield (*_CLAIMS, ["ends_on"])


def _named(shape: Shape, schema: str, table: str) -> list[tuple[str, str]]:
    """What the columns of a dated table name: the kind, and the column or what is made of it."""
    columns = shape.columns(schema, table)
    if {"record_type", "row_id"} <= set(columns):
        return [(kind.name, f"case when record_type = '{kind.name}' then row_id end") for kind in KINDS]
    own = {kind.row: kind.name for kind in KINDS}
    found = [(own.get(name) or LINKS[name], name) for name in columns if name in own or name in LINKS]
    if "person_id" in columns:
        found += [(name, f"case when person_id % 4 = {at} then person_id // 4 end") for name, at in NODES.items()]
    return found
