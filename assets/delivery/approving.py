"""Approval: what may leave without a person and what a person lets leave, and taking a manifest back.

Approving and cancelling are events like all others (`states`); nothing is delivered here. A cancelled manifest takes
back its word: its fields count as told what they were told before, so that they are proposed anew. Why one waits is
`concerns`, and what a person looks at `previewing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from assets.delivery.concerns import UNREAD, Concern, Rules, that_orders_wait, waiting_manifests, weigh
from assets.errors import BadUsage, CheckFailed, NeedsPerson
from assets.ledger import issued
from assets.ledger.states import Event, record
from assets.warehouse import Warehouse

#: Who approves where nobody has to.
AUTOMATIC = "gallring"

#: Why a manifest may go where nobody has to approve.
WITHIN_LIMITS = "within_limits"


@dataclass(frozen=True)
class Decision:
    """What became of a manifest that waited: `approved`, and by what reason, or `waits` with the concerns."""

    manifest_id: str
    system: str
    items: int
    decision: str
    by_whom: str | None = None
    concerns: tuple[Concern, ...] = ()
    reason: str = ""


def approve(warehouse: Warehouse, manifest_id: str, *, by: str, reason: str, on_day: date, at: datetime) -> str:
    """Approve one manifest for delivery; returns its full id. As `approve_each` in all else."""
    return approve_each(warehouse, [manifest_id], by=by, reason=reason, on_day=on_day, at=at)[0]


def approve_each(
    warehouse: Warehouse, manifest_ids: Sequence[str], *, by: str, reason: str, on_day: date, at: datetime
) -> list[str]:
    """Approve manifests for delivery, each by a decision of its own; all are looked at before the first is written.

    Args:
        warehouse: the warehouse.
        manifest_ids: the manifests, or how their ids begin.
        by: who approves.
        reason: why, in that person's words.
        on_day: the day.
        at: the instant.

    Returns:
        Their full ids, each once.

    Raises:
        BadUsage: no such manifest, or no name or reason.
        NeedsPerson: the approver launched the run that sealed it.
        CheckFailed: it waits for no approval.
    """
    with warehouse.transaction():
        full_ids = _named(warehouse, manifest_ids, by, reason)
        sealed_by = dict(
            warehouse.rows(
                "select manifest_id, max(by_whom) from manifest.events where state = 'issued' "
                "and list_contains(cast($ids as varchar[]), manifest_id) group by manifest_id",
                {"ids": full_ids},
            )
        )
        own = [each for each in full_ids if sealed_by.get(each) is not None and _name(sealed_by[each]) == _name(by)]
        if own:
            what, them = ("was", "it") if len(own) == 1 else ("were", "them")
            raise NeedsPerson(f"{_listed(own)} {what} sealed by a run that {by.strip()} launched: someone else has to "
                              f"approve {them} (four eyes).{_nothing_of(full_ids, 'approved')}")  # fmt: skip
        events = [
            Event(each, "approved", on_day, "approve", at=at, by_whom=by.strip(), detail=reason.strip())
            for each in full_ids
        ]
        refused = [event.manifest_id for event in record(warehouse, events)]
        if refused:
            told = _told_states(warehouse, refused, "waits for no approval", "wait for no approval")
            raise CheckFailed(f"{told}.{_nothing_of(full_ids, 'approved')}")
    return full_ids


def approve_automatically(warehouse: Warehouse, rules: Rules, *, on_day: date, at: datetime) -> list[Decision]:
    """Approve what may go without a person, and say of the rest why it waits."""
    waiting = waiting_manifests(warehouse)
    if not waiting:
        return []
    found_of = weigh(warehouse, rules, [manifest_id for manifest_id, _, _ in waiting])
    approvers = {system: (old, by) for system, old, by in warehouse.rows(_RECALLED, {"day": on_day})}
    decisions = []
    for manifest_id, system, items in waiting:
        found = tuple(found_of[manifest_id])
        by, reason = (None if found else AUTOMATIC), WITHIN_LIMITS
        is_read = UNREAD.isdisjoint(concern.code for concern in found)  # what was set aside since, nobody approved
        if found and is_read and system in approvers and _is_remainder(warehouse, manifest_id, approvers[system][0]):
            by, reason, found = approvers[system][1], "carried_over", ()
        reason = reason if by else ""
        decisions.append(Decision(manifest_id, system, items, "approved" if by else "waits", by, found, reason))
    decisions = _without_notices_before_orders(warehouse, decisions)
    record(warehouse, [
        Event(each.manifest_id, "approved", on_day, "approve", at=at, by_whom=each.by_whom, reason=each.reason)
        for each in decisions if each.by_whom is not None
    ])  # fmt: skip
    return decisions


def _without_notices_before_orders(warehouse: Warehouse, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions, but that a notice to a partner waits while the order that it follows from does (Art 19)."""
    waiting = [each.manifest_id for each in decisions if each.by_whom is None]
    notices = [each.manifest_id for each in decisions if each.reason == WITHIN_LIMITS]
    late = that_orders_wait(warehouse, notices, waiting)
    return [
        replace(each, decision="waits", by_whom=None, concerns=late[each.manifest_id], reason="")
        if each.manifest_id in late else each for each in decisions
    ]  # fmt: skip


