"""A night's evaluation: the units in which something happened, evaluated whole; every other row stays as it is.

Something happened in a unit when intake changed a row of it (`assets.core.changing` has left word of that), or when a
date was reached or passed that its rows carry: every comparison with the day is one with a date that stands in a stored
table, so that what may turn is found by a filter over dates. A claim that ends by itself bears on its own record alone,
and only that record is looked at. The SQL is the same as for a whole evaluation, over the part alone; what differs is
put in the place of the old rows in one transaction. A day that goes backwards, another policy or program, or a state
that is not known, has everything evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from assets.core.changing import (
    LARGEST_PART,
    count_records,
    is_built,
    is_read,
    last_evaluated,
    raw_tables,
    remember_evaluation,
    words_of,
)
from assets.core.units import GLOBAL, KIND, KINDS, LINKS, NODES, NotSpliceable, Shape, Stage, shape_of, stage
from assets.models import Model, Models
from assets.policy import Policy
from assets.retention.evaluation import CLAIMS, evaluate, gather_claims
from assets.retention.policy_versions import note_policy
from assets.warehouse import Warehouse, identifier

_EVALUATED = ("triggers", "purposes", "retention")
_CAN_CLOSE_BY_ITSELF = "order_id in (select order_id from core.orders where closed_on is null and not is_cancelled)"
#: Whether an objection came by an address or its owner: only there does the end of an opt-in, which is no claim's, turn
#: anything (the suppression list).
_OBJECTED_TO = """email_key in (
    select request.email_key from triggers.requests_in_force as request where request.kind = 'objection'
    union all
    select node.email_key
    from triggers.request_people as request
    inner join core.people as person on request.person_id = person.person_id
    inner join core.person_nodes as node on person.node_id = node.node_id
    where request.kind = 'objection'
    union all
    select former.email_key
    from triggers.request_people as request
    inner join core.people as person on request.person_id = person.person_id
    inner join core.former_addresses as former on person.node_id = former.node_id
    where request.kind = 'objection'
)"""
#: The same of a consent, and whether a word came from its address that may not reach it: a finding while it lasts.
_SPOKEN_FOR = f"""{_OBJECTED_TO} or email_key in (
    select request.email_key from triggers.requests_in_force as request
    where request.kind in ('objection', 'withdrawal', 'erasure')
)"""
#: Dates of `core.*` that no SQL compares with the day: what is worked out from them, it does.
NEVER_TURNING = {("invoices", "due_on"), ("quotes", "valid_until"), ("former_addresses", "replaced_on")}
#: Dates that SQL works out and compares with the day: `reached` by `<=` or `>`, `passed` by `<` or `>=`, and on which
#: rows alone that can turn anything. Those of `core.*`, as the sources give them, count all; the ends of claims are
#: looked at by themselves.
TURNING = {
    ("triggers", "invoicing_ends", "ends_on"): ("reached", _CAN_CLOSE_BY_ITSELF),
    ("triggers", "invoice_balances", "on_day"): ("reached", "true"),
    ("triggers", "order_states", "still_open_on"): ("passed", "state = 'open'"),
    ("triggers", "debts", "lapses_on"): ("passed", "missing is not null"),
    ("triggers", "debts", "extinguished_on"): ("reached", "missing is not null"),
    ("triggers", "contact_caps", "cap_on"): ("passed", "true"),
    ("triggers", "capacity_doubts", "doubtful_through"): ("passed", "true"),
    ("triggers", "newsletter_subscriptions", "ends_on"): (
        "passed", f"subscriber_id in (select subscriber_id from core.subscribers where {_OBJECTED_TO})"
    ),
    ("triggers", "consent_ends", "ends_on"): (
        "passed", f"consent_id in (select consent_id from core.consents where {_SPOKEN_FOR})"
    ),
    ("purposes", "legal_hold", "ends_on"): ("reached", "true"),
}  # fmt: skip


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation did: `whole` when every record was evaluated, and how many were.

    Attributes:
        whole: whether everything was evaluated.
        records: the records of the units that were evaluated.
        ended: records of other units that were looked at because a claim on them ended.
    """

    whole: bool
    records: int
    ended: int = 0


