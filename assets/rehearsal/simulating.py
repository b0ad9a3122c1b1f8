"""A policy rehearsed: what another policy would decide over today's data, field by field, before anyone merges it.

The other policy is evaluated in a catalog of its own in memory, over views of the site's `core.*` and `raw.*`; the
site's tables are read and nothing of it is written. Compares; seals and publishes nothing. Rows stay as they were
taken in: a contract that reads its files otherwise shows at the next delivery, not here, and a column that it adds is
empty, as on the night that begins with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from assets.contracts.raw_tables import raw_columns
from assets.errors import BadInput, CheckFailed
from assets.models import Models
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.retention.explaining import require_evaluation
from assets.warehouse import Warehouse, identifier

EXAMPLES = 3
_CATALOG = "rehearsal"
#: Made by the evaluation itself, under either policy.
_OWN_SCHEMAS = frozenset({"policy", "triggers", "purposes", "retention"})

#: What becomes of a field, the gravest first.
DIRECTIONS = ("erased_at_once", "to_review", "restricted", "released", "kept_again", "shorter", "longer")


@dataclass(frozen=True)
class Flip:
    """Fields that would be decided otherwise.

    Attributes:
        purpose: the last to hold the field: under today's policy where it ends or shortens, else under the other.
        year: in which the field now falls due; None: no end is set.
        fields: how many fields of records.
    """

    direction: str
    system: str
    purpose: str | None
    year: int | None
    fields: int


@dataclass(frozen=True)
class Example:
    """One record's category that would be decided otherwise; the key is the system's own."""

    direction: str
    system: str
    record_type: str
    record_key: str
    data_category: str
    before: str
    before_until: date | None
    after: str
    after_until: date | None
    purpose: str | None
    reason: str


@dataclass(frozen=True)
class Simulation:
    """How another policy would decide on the day of the last evaluation."""

    as_of: date
    policy: str
    other: str
    fields: int
    erased_at_once: int
    flips: tuple[Flip, ...]
    examples: tuple[Example, ...]


def simulate(warehouse: Warehouse, policy: Policy, other: Policy, *, examples: int = EXAMPLES) -> Simulation:
    """Compare the site's last evaluation under `policy` with what `other` would decide on the same day.

    Raises:
        CheckFailed: the site was not evaluated under `policy`.
        BadInput: `other` reads a table that the site does not have.
    """
    as_of = require_evaluation(warehouse, policy)
    with _rehearsed(warehouse, other, as_of):
        warehouse.run(f"create or replace temp table changed_categories as {_changed(warehouse.catalog)}")
        try:
            return _told(warehouse, policy, other, as_of, examples)
        finally:
            warehouse.run("drop table changed_categories")


@contextmanager
def _rehearsed(warehouse: Warehouse, other: Policy, as_of: date) -> Iterator[None]:
    """The other policy's `policy.*` and `retention.*` in the catalog `rehearsal`, for as long as the block runs."""
    warehouse.run(f"attach ':memory:' as {_CATALOG}")
    try:
        cursor = warehouse.cursor()
        try:
            stage = Warehouse(cursor, _CATALOG)
            _lay_out(stage, warehouse.catalog, other)
            stage.run(f"set search_path = '{_CATALOG}.main,memory.main'")
            other.publish(stage)
            evaluate(stage, other, as_of)
        finally:
            cursor.close()
        yield
    finally:
        warehouse.run(f"detach {_CATALOG}")


def _lay_out(stage: Warehouse, catalog: str, other: Policy) -> None:
    """Views of the site's tables under the names that the evaluation reads."""
    models = (*Models.of("triggers", "retention").ordered, *other.purpose_models)
    contracts = {contract.raw_table: contract for contract in other.contracts.values()}
    built = {model.table for model in Models.of("core").ordered}
    for table in sorted({reference for model in models for reference in model.references}):
        schema, name = table.split(".")
        if schema in _OWN_SCHEMAS:
            continue
        there = _columns(stage, catalog, schema, name)
        if not there and table in built:
            raise CheckFailed(
                f"{table} is not there: the last run was an earlier version's. Start one first: gallring run."
            )
        if not there:
            raise BadInput(f"The policy reads {table}, which this site does not have: mend its purpose's SQL.")
        stage.run(f"create schema if not exists {_CATALOG}.{identifier(schema)}")
        source = f"{identifier(catalog)}.{identifier(schema)}.{identifier(name)}"
        wanted = raw_columns(contracts[name]) if schema == "raw" and name in contracts else {}
        added = "".join(
            f", cast(null as {sql_type}) as {identifier(column)}"
            for column, sql_type in wanted.items() if column not in there
        )  # fmt: skip
        stage.run(f"create view {_CATALOG}.{identifier(schema)}.{identifier(name)} as select *{added} from {source}")


def _columns(stage: Warehouse, catalog: str, schema: str, name: str) -> set[str]:
    """The columns of a table of the site; none where there is no such table."""
    rows = stage.rows(
        "select column_name from information_schema.columns "
        "where table_catalog = ? and table_schema = ? and table_name = ?",
        [catalog, schema, name],
    )
    return {column for (column,) in rows}


