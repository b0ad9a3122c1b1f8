"""Why a manifest waits for a person: what is too much, what was not read, and what hangs on another decision.

An automatic approval needs every limit kept. Some concerns are an anomaly: they hold whatever else is allowed. Every
one is a code and a sentence of counts; nothing is approved here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from assets.ledger.states import among, ask_of_manifests, ask_of_manifests_in
from assets.manifests.unread import FOLLOWED, count_unread
from assets.warehouse import Warehouse

#: How many of a system's earlier manifests the median is taken of, and how few are too few for one.
RECENT = 10
FEWEST_COMPARED = 3

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


def concerns(warehouse: Warehouse, rules: Rules, manifest_id: str) -> list[Concern]:
    """Why a manifest waits for a person; empty when it may go without one."""
    found = weigh(warehouse, rules, [manifest_id])[manifest_id]
    others = [other for other, _, _ in waiting_manifests(warehouse) if other != manifest_id]
    return [*found, *that_orders_wait(warehouse, [manifest_id], others).get(manifest_id, ())]


def weigh(warehouse: Warehouse, rules: Rules, manifests: Sequence[str]) -> dict[str, list[Concern]]:
    """Why each of some manifests waits, by their ids: asked once for all."""
    there = dict(warehouse.rows("select record_type, count(*) from retention.records group by record_type"))
    shares: dict[str, list[_Share]] = {}
    for manifest_id, record_type, named, erased in warehouse.rows(_SHARES, {"ids": list(manifests)}):
        shares.setdefault(manifest_id, []).append(_Share(record_type, named, erased, there.get(record_type, 0)))
    unread = count_unread(warehouse, manifests)
    office = warehouse.value(_OFFICE_UNREAD) if warehouse.exists("intake", "quarantined") else 0
    evaluated = warehouse.exists("retention", "evaluation")
    day = warehouse.value("select as_of from retention.evaluation") if evaluated else None
    unclear = warehouse.value(_UNCLEAR, {"as_of": day}) if warehouse.exists("raw", "office_requests") else 0
    sizes: dict[str, dict[str, int]] = {}
    ask_of_manifests(warehouse, _MAY_BE_CANCELLED)
    for system, manifest_id, items in warehouse.rows(_SIZES.format(standing=among("manifest_states"))):
        sizes.setdefault(system, {})[manifest_id] = items
    spares = {each for each, found in shares.items() if not any(share.erased for share in found)}  # restrict and lift
    return {
        manifest_id: [
            *_what_is_too_much(rules, items, shares.get(manifest_id, []), _recent_median(sizes, system, manifest_id)),
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


def _what_is_too_much(rules: Rules, items: int, shares: Sequence[_Share], median: float | None) -> Iterator[Concern]:
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
#: Dates 4), or of no kind. An answer that is dated ahead is none yet. A rectification counts once it is known who asks.
#: One that has left the office's export is in force still.
_UNCLEAR = """
    select count(*) from raw.office_requests
    where coalesce(answered_at > cast($as_of as date) or answered_at < received_at, answered_at is null) and (
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


def waiting_manifests(warehouse: Warehouse) -> list[tuple[str, str, int]]:
    """The manifests that wait for their approval, with their systems and how many items each holds."""
    if not ask_of_manifests_in(warehouse, "issued"):
        return []
    return warehouse.rows(
        "select manifest_id, system, items from manifest.manifests where manifest_id in "
        f"(select manifest_id from ({among('manifest_states')}) where state = 'issued') order by system, sequence"
    )


def that_orders_wait(
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
