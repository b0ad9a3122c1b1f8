"""Approval: what a person looks at before a manifest leaves, what may leave without one, and taking one back.

Approving and cancelling are events like all others (`states`); nothing is delivered here. A cancelled manifest takes
back its word: its fields count as told what they were told before, so that they are proposed anew.

An automatic approval needs every limit kept. Two of them are an anomaly breaker: they hold whatever else is allowed,
and say to the person why the manifest waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol

from assets.errors import BadUsage, CheckFailed, NeedsPerson
from assets.ledger import issued
from assets.ledger.states import Event, among, ask_of_manifests, ask_of_manifests_in, record
from assets.manifests.unread import FOLLOWED, count_unread
from assets.warehouse import Warehouse

#: How many of a system's earlier manifests the median is taken of, and how few are too few for one.
RECENT = 10
FEWEST_COMPARED = 3

#: How many items a preview shows.
EXAMPLES = 10

#: Who approves where nobody has to.
AUTOMATIC = "gallring"

#: Concerns about rows that were set aside: of a record that is ordered erased, of another that may keep it, and of the
#: office's registers.
NEWER_ROWS_UNREAD = "newer_rows_unread"
OTHER_ROWS_UNREAD = "other_rows_unread"
OFFICE_ROWS_UNREAD = "office_rows_unread"
#: The concern about requests in the office's register that count for nothing as they stand, and may keep something.
REQUESTS_UNCLEAR = "requests_unclear"
UNREAD = frozenset({NEWER_ROWS_UNREAD, OTHER_ROWS_UNREAD, OFFICE_ROWS_UNREAD, REQUESTS_UNCLEAR})
#: The concern about notices to a partner of what nobody has decided to order.
ORDERS_WAIT = "orders_wait"

#: Why a manifest may go where nobody has to approve.
WITHIN_LIMITS = "within_limits"


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

    @property
    def leaves_out(self) -> bool:
        """Whether what a row that was set aside may keep is left out of what is sealed (`left_out`)."""
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
    """What became of a manifest that waited: `approved`, and by what reason, or `waits` with the concerns."""

    manifest_id: str
    system: str
    items: int
    decision: str
    by_whom: str | None = None
    concerns: tuple[Concern, ...] = ()
    reason: str = ""


# -- looking --------------------------------------------------------------------------------------------------------


def preview(warehouse: Warehouse, rules: Rules, manifest_id: str) -> Preview:
    """What to look at before approving a manifest, by its id or how it begins.

    Raises:
        BadUsage: no manifest has that id, or several do.
    """
    found = issued.show(warehouse, manifest_id, 0).summary
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
    found = _concerns(warehouse, rules, [manifest_id])[manifest_id]
    others = [other for other, _, _ in _waiting(warehouse) if other != manifest_id]
    return [*found, *_that_orders_wait(warehouse, [manifest_id], others).get(manifest_id, ())]


def _concerns(warehouse: Warehouse, rules: Rules, manifests: Sequence[str]) -> dict[str, list[Concern]]:
    """Why each of some manifests waits, by their ids: asked once for all."""
    there = dict(warehouse.rows("select record_type, count(*) from retention.records group by record_type"))
    shares: dict[str, list[_Share]] = {}
    for manifest_id, record_type, named, erased in warehouse.rows(_SHARES, {"ids": list(manifests)}):
        shares.setdefault(manifest_id, []).append(_Share(record_type, named, erased, there.get(record_type, 0)))
    unread = count_unread(warehouse, manifests)
    office = warehouse.value(_OFFICE_UNREAD) if warehouse.exists("intake", "quarantined") else 0
    unclear = warehouse.value(_UNCLEAR) if warehouse.exists("raw", "office_requests") else 0
    sizes: dict[str, dict[str, int]] = {}
    ask_of_manifests(warehouse, _MAY_BE_CANCELLED)
    for system, manifest_id, items in warehouse.rows(_SIZES.format(standing=among("manifest_states"))):
        sizes.setdefault(system, {})[manifest_id] = items
    spares = {each for each, found in shares.items() if not any(share.erased for share in found)}  # restrict and lift
    return {
        manifest_id: [
            *_weigh(rules, items, shares.get(manifest_id, []), _recent_median(sizes, system, manifest_id)),
            *(() if manifest_id in spares else _what_was_not_read(*unread.get(manifest_id, (0, 0)), office, unclear)),
        ]
        for manifest_id, system, items in warehouse.rows(
            "select manifest_id, system, items from manifest.manifests "
            "where manifest_id in (select unnest(cast($ids as varchar[])))", {"ids": list(manifests)},
        )
    }  # fmt: skip


@dataclass(frozen=True)
class _Share:
    """How many records of a type a manifest names, and erases of, of how many that are there."""

    record_type: str
    named: int
    erased: int
    records: int


def _weigh(rules: Rules, items: int, shares: Sequence[_Share], median: float | None) -> Iterator[Concern]:
    if rules.mode != "automatic":
        yield Concern("approval_required", "Every manifest is approved by a person")
    if items > rules.items:
        yield Concern("many_items", f"{items} items, more than {rules.items}")
    for each in shares:
        if each.named > rules.share * each.records:
            yield Concern("large_share", f"{each.named} of {each.records} records of type {each.record_type}, more "
                          f"than {rules.share:.1%}")  # fmt: skip
    for each in shares:
        if each.erased > rules.erase_share * each.records:
            yield Concern("erases_much", f"erases of {each.erased} of {each.records} records of type "
                          f"{each.record_type}, more than {rules.erase_share:.1%}", is_anomaly=True)  # fmt: skip
    if median is not None and items > rules.times_median * median:
        yield Concern("larger_than_usual", f"{items} items, more than {rules.times_median:g} times the recent median "
                      f"of {median:g}", is_anomaly=True)  # fmt: skip


def _what_was_not_read(records: int, others: int, office: int, unclear: int) -> Iterator[Concern]:
    if records:
        yield Concern(NEWER_ROWS_UNREAD, f"of {records} records that it erases or redacts, their source has sent a "
                      "newer row that was set aside, and may say why they are to be kept (`gallring quarantine`)",
                      is_anomaly=True)  # fmt: skip
    if others:
        yield Concern(OTHER_ROWS_UNREAD, f"{others} other records that it erases or redacts are named by rows that "
                      "were set aside, or hang together with what these name; such a row may say why they are to be "
                      "kept (`gallring quarantine`)", is_anomaly=True)  # fmt: skip
    if office:
        yield Concern(OFFICE_ROWS_UNREAD, f"{office} rows of the office's holds and requests were set aside, and may "
                      "say what is to be kept (`gallring quarantine office`)", is_anomaly=True)  # fmt: skip
    if unclear:
        yield Concern(REQUESTS_UNCLEAR, f"{unclear} unanswered requests have no day on which they came, or no kind, "
                      "and may restrict what it erases: complete them in the office's register",
                      is_anomaly=True)  # fmt: skip


#: How many rows of the office's holds and requests were set aside, in deliveries that no full one has followed: any
#: may be the hold, or the restriction, without which something is erased. Counted as they came in, not as they stay.
_OFFICE_UNREAD = f"""
    select cast(coalesce(sum(files.rows_quarantined), 0) as bigint)
    from intake.files as files
    inner join intake.deliveries as deliveries
        on files.source = deliveries.source and files.delivery_id = deliveries.delivery_id
    where files.source = 'office' and files.table_name in ('holds', 'requests') and files.status = 'loaded'
        and deliveries.status = 'loaded' and not exists ({FOLLOWED.format(rows="files")})