#: What an otherwise decided category comes to, from the decision before and the one after.
_DIRECTION = """
case
    when after.disposition = 'erase' and before.disposition <> 'erase' then 'erased_at_once'
    when before.disposition = 'erase' and after.disposition <> 'erase' then 'kept_again'
    when after.disposition = 'review' and before.disposition <> 'review' then 'to_review'
    when after.disposition = 'restrict' and before.disposition <> 'restrict' then 'restricted'
    when after.disposition <> before.disposition then 'released'
    when coalesce(after.keep_until, date '9999-12-31') < coalesce(before.keep_until, date '9999-12-31')
        then 'shorter'
    else 'longer'
end
"""


def _changed(catalog: str) -> str:
    """The SELECT of the record categories that are decided otherwise, with both decisions and how many fields.

    A field that the other policy has in another category goes by that one's decision: one row each such pair.
    """
    site = identifier(catalog)
    return f"""
        with site_holders as ({_holders(site)}),
        other_holders as ({_holders(_CATALOG)}),
        pairs as (
            select
                mine.record_type, mine.data_category as category, theirs.data_category as other_category,
                count(*) as fields
            from {site}.policy.fields as mine
            inner join {_CATALOG}.policy.fields as theirs
                on mine.record_type = theirs.record_type and mine.field = theirs.field
            group by mine.record_type, mine.data_category, theirs.data_category
        )
        select
            {_DIRECTION} as direction,
            records.source as system,
            records.record_type,
            records.record_key,
            before.data_category,
            before.disposition as before,
            before.keep_until as before_until,
            after.disposition as after,
            after.keep_until as after_until,
            site_holders.purpose as site_purpose,
            other_holders.purpose as other_purpose,
            after.reasons as reasons,
            pairs.fields
        from {site}.retention.dispositions as before
        inner join pairs
            on before.record_type = pairs.record_type and before.data_category = pairs.category
        inner join {_CATALOG}.retention.dispositions as after
            on before.record_type = after.record_type and before.row_id = after.row_id
                and pairs.other_category = after.data_category
        inner join {site}.retention.records as records
            on before.record_type = records.record_type and before.row_id = records.row_id
        left join site_holders
            on before.record_type = site_holders.record_type and before.row_id = site_holders.row_id
                and before.data_category = site_holders.data_category
        left join other_holders
            on before.record_type = other_holders.record_type and before.row_id = other_holders.row_id
                and pairs.other_category = other_holders.data_category
        where before.disposition is distinct from after.disposition
            or before.keep_until is distinct from after.keep_until
    """


def _holders(catalog: str) -> str:
    """The purpose that is the last to hold each record category: the latest end, the first in the register of those."""
    return f"""
        select
            claims.record_type, claims.row_id, claims.data_category,
            min_by(
                purposes.purpose,
                {{'days': -date_diff('day', date '1970-01-01', coalesce(claims.keep_until, date '9999-12-31')),
                  'position': purposes.position}}
            ) as purpose
        from {catalog}.retention.claims as claims
        inner join {catalog}.policy.purposes as purposes on claims.purpose = purposes.purpose
        where claims.is_active
        group by claims.record_type, claims.row_id, claims.data_category
    """


def _told(warehouse: Warehouse, policy: Policy, other: Policy, as_of: date, examples: int) -> Simulation:
    rank = "list_position($directions, direction)"
    purpose = (
        "case when direction in ('erased_at_once', 'shorter', 'to_review') then coalesce(site_purpose, other_purpose) "
        "else coalesce(other_purpose, site_purpose) end"
    )
    year = "case when direction = 'erased_at_once' then year($as_of) else year(after_until + 1) end"
    directions = {"directions": list(DIRECTIONS)}
    flips = warehouse.rows(
        f"select direction, system, {purpose} as purpose, {year} as due_in, cast(sum(fields) as bigint) "
        f"from changed_categories group by direction, system, purpose, due_in "
        f"order by {rank}, system, purpose nulls first, due_in nulls last",
        {**directions, "as_of": as_of},
    )
    shown = warehouse.records(
        f"select *, {purpose} as purpose from changed_categories qualify row_number() over (partition by direction "
        f"order by system, record_type, record_key, data_category) <= $examples "
        f"order by {rank}, system, record_type, record_key, data_category",
        {**directions, "examples": examples},
    )
    found = tuple(Flip(*row) for row in flips)
    return Simulation(
        as_of=as_of,
        policy=_named(policy),
        other=_named(other),
        fields=sum(flip.fields for flip in found),
        erased_at_once=sum(flip.fields for flip in found if flip.direction == "erased_at_once"),
        flips=found,
        examples=tuple(_example(row) for row in shown),
    )


def _named(policy: Policy) -> str:
    return f"{policy.register.policy} {policy.version} ({policy.sha256[:8]})"


def _example(row: dict[str, Any]) -> Example:
    return Example(
        **{name: row[name] for name in ("direction", "system", "record_type", "record_key", "data_category", "before",
                                        "before_until", "after", "after_until", "purpose")},
        reason=_reason(row),
    )  # fmt: skip


def _reason(row: dict[str, Any]) -> str:
    """Why it is decided otherwise, in a sentence."""
    today, then = row["site_purpose"], row["other_purpose"]
    if row["direction"] == "erased_at_once":
        return f"{today} no longer holds it, and nothing else does" if today else "no doubt keeps it any more"
    if row["direction"] == "to_review":
        return "unclear: " + ", ".join(row["reasons"] or ["a trigger is missing"])
    if today is None or then is None:
        return f"{then or today} holds it; today nothing does" if today is None else f"{today} no longer holds it"
    return f"{then} holds it for another time" if then == today else f"{then} holds it last, not {today}"