#: Of each system the manifest that was recalled last on the day, and who had approved it; none where nobody had.
#: A manifest that lost an item at the door is sealed anew with the rest: what a person approved stays approved. What is
#: proposed on a later day, or after another manifest, may be the same by accident: a person looks at it.
_RECALLED = """
    with recalled as (
        select manifests.system, events.manifest_id,
            row_number() over (partition by manifests.system order by max(events.sequence) desc) as turn
        from manifest.events as events
        inner join manifest.manifests as manifests on manifests.manifest_id = events.manifest_id
        where events.origin = 'recall' and events.item_id is null and events.on_day = $day
        group by manifests.system, events.manifest_id
    )
    select recalled.system, recalled.manifest_id, max(events.by_whom)
    from recalled
    inner join manifest.events as events on events.manifest_id = recalled.manifest_id
    where recalled.turn = 1 and events.state = 'approved'
    group by recalled.system, recalled.manifest_id
    having max(events.by_whom) is not null
"""


def _is_remainder(warehouse: Warehouse, manifest_id: str, old: str) -> bool:
    """Whether a manifest comes right after `old`, and each of its items was in it, with the same action and fields."""
    return not warehouse.value(
        """
        select (
            select count(*) from manifest.items as items
            where items.manifest_id = $id and not exists (
                select 1 from manifest.items as earlier
                where earlier.manifest_id = $old and earlier.record_type = items.record_type
                    and earlier.record_key = items.record_key and earlier.action = items.action
                    and earlier.fields is not distinct from items.fields
            )
        ) + (
            select count(*) from manifest.manifests as other
            inner join manifest.manifests as before on before.manifest_id = $old and before.system = other.system
            inner join manifest.manifests as this on this.manifest_id = $id
            where other.sequence > before.sequence and other.sequence < this.sequence
        )
        """,
        {"id": manifest_id, "old": old},
    )


def cancel(warehouse: Warehouse, manifest_id: str, *, by: str, reason: str, on_day: date, at: datetime) -> str:
    """Cancel one manifest that was not delivered; returns its full id. As `cancel_each` in all else."""
    return cancel_each(warehouse, [manifest_id], by=by, reason=reason, on_day=on_day, at=at)[0]


def cancel_each(
    warehouse: Warehouse, manifest_ids: Sequence[str], *, by: str, reason: str, on_day: date, at: datetime
) -> list[str]:
    """Cancel manifests that were not delivered, each by a decision of its own; returns their full ids, each once.

    All are looked at before the first is cancelled. The next run proposes anew what still stands. Where a delivery was
    begun and cut off, its system may have it: its orders keep their word, and the next run lifts them or gives them
    anew (`rechecking.recall`).

    Raises:
        BadUsage: no such manifest, or no name or reason.
        CheckFailed: one was delivered already, or is cancelled.
    """
    with warehouse.transaction():
        full_ids = _named(warehouse, manifest_ids, by, reason)
        stopped = [each for each in full_ids if not undelivered_items(warehouse, each)]
        if stopped:
            raise CheckFailed(
                f"{_told_states(warehouse, stopped, 'cannot be cancelled', 'cannot be cancelled')}. What was delivered "
                "is recalled by what the rules say: place a hold, or answer the request."
                f"{_nothing_of(full_ids, 'cancelled')}"
            )
        for each in full_ids:
            withdraw(
                warehouse,
                Event(each, "cancelled", on_day, "cancel", at=at, by_whom=by.strip(), detail=reason.strip()),
            )
    return full_ids


def withdraw(warehouse: Warehouse, event: Event) -> None:
    """Record that an undelivered manifest is cancelled, and take back its word, or neither.

    Orders keep theirs where their system may have them.
    """
    with warehouse.transaction():
        query = (
            "select item_id from manifest.item_states where manifest_id = $id and state in ('issued', 'approved') "
            f"and item_id not in ({issued.MAY_HAVE_ARRIVED})"
        )
        issued.take_back(warehouse, query, {"id": event.manifest_id})
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


def _named(warehouse: Warehouse, manifest_ids: Sequence[str], by: str, reason: str) -> list[str]:
    """The full ids of the manifests that a person decides on, in the order given, each once."""
    if not by.strip() or not reason.strip():
        raise BadUsage("Say who decides and why: --by NAME --reason TEXT.")
    return issued.full_ids(warehouse, manifest_ids)


def _nothing_of(full_ids: Sequence[str], done: str) -> str:
    """What became of the others, where several were named."""
    return f" None of the {len(full_ids)} was {done}: name the others again." if len(full_ids) > 1 else ""


#: How many manifests a refusal names.
_NAMED = 20


def _listed(full_ids: Sequence[str], told: Mapping[str, str] | None = None) -> str:
    """Manifests by how their ids begin, each with what is told of it; the first of them, where they are many."""
    named = [each[:16] + (f" ({told[each]})" if told else "") for each in full_ids[:_NAMED]]
    more = f" and {len(full_ids) - _NAMED} more" if len(full_ids) > _NAMED else ""
    return ", ".join(named) + more


def _name(text: str) -> str:
    return " ".join(text.casefold().split())


def _told_states(warehouse: Warehouse, full_ids: Sequence[str], one: str, several: str) -> str:
    """What is so of manifests, and where they stand: `2026-11-22-4ea34 waits for no approval: it is approved`."""
    rows = warehouse.rows(
        "select manifest_id, string_agg(distinct state, ', ' order by state) from manifest.manifest_states "
        "where list_contains(cast($ids as varchar[]), manifest_id) group by manifest_id",
        {"ids": list(full_ids)},
    )
    standing: dict[str, str] = {**dict.fromkeys(full_ids, "without items"), **dict(rows)}
    if len(full_ids) == 1:
        return f"{_listed(full_ids)} {one}: it is {standing[full_ids[0]]}"
    return f"{_listed(full_ids, standing)} {several}"
