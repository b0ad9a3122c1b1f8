"""What a site's warehouse says of itself, counted: deliveries, quarantine, dispositions, manifests.

Reads counts and states for `gallring run`, `demo` and `status`; no value of a record. Decides and prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from assets.retention.holding import HELD_BY_NONE

if TYPE_CHECKING:
    from assets.delivery.settling import Unproven
    from assets.ledger.issued import ManifestSummary
    from assets.manifests.left_out import LeftOut
    from assets.retention.policy_versions import UnraisedVersion
    from assets.warehouse import Warehouse


@dataclass(frozen=True)
class DeliveryLine:
    """The latest delivery of a source."""

    source: str
    delivery: str
    mode: str
    status: str
    rows_in: int
    loaded: int
    quarantined: int
    out_of_scope: int
    reason: str | None


@dataclass(frozen=True)
class QuarantineLine:
    """Rows of one file of a source's latest delivery that break one rule."""

    source: str
    file: str
    rule: str
    column: str | None
    rows: int


@dataclass(frozen=True)
class SystemLine:
    """A system's dispositions: data categories of its records, by what is decided of them.

    `due`: of those to erase, the ones that hold a value, as the report of that day counts them; None before it does.
    """

    system: str
    retain: int
    restrict: int
    review: int
    erase: int
    due: int | None
    not_personal: int


@dataclass(frozen=True)
class PurposeLine:
    """One purpose's hold on one system's records: data categories that it holds now, and those it has let go."""

    purpose: str
    purpose_class: str
    system: str
    holds: int
    ended: int
    unclear: int


@dataclass(frozen=True)
class UndeliveredLine:
    """A manifest that is approved, and did not reach its system when that was last tried."""

    manifest_id: str
    system: str
    code: str
    message: str


@dataclass(frozen=True)
class UnreadLine:
    """Answers that could not be fetched or read when that was last tried: of which system, why, in how many places."""

    system: str | None
    code: str
    message: str
    times: int


@dataclass(frozen=True)
class Summary:
    """A site at a glance. `as_of` is None before the first evaluation."""

    as_of: date | None
    deliveries: tuple[DeliveryLine, ...]
    quarantined: tuple[QuarantineLine, ...]
    systems: tuple[SystemLine, ...]
    purposes: tuple[PurposeLine, ...]
    manifests: tuple[ManifestSummary, ...]
    undelivered: tuple[UndeliveredLine, ...]
    unread: tuple[UnreadLine, ...]
    unproven: tuple[Unproven, ...]
    left_out: tuple[LeftOut, ...]
    unraised: UnraisedVersion | None = None
    holding_nothing: tuple[str, ...] = ()


_LATEST = "select source, max(sequence) as sequence from intake.deliveries group by source"

_DELIVERIES = f"""
    select
        delivery.source, delivery.delivery_id, delivery.mode, delivery.status,
        cast(coalesce(sum(file.rows_in), 0) as bigint), cast(coalesce(sum(file.rows_loaded), 0) as bigint),
        cast(coalesce(sum(file.rows_quarantined), 0) as bigint),
        cast(coalesce(sum(file.rows_out_of_scope), 0) as bigint), delivery.reason
    from intake.deliveries as delivery
    inner join ({_LATEST}) as latest on delivery.source = latest.source and delivery.sequence = latest.sequence
    left join intake.files as file
        on delivery.source = file.source and delivery.delivery_id = file.delivery_id
    group by all
    order by delivery.source
"""

_QUARANTINED = f"""
    select row.source, row.file_name, row.rule, row.column_name, count(*)
    from intake.quarantined as row
    inner join intake.deliveries as delivery
        on row.source = delivery.source and row.delivery_id = delivery.delivery_id
    inner join ({_LATEST}) as latest on delivery.source = latest.source and delivery.sequence = latest.sequence
    group by all
    order by all
"""

#: Counted by record type first, and told by source then: a type has one. What left its source since is not counted.
_GONE = "(select record_type, row_id from core.records where not in_source)"

