"""Evaluates every retention purpose on one day: triggers, claims, dispositions.

SQL decides; this module only orders it. The same inputs and day give the same rows: nothing here reads a clock.
"""

from __future__ import annotations

from datetime import date

from assets.core.building import forget
from assets.models import Models, drop_others, make_view
from assets.policy import Policy
from assets.vocabulary import enum_of
from assets.warehouse import Warehouse, identifier

CLAIMS = "retention.purpose_claims"


def evaluate(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """(Re)make `triggers.*`, `purposes.*` and `retention.*` as of the day (rules.md, *Purposes* and *Disposition*).

    `core.*` must be built and `policy.*` published. What another policy or version left there is dropped: a night puts
    a part of every table back, and of such a one it has none.

    Raises:
        BadInput: a purpose of the register has no SQL file, or one that reads a period which the register lacks.
        WarehouseError: a purpose's SQL does not run; the message names it.
    """
    policy.require_periods()
    forget(warehouse, "evaluated")
    params = {"as_of": as_of}
    Models.of("triggers").build(warehouse, params)
    Models(policy.purpose_models).build(warehouse, params)
    gather_claims(warehouse, policy)
    Models.of("retention").build(warehouse, params)
    made = {model.table for model in (*Models.of("triggers", "retention").ordered, *policy.purpose_models)}
    for schema in ("triggers", "purposes", "retention"):
        drop_others(warehouse, schema, made | {CLAIMS})


def gather_claims(warehouse: Warehouse, policy: Policy) -> None:
    """Lay the claims of every purpose of the register together as the view `retention.purpose_claims`.

    A view takes no parameters; a purpose's name is a word of small letters, digits and `_` (assets/policy.py). The
    purpose is kept as a number, and as it is the same for each of its rows, nobody reads a purpose in vain.

    The end of time is 9999-12-31, and sources write it for "no end": a period that begins there has no end either.
    """
    warehouse.run("create schema if not exists retention")
    purposes = enum_of(policy.purpose_words)
    arms = [
        f"select cast('{model.name}' as {purposes}) as purpose, record_type, cast(row_id as bigint) as row_id, clock, "
        "cast(starts_on as date) as starts_on, "
        "case when cast(ends_on as date) > date '9999-12-31' then date '9999-12-31' else cast(ends_on as date) end "
        "as ends_on, "
        "cast(ended_by as varchar) as ended_by, cast(missing as varchar) as missing, "
        f"{str(model.name in policy.sharing_purposes).lower()} as has_shared_clocks "
        f"from purposes.{identifier(model.name)} where row_id is not null"
        for model in policy.purpose_models
    ]
    make_view(warehouse, CLAIMS, " union all ".join(arms))
