"""Approval: what a person looks at before a manifest leaves, what may leave without one, and taking one back.

Approving and cancelling are events like all others (`states`); nothing is delivered here. A cancelled manifest takes
back its word: its fields count as told what they were told before, so that they are proposed anew.

An automatic approval needs every limit kept. Two of them are an anomaly breaker: they hold whatever else is allowed,
and say to the person why the manifest waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from assets.delivery.states import Event, record
from assets.errors import BadUsage, CheckFailed, NeedsPerson
from assets.manifests import ledger
from assets.warehouse import Warehouse

#: How many of a system's earlier manifests the median is taken of, and how few are too few for one.
RECENT = 10
FEWEST_COMPARED = 3

#: How many items a preview shows.
EXAMPLES = 10

#: Who approves where nobody has to.
AUTOMATIC = "gallring"


class Rules(Protocol):
    """What the settings say of approval (`[approval]` in gallring.toml)."""

    @property
    def mode(self) -> str:
        """`required` or `automatic`."""
        ...

    @property
    def items(self) -> int:
        """The most items of an automatic approval."""
        ...

    @property
    def share(self) -> float:
        """The largest share of the records of any one type."""
        ...

    @property
    def times_median(self) -> float:
        """So many times the recent median is an anomaly."""
        ...

    @property
    def erase_share(self) -> float:
        """To erase of more than this share of the records of any one type is an anomaly."""
        ...


@dataclass(frozen=True)
class Concern:
    """Why a manifest waits for a person: a code, a sentence with counts, and whether it is an anomaly."""

    code: str
    text: str
    is_anomaly: bool = False


@dataclass(frozen=True)
class Count:
    """How many items a manifest holds of a kind; `purpose` is the one that ended, None where there was none."""

    record_type: str
    purpose: str | None
    action: str
    items: int


@dataclass(frozen=True)
class Change:
    """A record type and action: how many items now, how many in that system's manifest before."""

    record_type: str
    action: str
    items: int
    items_before: int


@dataclass(frozen=True)
class Example:
    """An item under a pseudonym, with the evidence for it."""

    pseudonym: str
    record_type: str
    action: str
    fields: tuple[str, ...]
    because: list[dict[str, Any]]
    kept: list[dict[str, Any]]


@dataclass(frozen=True)
class Preview:
    """What a person sees before approving: counts, what changed against the manifest before, examples, concerns."""

    manifest_id: str
    system: str
    as_of: date
    respond_by: date
    items: int
    counts: tuple[Count, ...]
    changes: tuple[Change, ...]
    examples: tuple[Example, ...]
    concerns: tuple[Concern, ...]


@dataclass(frozen=True)
class Decision:
    """What became of a manifest that waited: `approved`, or `waits` with the concerns."""

    manifest_id: str
    system: str
    items: int
    decision: str
    by_whom: str | None = None
    concerns: tuple[Concern, ...] = ()


# -- looking --------------------------------------------------------------------------------------------------------


def preview(warehouse: Warehouse, rules: Rules, manifest_id: str) -> Preview:
    """What to look at before approving a manifest, by its id or how it begins.

    Raises:
        BadUsage: no manifest has that id, or several do.
    """
    found = ledger.show(warehouse, manifest_id, 0).summary
    return Preview(
        found.manifest_id, found.system, found.as_of, found.respond_by, found.items,
        tuple(Count(*row) for row in warehouse.rows(_COUNTS, {"id": found.manifest_id})),
        tuple(Change(*row) for row in warehouse.rows(_CHANGES, {"id": found.manifest_id})),
        tuple(_examples(warehouse, found.manifest_id)),
        tuple(concerns(warehouse, rules, found.manifest_id)),
    )  # fmt: skip


_COUNTS = """
    with reasons as (
        select record_type, action, item_id, unnest(from_json(because, '["json"]')) as reason
        from manifest.items where manifest_id = $id
    )
    select record_type, reason ->> 'purpose' as purpose, action, count(distinct item_id)
    from reasons group by all order by record_type, purpose nulls last, action
"""

_CHANGES = """
    with this as (select system, sequence from manifest.manifests where manifest_id = $id),
    before as (
        select manifests.manifest_id from manifest.manifests as manifests
        inner join this on this.system = manifests.system and manifests.sequence < this.sequence
        where manifests.manifest_id in (select manifest_id from manifest.manifest_states where state <> 'cancelled')
        order by manifests.sequence desc limit 1
    )
    select record_type, action, count(*) filter (where manifest_id = $id),
        count(*) filter (where manifest_id <> $id)
    from manifest.items
    where manifest_id = $id or manifest_id in (from before)
    group by all order by record_type, action
"""