"""

#: Unanswered requests that may be a restriction (Art 18), and have no effect as they stand: without a day (rules.md,
#: Dates 4), or of no kind. A rectification counts once it is known who asks.
_UNCLEAR = """
    select count(*) from raw.office_requests
    where in_source and answered_at is null and (
        kind is null
        or (received_at is null and kind = 'restriction')
        or (received_at is null and kind = 'rectification' and identity_verified_at is not null)
    )
"""

#: Records that manifests name and erase of; a partner's copies are no source's records. An item about a whole record
#: is the only one of that record, so that only of the others it is found out which are about the same one, under a
#: number for the manifest: what is kept of each is a few bytes beside its key.
_SHARES = """
    with asked as (
        select unnest(cast($ids as varchar[])) as manifest_id, unnest(range(len($ids))) as number
    ),
    counted as (
        select asked.manifest_id, items.record_type, count(*) as named, count(*) as erased
        from manifest.items as items
        inner join asked on asked.manifest_id = items.manifest_id
        where items.action = 'erase'
        group by asked.manifest_id, items.record_type
        union all
        select asked.manifest_id, named.record_type, named.named, named.erased
        from (
            select number, record_type, count(*) as named, count(*) filter (where is_erased) as erased
            from (
                select asked.number, items.record_type, items.record_key, bool_or(items.action = 'redact') as is_erased
                from manifest.items as items
                inner join asked on asked.manifest_id = items.manifest_id
                where items.action not in ('erase', 'notify')
                group by asked.number, items.record_type, items.record_key
            )
            group by number, record_type
        ) as named
        inner join asked on asked.number = named.number
    )
    select manifest_id, record_type, cast(sum(named) as bigint), cast(sum(erased) as bigint)
    from counted group by manifest_id, record_type order by manifest_id, record_type
