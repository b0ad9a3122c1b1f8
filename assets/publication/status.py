"""How a site stands, read from its published file and its inbox: what `gallring status` tells.

Opens nothing that a run needs, so it can be asked while one is under way; it then tells of the run before. The day
that lateness is measured against is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from assets.attaching import attached
from assets.delivery.settling import Unproven
from assets.ingest.deliveries import find_deliveries, told_name
from assets.manifests.left_out import LeftOut
from assets.retention.policy_versions import UNRAISED, UnraisedVersion
from assets.rights.clocks import Clock, standing
from assets.site import Site
from assets.warehouse import Warehouse

#: States of a manifest item after which its system has nothing left to answer.
SETTLED = ("done", "verified", "already_absent", "cancelled")
#: States in which it has nothing to answer, those before it was told among them.
_NOT_ASKED = ("issued", "approved", *SETTLED)


@dataclass(frozen=True)
class Delivery:
    """The latest delivery of a source. `extracted_at` is UTC; rows are added up over its files."""

    source: str
    delivery_id: str
    mode: str
    extracted_at: datetime
    status: str
    reason: str | None
    rows_in: int
    rows_quarantined: int


@dataclass(frozen=True)
class Block:
    """What holds a source's manifests back."""

    source: str
    table: str | None
    reason: str
    detail: str | None


@dataclass(frozen=True)
class ManifestState:
    """How many manifests of a system have items in a state, and how many items."""

    system: str
    state: str
    manifests: int
    items: int


@dataclass(frozen=True)
class OverdueItems:
    """Items of a manifest of which something should have happened by now at the system that was told.

    `respond_by` is the manifest's own day to answer, `due_on` the day of these items, which an answer may postpone.
    """

    system: str
    manifest_id: str
    respond_by: date
    due_on: date
    items: int


@dataclass(frozen=True)
class Turn:
    """Whose turn it is with how many items of a system, on what, and by when at the earliest."""

    owner: str
    system: str
    state: str
    items: int
    due_on: date | None
    next_step: str


@dataclass(frozen=True)
class OverdueRequest:
    """A person's request that should have been answered by now."""

    request_id: str
    kind: str
    received_on: date
    due_on: date