_SYSTEMS = f"""
    with counted as (
        select decided.record_type, decided.disposition, count(*) as categories
        from retention.dispositions as decided
        left join {_GONE} as gone on decided.record_type = gone.record_type and decided.row_id = gone.row_id
        where gone.row_id is null
        group by decided.record_type, decided.disposition
    )
    select
        described.source,
        cast(coalesce(sum(categories) filter (where disposition = 'retain'), 0) as bigint),
        cast(coalesce(sum(categories) filter (where disposition = 'restrict'), 0) as bigint),
        cast(coalesce(sum(categories) filter (where disposition = 'review'), 0) as bigint),
        cast(coalesce(sum(categories) filter (where disposition = 'erase'), 0) as bigint),
        any_value(published.due),
        cast(coalesce(sum(categories) filter (where disposition = 'not_personal'), 0) as bigint)
    from counted
    inner join policy.records as described on counted.record_type = described.record_type
    left join ({{due}}) as published on described.source = published.source
    group by described.source
    order by described.source
"""

#: Of each system, what is to be erased and holds a value: every system of a day that was published has a number.
_DUE = """
    select standings.source,
        cast(coalesce(sum(standings.with_value) filter (where standings.disposition = 'erase'), 0) as bigint) as due
    from publication.standings
    inner join retention.evaluation on standings.as_of = evaluation.as_of
    where standings.with_value is not null
    group by standings.source
"""
_NOT_COUNTED = "select cast(null as varchar) as source, cast(null as bigint) as due where false"

_PURPOSES = f"""
    with counted as (
        select
            decided.record_type, decided.purpose,
            count(*) filter (where decided.is_active) as holds,
            count(*) filter (where not decided.is_active and decided.missing is null) as ended,
            count(*) filter (where not decided.is_active and decided.missing is not null) as unclear
        from retention.claims as decided
        left join {HELD_BY_NONE} as unheld
            on decided.record_type = unheld.record_type and decided.row_id = unheld.row_id
        where unheld.row_id is null
        group by decided.record_type, decided.purpose
    )
    select
        purpose.purpose, purpose.class, described.source,
        cast(sum(counted.holds) as bigint), cast(sum(counted.ended) as bigint), cast(sum(counted.unclear) as bigint)
    from counted
    inner join policy.purposes as purpose on counted.purpose = purpose.purpose
    inner join policy.records as described on counted.record_type = described.record_type
    group by purpose.purpose, purpose.class, purpose.position, described.source
    order by purpose.position, described.source
"""

_UNDELIVERED = """
    select manifest_id, system, code, message from manifest.dispatches where outcome <> 'delivered' order by all
"""

_UNREAD = "select system, code, message, times from manifest.unread_receipts order by all"


def read_summary(warehouse: Warehouse) -> Summary:
    """The summary of an open warehouse; what has not been made yet is empty."""
    from assets.delivery.settling import unproven
    from assets.ledger import issued
    from assets.manifests.left_out import left_out
    from assets.retention.policy_versions import unraised_version
    from assets.rights.holds import holding_nothing

    taken_in = warehouse.exists("intake", "deliveries")
    evaluated = warehouse.exists("retention", "dispositions") and warehouse.exists("retention", "evaluation")
    dispatched = warehouse.exists("manifest", "dispatches")
    answered = warehouse.exists("manifest", "unread_receipts")
    as_of = warehouse.value("select as_of from retention.evaluation") if evaluated else None
    return Summary(
        as_of=as_of,
        deliveries=tuple(DeliveryLine(*row) for row in warehouse.rows(_DELIVERIES)) if taken_in else (),
        quarantined=tuple(QuarantineLine(*row) for row in warehouse.rows(_QUARANTINED)) if taken_in else (),
        systems=_systems(warehouse) if evaluated else (),
        purposes=tuple(PurposeLine(*row) for row in warehouse.rows(_PURPOSES)) if evaluated else (),
        manifests=tuple(issued.manifests(warehouse)),
        undelivered=tuple(UndeliveredLine(*row) for row in warehouse.rows(_UNDELIVERED)) if dispatched else (),
        unread=tuple(UnreadLine(*row) for row in warehouse.rows(_UNREAD)) if answered else (),
        unproven=tuple(unproven(warehouse)),
        left_out=tuple(left_out(warehouse)),
        unraised=unraised_version(warehouse),
        holding_nothing=tuple(holding_nothing(warehouse, as_of)) if as_of else (),
    )


def _systems(warehouse: Warehouse) -> tuple[SystemLine, ...]:
    is_counted = "with_value" in warehouse.columns("publication", "standings")  # not by an earlier version
    return tuple(SystemLine(*row) for row in warehouse.rows(_SYSTEMS.format(due=_DUE if is_counted else _NOT_COUNTED)))
