"""Evaluates every retention purpose on one day: triggers, claims, dispositions.

SQL decides; this module only orders it. The same inputs and day give the same rows: nothing here reads a clock.
"""

from __future__ import annotations

from datetime import date

from assets.core.building import forget
from assets.models import Models
from assets.policy import Policy
from assets.warehouse import Warehouse, identifier

PURPOSE_CLAIMS = (
    "purpose varchar, record_type varchar, row_id bigint, clock varchar, starts_on date, ends_on date, "
    "ended_by varchar, missing varchar"
)


def evaluate(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """(Re)make `triggers.*`, `purposes.*` and `retention.*` as of the day (rules.md, *Purposes* and *Disposition*).

    `core.*` must be built and `policy.*` published.

    Raises:
        BadInput: a purpose of the register has no SQL file.
        WarehouseError: a purpose's SQL does not run; the message names it.
    """
    forget(warehouse, "evaluated")
    params = {"as_of": as_of}
    Models.of("triggers").build(warehouse, params)
    Models(policy.purpose_models).build(warehouse, params)
    gather_claims(warehouse, policy)
    Models.of("retention").build(warehouse, params)


def gather_claims(warehouse: Warehouse, policy: Policy) -> None:
    """Put the claims of every purpose of the register into `retention.purpose_claims`."""
    warehouse.run("create schema if not exists retention")
    warehouse.run(f"create or replace table retention.purpose_claims ({PURPOSE_CLAIMS})")
    for model in policy.purpose_models:
        warehouse.run(
            "insert into retention.purpose_claims "
            "select $purpose, record_type, row_id, clock, starts_on, ends_on, ended_by, missing "
            f"from purposes.{identifier(model.name)} where row_id is not null",
            {"purpose": model.name},
        )