@dataclass(frozen=True)
class _Window:
    """The days from the last evaluation to this one."""

    last: date
    as_of: date

    @cached_property
    def reached(self) -> tuple[date, date]:
        """Days that are on or before the day now, and were not."""
        return self.last + timedelta(days=1), self.as_of

    @cached_property
    def passed(self) -> tuple[date, date]:
        """Days that are before the day now, and were not."""
        return self.last, self.as_of - timedelta(days=1)

    @cached_property
    def known(self) -> tuple[date, date]:
        """Days of the sources: reached, or no longer ahead by more than a day."""
        return self.last + timedelta(days=1), self.as_of + timedelta(days=1)


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
    window = _Window(last, as_of)
    shape = shape_of(warehouse)
    with (
        stage(warehouse, "night", shape=shape) as units,
        stage(warehouse, "dusk", linked=False, shape=shape) as ended,
    ):
        _want_pending(units)
        rootless = _want_turning(units, window)
        units.complete(rootless)
        units.name_rows()
        records = _want_ended(ended, units, window)
        if units.records() + records <= largest_part * count_records(warehouse):
            return _put_in(units, ended, policy, as_of)
    return _whole(warehouse, policy, as_of)


def _whole(warehouse: Warehouse, policy: Policy, as_of: date) -> Evaluated:
    evaluate(warehouse, policy, as_of)
    with warehouse.transaction():
        note_policy(warehouse, policy, as_of)
        if is_built(warehouse, policy):
            remember_evaluation(warehouse, policy, as_of)
    return Evaluated(True, count_records(warehouse))


def _put_in(units: Stage, ended: Stage, policy: Policy, as_of: date) -> Evaluated:
    """Evaluate both parts, and put what comes of them in the place of their old rows."""
    warehouse = units.warehouse
    has_units = any(units.sizes[name] for name in KIND)
    has_ended = any(ended.sizes[name] for name in KIND)
    closing = _closing_models()
    if has_units:
        _evaluate_units(units, policy, as_of)
    if has_ended:
        _evaluate_ended(ended, closing, policy, as_of)
    try:
        with warehouse.transaction():
            if has_units:
                units.splice(units.shape.tables(_EVALUATED))
            if has_ended:
                made = {model.table for model in closing}
                ended.splice(table for table in ended.shape.tables(["retention"]) if ".".join(table) in made)
            warehouse.run("update retention.evaluation set as_of = ?", [as_of])
            remember_evaluation(warehouse, policy, as_of)
    except NotSpliceable:
        return _whole(warehouse, policy, as_of)
    return Evaluated(False, units.records(), ended.records())


# -- the units in which something happened -----------------------------------------------------------------------------


def _want_pending(units: Stage) -> None:
    pending = f"{units.warehouse.catalog}.nights.pending"
    for (name,) in units.warehouse.rows(f"select distinct kind from {pending} order by all"):
        units.want(name, f"select {'each' if name in KIND else 'hash'} from {pending} where kind = '{name}'")


def _want_turning(units: Stage, window: _Window) -> list[str]:
    """Ask for the units in which a date was reached or passed; the kinds of which a row may lack what it hangs on."""
    if window.as_of == window.last:
        return []
    rootless = []
    for schema, table, turning, days in _turning_rows(units.shape, window):
        named = _named(units.shape, schema, table)
        columns = ", ".join(f"{column} as {identifier(what + str(at))}" for at, (what, column) in enumerate(named))
        found = units.warehouse.value(
            f"create or replace table {units.turning} as select {columns} "
            f"from {units.warehouse.catalog}.{schema}.{identifier(table)} where {turning}",
            days,
        )
        for at, (what, _) in enumerate(named if found else ()):
            added = units.want(what, f"select {identifier(what + str(at))} from {units.turning}")
            rootless += [what] if added and schema == "purposes" and what in KIND else []
    return rootless