def _examples(warehouse: Warehouse, manifest_id: str) -> list[Example]:
    """The first items by their ids, which are hashes: so any, and always the same."""
    import json

    rows = warehouse.rows(
        "select cast(pseudonym(record_type || ' ' || record_key) as varchar), record_type, action, fields, because, "
        "kept from manifest.items where manifest_id = $id order by item_id limit $limit",
        {"id": manifest_id, "limit": EXAMPLES},
    )
    return [
        Example(pseudonym, record_type, action, tuple(fields or ()), json.loads(because), json.loads(kept))
        for pseudonym, record_type, action, fields, because, kept in rows
    ]


def concerns(warehouse: Warehouse, rules: Rules, manifest_id: str) -> list[Concern]:
    """Why a manifest waits for a person; empty when it may go without one."""
    system, items = warehouse.rows(
        "select system, items from manifest.manifests where manifest_id = $id", {"id": manifest_id}
    )[0]
    found = (
        [] if rules.mode == "automatic" else [Concern("approval_required", "Every manifest is approved by a person")]
    )
    if items > rules.items:
        found.append(Concern("many_items", f"{items} items, more than {rules.items}"))
    shares = warehouse.rows(_SHARES, {"id": manifest_id})
    found += [
        Concern("large_share", f"{named} of {records} records of type {record_type}, more than {rules.share:.1%}")
        for record_type, named, _, records in shares if named > rules.share * records
    ]  # fmt: skip
    found += [
        Concern("erases_much", f"erases of {erased} of {records} records of type {record_type}, more than "
                f"{rules.erase_share:.1%}", is_anomaly=True)
        for record_type, _, erased, records in shares if erased > rules.erase_share * records
    ]  # fmt: skip
    median = _recent_median(warehouse, system, manifest_id)
    if median is not None and items > rules.times_median * median:
        found.append(
            Concern("larger_than_usual", f"{items} items, more than {rules.times_median:g} times the recent median of "
                    f"{median:g}", is_anomaly=True)
        )  # fmt: skip
    return found


#: Records that a manifest names and erases of, beside all that are there; a partner's copies are no source's records.
_SHARES = """
    select items.record_type, count(distinct items.record_key),
        count(distinct items.record_key) filter (where items.action in ('erase', 'redact')),
        (select count(*) from retention.records as records where records.record_type = items.record_type)
    from manifest.items as items
    where items.manifest_id = $id and items.action <> 'notify'
    group by items.record_type order by items.record_type
"""