@dataclass(frozen=True)
class Status:
    """How a site stands. `as_of` is the day last evaluated, None before anything is published.

    `unpublished`: there is a warehouse all the same, as after a restore; what it holds, and what waits, is not told.
    """

    as_of: date | None
    policy_version: str | None
    waiting: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    blocks: tuple[Block, ...]
    manifests: tuple[ManifestState, ...]
    overdue_items: tuple[OverdueItems, ...]
    overdue_requests: tuple[OverdueRequest, ...]
    turns: tuple[Turn, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unraised: UnraisedVersion | None = None
    unpublished: bool = False
    holding_nothing: tuple[str, ...] = ()


def status(site: Site, today: date) -> Status:
    """How the site stood when it was last published; late is what was due before `today`."""
    if not site.analytics.exists() and site.warehouse.exists():
        return Status(None, None, (), (), (), (), (), (), unpublished=True)
    if not site.analytics.exists():
        return Status(None, None, tuple(_waiting(site, {})), (), (), (), (), ())
    with _published(site) as published:
        as_of, version = published.rows("select as_of, policy_version from site.about")[0]
        seen = {
            (source, delivery_id): taken
            for source, delivery_id, taken in published.rows(
                "select source, delivery_id, status from site.quality.deliveries order by sequence"
            )
        }
        return Status(
            as_of=as_of,
            policy_version=version,
            waiting=tuple(_waiting(site, seen)),
            deliveries=tuple(_deliveries(published)),
            blocks=tuple(
                Block(*row)
                for row in published.rows(
                    "select source, table_name, reason, detail from site.quality.blocks order by all"
                )
            ),
            manifests=tuple(_manifests(published)),
            overdue_items=tuple(_overdue_items(published, today)),
            overdue_requests=tuple(_overdue_requests(published, today)),
            turns=tuple(_turns(published)),
            unproven=tuple(_unproven(published)),
            left_out=tuple(_left_out(published)),
            unraised=_unraised(published),
            holding_nothing=tuple(_holding_nothing(published, today)),
        )


@contextmanager
def _published(site: Site) -> Iterator[Warehouse]:
    """The site's published file, to read, as the catalog `site`."""
    with Warehouse.in_memory() as warehouse, attached(warehouse, site.analytics, "site", read_only=True):
        yield warehouse


def _waiting(site: Site, seen: dict[tuple[Any, ...], str]) -> Iterator[str]:
    """Complete deliveries in the inbox that no run has looked at, as source/delivery.

    `seen` are those that a run has taken in or rejected, with their status. What lies there once more, under another
    name, is taken in with the first.
    """
    found = [each for each in find_deliveries(site) if not each.refused] if seen else []
    loaded = {each.digest for each in found if seen.get((each.source, each.delivery_id)) == "loaded"}
    again = {(each.source, each.delivery_id) for each in found if each.digest in loaded}
    for note in sorted(site.inbox.glob("*/*/delivery.json")):
        source, delivery_id = told_name(note.parent.parent.name), told_name(note.parent.name)
        if (source, delivery_id) not in seen and (source, delivery_id) not in again:
            yield f"{source}/{delivery_id}"


def _deliveries(published: Warehouse) -> Iterator[Delivery]:
    for row in published.rows(
        """
        select source, delivery_id, mode, extracted_at, status, reason,
            cast(coalesce(sum(rows_in), 0) as bigint), cast(coalesce(sum(rows_quarantined), 0) as bigint)
        from site.quality.deliveries
        where sequence in (select max(sequence) from site.quality.deliveries group by source)
        group by all
        order by source
        """
    ):
        yield Delivery(*row)


def _manifests(published: Warehouse) -> Iterator[ManifestState]:
    for row in published.rows(
        "select system, state, count(distinct manifest_id), count(*) from site.manifest.items "
        "group by system, state order by system, state"
    ):
        yield ManifestState(*row)


def _overdue_items(published: Warehouse, today: date) -> Iterator[OverdueItems]:
    for row in published.rows(
        "select system, manifest_id, respond_by, due_on, count(*) from site.manifest.items "
        "where due_on < $today and not list_contains($not_asked, state) group by all order by all",
        {"today": today, "not_asked": list(_NOT_ASKED)},
    ):
        yield OverdueItems(*row)


def _turns(published: Warehouse) -> Iterator[Turn]:
    for row in published.rows(
        "select owner, system, state, count(*), min(due_on), next_step from site.manifest.items "
        "where owner <> 'nobody' group by all order by all"
    ):
        yield Turn(*row)


def _has(published: Warehouse, table: str, schema: str = "quality") -> bool:
    """Whether a table is there; what an earlier version published lacks the later ones."""
    return bool(published.value(
        "select count(*) from duckdb_tables() where database_name = 'site' and schema_name = $schema "
        "and table_name = $table", {"schema": schema, "table": table},
    ))  # fmt: skip


def _unraised(published: Warehouse) -> UnraisedVersion | None:
    if not _has(published, "policies"):
        return None
    found = published.rows(UNRAISED.format(decided="site.quality.policies", evaluation="site.about"))
    return UnraisedVersion(*found[0]) if found else None


def _unproven(published: Warehouse) -> Iterator[Unproven]:
    if not _has(published, "unproven"):
        return
    told = "select cast(null as varchar) as table_name, cast(null as bigint) as set_aside where false"
    for row in published.rows(
        "select system, cast(sum(items) as bigint), min(reason), table_name, max(set_aside) "
        f"from (from site.quality.unproven union all by name {told}) "  # an earlier version's has not these two
        "group by system, table_name order by system, table_name nulls first"
    ):
        yield Unproven(*row)


def _left_out(published: Warehouse) -> Iterator[LeftOut]:
    if not _has(published, "left_out"):
        return
    for row in published.rows(
        "select system, cast(sum(records) as bigint) from site.quality.left_out group by system order by system"
    ):
        yield LeftOut(*row)


def _holding_nothing(published: Warehouse, today: date) -> Iterator[str]:
    """The holds that stand and name no record that has been taken in, by their numbers."""
    if not (_has(published, "findings", "retention") and _has(published, "holds", "retention")):
        return
    for (number,) in published.rows(
        "select holds.hold_id from site.retention.holds as holds "
        "inner join site.retention.findings as findings on holds.hold_id = findings.record_key "
        "where findings.finding = 'hold_without_record' and (holds.released_at is null or holds.released_at > $today) "
        "order by holds.hold_id",
        {"today": today},
    ):
        yield number


def _overdue_requests(published: Warehouse, today: date) -> Iterator[OverdueRequest]:
    for request_id, kind, *days in published.rows(
        "select request_id, kind, received_at, identity_asked_at, identity_verified_at, extended_at, answered_at "
        "from site.retention.requests where received_at is not null order by received_at, request_id"
    ):
        stands = standing(Clock(*days), today)
        if stands.state == "overdue" and stands.due_on is not None:
            yield OverdueRequest(request_id, kind, days[0], stands.due_on)