def _turning_rows(shape: Shape, window: _Window) -> Iterator[tuple[str, str, str, list[date]]]:
    """The tables with dates that are compared with the day, the condition of a row that turns, and its days."""
    for schema, table in shape.tables(["core"]):
        columns = shape.columns(schema, table).items()
        dates = [name for name, kind in columns if kind == "DATE" and (table, name) not in NEVER_TURNING]
        if dates and f"{schema}.{table}" not in GLOBAL:
            turning = " or ".join(f"{identifier(name)} between ? and ?" for name in dates)
            yield schema, table, turning, [*window.known] * len(dates)
    for (schema, table, name), (how, alone) in TURNING.items():
        days = window.reached if how == "reached" else window.passed
        yield schema, table, f"{identifier(name)} between ? and ? and {alone}", [*days]


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


def _evaluate_units(units: Stage, policy: Policy, as_of: date) -> None:
    models = (*Models.of("triggers", "retention").ordered, *policy.purpose_models)
    read = {name for model in models for name in model.references}
    units.copy_core(read)
    models = _with_views(models)
    units.copy_raw(raw_tables(models), words_of(models))
    _lay_out(units, models)
    evaluate(units.part, policy, as_of)


def _with_views(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """Models, and the views of `core.*` that they read."""
    read = {name for model in models for name in model.references}
    return (*models, *(model for model in Models.of("core").ordered if model.is_view and model.table in read))


def _lay_out(part: Stage, models: tuple[Model, ...]) -> None:
    """What models read beside the tables of the part: views of `core.*`, over its raw tables, policy and decisions."""
    Models([model for model in models if model.schema == "core"]).build(part.part)
    whole = ("policy.", "office.")
    for table in sorted({name for model in models for name in model.references if name.startswith(whole)}):
        part.copy_whole(table)


# -- the records of which a claim ended --------------------------------------------------------------------------------


def _want_ended(ended: Stage, units: Stage, window: _Window) -> int:
    """Ask for the records, of other units, of which a claim ended; how many."""
    if window.as_of == window.last:
        return 0
    whole = ended.warehouse
    first, last = window.passed
    ends = " union ".join(
        f"select cast(record_type as varchar) as record_type, row_id from {whole.catalog}.{schema}.{identifier(table)} "
        "where ends_on between $first and $last and row_id is not null"
        for schema, table in ended.shape.tables(["purposes"])
    )
    whole.run(
        f"create or replace table {ended.turning} as select * from ({ends}) as claim where not exists ("
        f"select 1 from {units.catalog}.wanted.records as known where known.record_type = claim.record_type "
        "and known.row_id = claim.row_id)",
        {"first": first, "last": last},
    )
    for (name,) in whole.rows(f"select distinct record_type from {ended.turning} order by all"):
        if name in KIND:
            ended.want(name, f"select row_id from {ended.turning} where record_type = '{name}'")
    ended.name_rows()
    return ended.records()


def _closing_models() -> tuple[Model, ...]:
    """The models of `retention` that follow from the claims, and those that they read."""
    models = Models.of("retention").ordered
    closing = {CLAIMS}
    for model in models:
        if model.references & closing:
            closing.add(model.table)
    read = {name for model in models if model.table in closing for name in model.references}
    return tuple(model for model in models if model.table in closing | read)


def _evaluate_ended(ended: Stage, closing: tuple[Model, ...], policy: Policy, as_of: date) -> None:
    """Add up anew what claims the records: their purposes' claims stand, and only the day is another.

    What is read is read once or twice, so nothing is copied.
    """
    made = {model.table for model in closing} | {CLAIMS}
    read = {name for model in closing for name in model.references} - made
    for schema, table in ended.shape.tables(_EVALUATED):
        if schema == "purposes" or f"{schema}.{table}" in read:
            ended.show_rows(schema, table)
    for table in raw_tables(_with_views(closing)):
        ended.show_raw(table)
    _lay_out(ended, _with_views(closing))
    gather_claims(ended.part, policy)
    Models(closing).build(ended.part, {"as_of": as_of})