def _recent_median(warehouse: Warehouse, system: str, manifest_id: str) -> float | None:
    sizes = [
        items
        for (items,) in warehouse.rows(
            "select items from manifest.manifests where system = $system and manifest_id <> $id and manifest_id in "
            "(select manifest_id from manifest.item_states where state <> 'cancelled') "
            "order by sequence desc limit $recent",
            {"system": system, "id": manifest_id, "recent": RECENT},
        )
    ]
    return None if len(sizes) < FEWEST_COMPARED else float(sorted(sizes)[len(sizes) // 2])


# -- deciding -------------------------------------------------------------------------------------------------------


def approve(warehouse: Warehouse, manifest_id: str, *, by: str, reason: str, on_day: date, at: datetime) -> str:
    """Approve a manifest for delivery; returns its full id.

    Args:
        warehouse: the warehouse.
        manifest_id: the manifest, or how its id begins.
        by: who approves.
        reason: why, in that person's words.
        on_day: the day.
        at: the instant.

    Raises:
        BadUsage: no such manifest, or no name or reason.
        NeedsPerson: the approver launched the run that sealed it.
        CheckFailed: it waits for no approval.
    """
    full_id = _named(warehouse, manifest_id, by, reason)
    launched_by = warehouse.value(
        "select max(by_whom) from manifest.events where manifest_id = $id and state = 'issued'", {"id": full_id}
    )
    if launched_by is not None and _name(launched_by) == _name(by):
        raise NeedsPerson(f"{full_id[:16]} was sealed by a run that {by.strip()} launched: someone else has to approve "
                          "it (four eyes).")  # fmt: skip
    event = Event(full_id, "approved", on_day, "approve", at=at, by_whom=by.strip(), detail=reason.strip())
    if record(warehouse, [event]):
        raise CheckFailed(f"{full_id[:16]} waits for no approval: it is {_states(warehouse, full_id)}.")
    return full_id


def approve_automatically(warehouse: Warehouse, rules: Rules, *, on_day: date, at: datetime) -> list[Decision]:
    """Approve what may go without a person, and say of the rest why it waits."""
    decisions = []
    for manifest_id, system, items in warehouse.rows(
        "select manifest_id, system, items from manifest.manifests where manifest_id in "
        "(select manifest_id from manifest.manifest_states where state = 'issued') order by system, sequence"
    ):
        found = tuple(concerns(warehouse, rules, manifest_id))
        by = None if found else AUTOMATIC
        carried = _approver_of_the_same(warehouse, manifest_id, system) if found else None
        if carried is not None:
            by, found = carried, ()
        if by is not None:
            reason = "carried_over" if carried is not None else "within_limits"
            record(warehouse, [Event(manifest_id, "approved", on_day, "approve", at=at, by_whom=by, reason=reason)])
        decisions.append(Decision(manifest_id, system, items, "approved" if by else "waits", by, found))
    return decisions


def _approver_of_the_same(warehouse: Warehouse, manifest_id: str, system: str) -> str | None:
    """Who had approved the manifest that this one takes the place of, if it holds nothing that was not in that one.

    A manifest that lost an item at the door is sealed anew with the rest: what a person approved stays approved.
    """
    value = warehouse.value(
        """
        with recalled as (
            select manifest_id, max(sequence) as turn from manifest.events
            where origin = 'recall' and item_id is null group by manifest_id
        ),
        old as (
            select recalled.manifest_id from recalled
            inner join manifest.manifests as manifests on manifests.manifest_id = recalled.manifest_id
            where manifests.system = $system order by recalled.turn desc limit 1
        )
        select max(events.by_whom)
        from manifest.events as events
        where events.manifest_id in (from old) and events.state = 'approved' and not exists (
            select 1 from manifest.items as items
            where items.manifest_id = $id and not exists (
                select 1 from manifest.items as earlier
                where earlier.manifest_id in (from old) and earlier.record_type = items.record_type
                    and earlier.record_key = items.record_key and earlier.action = items.action
                    and earlier.fields is not distinct from items.fields
            )
        )
        """,
        {"system": system, "id": manifest_id},
    )
    return None if value is None else str(value)


def cancel(warehouse: Warehouse, manifest_id: str, *, by: str, reason: str, on_day: date, at: datetime) -> str:
    """Cancel a manifest that was not delivered; returns its full id. The next run proposes anew what still stands.

    Raises:
        BadUsage: no such manifest, or no name or reason.
        CheckFailed: it was delivered already, or is cancelled.
    """
    full_id = _named(warehouse, manifest_id, by, reason)
    undelivered = undelivered_items(warehouse, full_id)
    if not undelivered:
        raise CheckFailed(
            f"{full_id[:16]} cannot be cancelled: it is {_states(warehouse, full_id)}. What was delivered is recalled "
            "by what the rules say: place a hold, or answer the request."
        )
    withdraw(warehouse, Event(full_id, "cancelled", on_day, "cancel", at=at, by_whom=by.strip(), detail=reason.strip()))
    return full_id


def withdraw(warehouse: Warehouse, event: Event) -> None:
    """Record that an undelivered manifest is cancelled, and take back its word, or neither."""
    with warehouse.transaction():
        query = "select item_id from manifest.item_states where manifest_id = $id and state in ('issued', 'approved')"
        ledger.take_back(warehouse, query, {"id": event.manifest_id})
        record(warehouse, [event])


def undelivered_items(warehouse: Warehouse, manifest_id: str) -> int:
    """How many items of a manifest can still be stopped here."""
    return int(
        warehouse.value(
            "select coalesce(sum(items), 0) from manifest.manifest_states "
            "where manifest_id = $id and state in ('issued', 'approved')",
            {"id": manifest_id},
        )
    )


def _named(warehouse: Warehouse, manifest_id: str, by: str, reason: str) -> str:
    if not by.strip() or not reason.strip():
        raise BadUsage("Say who decides and why: --by NAME --reason TEXT.")
    return ledger.show(warehouse, manifest_id, 0).summary.manifest_id


def _name(text: str) -> str:
    return " ".join(text.casefold().split())


def _states(warehouse: Warehouse, manifest_id: str) -> str:
    rows: Sequence[tuple[Any, ...]] = warehouse.rows(
        "select distinct state from manifest.manifest_states where manifest_id = $id order by state",
        {"id": manifest_id},
    )
    return ", ".join(state for (state,) in rows)