"""

#: Manifests that may be cancelled as a whole: an event of theirs says so, or as many of items as they have items.
_MAY_BE_CANCELLED = """
    select manifest_id from manifest.events where state = 'cancelled' and item_id is null
    union all
    select items.manifest_id
    from (select manifest_id, count(*) as items from manifest.items group by manifest_id) as items
    inner join (
        select manifest_id, count(*) as events from manifest.events
        where state = 'cancelled' and item_id is not null group by manifest_id
    ) as cancelled on cancelled.manifest_id = items.manifest_id and cancelled.events >= items.items
"""

#: What was sealed for each system and not cancelled as a whole, the latest first.
_SIZES = """
    select system, manifest_id, items from manifest.manifests
    where manifest_id in (select manifest_id from manifest.items)
        and (
            manifest_id not in (select manifest_id from asked_manifests)
            or manifest_id in (select manifest_id from ({standing}) where state <> 'cancelled')
        )
    order by system, sequence desc
"""


def _recent_median(sizes: Mapping[str, Mapping[str, int]], system: str, manifest_id: str) -> float | None:
    """What the system's other manifests hold, by `_SIZES`."""
    recent = [items for other, items in sizes.get(system, {}).items() if other != manifest_id][:RECENT]
    return None if len(recent) < FEWEST_COMPARED else float(sorted(recent)[len(recent) // 2])


# -- deciding -------------------------------------------------------------------------------------------------------


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
    waiting = _waiting(warehouse)
    if not waiting:
        return []
    found_of = _concerns(warehouse, rules, [manifest_id for manifest_id, _, _ in waiting])
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


def _waiting(warehouse: Warehouse) -> list[tuple[str, str, int]]:
    """The manifests that wait for their approval, with their systems and how many items each holds."""
    if not ask_of_manifests_in(warehouse, "issued"):
        return []
    return warehouse.rows(
        "select manifest_id, system, items from manifest.manifests where manifest_id in "
        f"(select manifest_id from ({among('manifest_states')}) where state = 'issued') order by system, sequence"
    )


def _without_notices_before_orders(warehouse: Warehouse, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions, but that a notice to a partner waits while the order that it follows from does (Art 19)."""
    waiting = [each.manifest_id for each in decisions if each.by_whom is None]
    notices = [each.manifest_id for each in decisions if each.reason == WITHIN_LIMITS]
    late = _that_orders_wait(warehouse, notices, waiting)
    return [
        replace(each, decision="waits", by_whom=None, concerns=late[each.manifest_id], reason="")
        if each.manifest_id in late else each for each in decisions
    ]  # fmt: skip


def _that_orders_wait(
    warehouse: Warehouse, manifests: Sequence[str], waiting: Sequence[str]
) -> dict[str, tuple[Concern, ...]]:
    """Of manifests that tell partners, the concern that orders about the same records are in some that wait."""
    if not manifests or not waiting:
        return {}
    rows = warehouse.rows(_ORDERS_WAIT, {"ids": list(manifests), "waiting": list(waiting)})
    return {manifest_id: (Concern(
        ORDERS_WAIT, f"of {records} records that it tells of, the order waits for a person: decide on that first"
    ),) for manifest_id, records in rows}  # fmt: skip


_ORDERS_WAIT = """
    select notices.manifest_id, count(distinct (notices.record_type, notices.record_key))
    from manifest.items as notices
    inner join (
        select distinct record_type, record_key from manifest.items
        where action in ('erase', 'redact') and list_contains(cast($waiting as varchar[]), manifest_id)
    ) as orders on orders.record_type = notices.record_type and orders.record_key = notices.record_key
    where notices.action = 'notify' and list_contains(cast($ids as varchar[]), notices.manifest_id)
    group by notices.manifest_id
"""


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
