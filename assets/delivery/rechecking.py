"""The re-check at the door: does each item still stand on the day, before it leaves?

An item that fell takes its undelivered manifest with it: the manifest is cancelled and takes back its word, and what
still stands is proposed and sealed anew. Of a manifest whose sending was cut off, its system may know: its orders keep
their word, so that what is to be kept is lifted, today or on a later day, and the rest is ordered anew. Where a
manifest was delivered already, the change of disposition is proposed as a `lift` or a `restrict` like any other
(`assets.manifests.changes`); once that has been acknowledged, the order that it chased is closed here. So is what is
open of a record that was verified to be gone as a whole. Delivers nothing.

Fails closed: without an evaluation of the very day that has looked at everything taken in and entered by then, nothing
is said to stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from assets.core.changing import is_behind
from assets.delivery.approving import withdraw
from assets.delivery.reminding import fall_due
from assets.errors import CheckFailed
from assets.ledger import issued
from assets.ledger.states import (
    Event,
    among,
    among_items,
    ask_of_items,
    ask_of_manifests_in,
    record_selected,
)
from assets.manifests import changes, fields, sealing
from assets.manifests.ranges import Range, ranges
from assets.manifests.sealing import SealReport
from assets.manifests.signatures import Signer
from assets.models import SQL, Model
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse, identifier, literal
from expectations.parts import at_once

_FALLEN = Model("manifest", SQL / "delivery" / "fallen_items.sql")
_OUTLIVED = Model("manifest", SQL / "delivery" / "outlived_items.sql")
_SUPERSEDED = Model("manifest", SQL / "delivery" / "superseded_items.sql")
#: Up to how many items of the manifests that are asked of those that wait are gathered before they are compared: the
#: engine then knows how few there are, and goes from them to the dispositions instead of the other way round.
_FEW = 100_000
#: What is read by ranges of records, and how many bytes of the memory each record counts for.
_BY_RECORD = ("retention.records", "retention.dispositions", "triggers.restricted_records")
BYTES_EACH = 384
#: Many items stream past their records, and past what speaks against these: the tables are joined as they are written.
_AS_WRITTEN = {"disabled_optimizers": "join_order,build_side_probe_side"}


@dataclass(frozen=True)
class Fallen:
    """How many items of an undelivered manifest no longer stand, and by what: a code such as `now_restrict`."""

    manifest_id: str
    system: str
    reason: str
    items: int


@dataclass(frozen=True)
class Recheck:
    """What the re-check of a day found and did."""

    as_of: date
    fallen: tuple[Fallen, ...]
    resealed: SealReport | None = None

    @property
    def manifests(self) -> tuple[str, ...]:
        """The manifests that do not stand as they are."""
        return tuple(sorted({each.manifest_id for each in self.fallen}))


def recheck(warehouse: Warehouse, policy: Policy, manifest: str | None, as_of: date) -> Recheck:
    """Look at every item of an undelivered manifest (None: of all) on a day. Changes nothing.

    Raises:
        CheckFailed: the warehouse is not evaluated as of that day.
    """
    issued.prepare(warehouse)
    require_day(warehouse, policy, as_of)
    if not ask_of_manifests_in(warehouse, "issued", "approved"):
        return Recheck(as_of, ())
    lifts = _is_any(warehouse, "action = 'lift' and state in ('issued', 'approved')")
    given = {"id": manifest, "lifts": lifts, "as_of": as_of}
    fallen: Counter[tuple[str, str, str]] = Counter()
    waiting, settings = _waiting(warehouse)
    _find_noticed(warehouse, waiting)
    for those in _ranges(warehouse):
        select = _FALLEN.over({"manifest.item_states": waiting} | {table: those.of(table) for table in _BY_RECORD})
        with warehouse.settings(**settings):  # an item stands once for each reason
            rows = warehouse.rows(
                f"select manifest_id, system, reason, count(*) from ({select}) as fallen "
                "where $id is null or manifest_id = $id group by all",
                given,
            )
        fallen.update({(manifest_id, system, reason): items for manifest_id, system, reason, items in rows})
    return Recheck(as_of, tuple(Fallen(*each, items) for each, items in sorted(fallen.items())))


def _ranges(warehouse: Warehouse) -> list[Range]:
    """As few ranges of records as the memory allows: each looks through all items that wait."""
    last = [each for (each,) in warehouse.rows("select max(row_id) from retention.records group by record_type")]
    return ranges(last, at_once(sum(last), BYTES_EACH, warehouse.value))


def _waiting(warehouse: Warehouse) -> tuple[str, dict[str, str]]:
    """The items of the manifests that are asked of and where they stand, and the settings to ask with.

    What is in none of them has left, and is not looked at.
    """
    items, moved = warehouse.rows(
        "select (select coalesce(sum(items), 0) from manifest.manifests where manifest_id in (from asked_manifests)), "
        "(select count(*) from manifest.events where item_id is not null and state <> 'issued' "
        "and manifest_id in (from asked_manifests))"
    )[0]
    if items > _FEW:
        if moved:
            return among("item_states"), {}
        return _STANDING.format(common=among("common_states")), _AS_WRITTEN
    warehouse.run(
        "create or replace temp table waiting_items as "
        "select manifest_id, item_id, system, record_type, record_key, action, fields, respond_by, state "
        f"from ({among('item_states')}) where state in ('issued', 'approved')"
    )
    return "from waiting_items", {}


def _find_noticed(warehouse: Warehouse, waiting: str) -> None:
    """`noticed_fields`: what the sources hold of the records of which a notice waits. Few records, or none."""
    warehouse.run(
        "create or replace temp table noticed_fields (record_type varchar, record_key varchar, field varchar)"
    )
    if not _is_any(warehouse, "action = 'notify' and state in ('issued', 'approved')"):
        return
    warehouse.run(_NOTICED.format(waiting=waiting))
    fields.find_held_fields(warehouse, "temp.noticed_records", "manifest.noticed_held")
    warehouse.run(
        "insert into noticed_fields select records.record_type, records.record_key, held.field "
        "from noticed_records as records inner join manifest.noticed_held as held using (record_type, row_id)"
    )
    for table in ("noticed_records", "manifest.noticed_held"):
        warehouse.run(f"drop table {table}")


_NOTICED = """
create or replace temp table noticed_records as
select distinct records.record_type, records.row_id, records.record_key
from ({waiting}) as items
inner join retention.records as records
    on records.record_type = items.record_type and records.record_key = items.record_key
where items.action = 'notify'
"""

#: Where items stand of manifests of which no item has an event of its own: nothing of them has to be kept to be met.
_STANDING = """
select items.manifest_id, items.item_id, items.system, items.record_type, items.record_key, items.action, items.fields,
    items.respond_by, standing.state
from manifest.items as items
inner join ({common}) as standing on standing.manifest_id = items.manifest_id
"""


def recall(
    warehouse: Warehouse, policy: Policy, as_of: date, *, at: datetime, manifests: Sequence[str] | None = None
) -> Recheck:
    """Cancel the undelivered manifests (all, or those named) in which an item fell; closes orders that were chased.

    What still stands is news again, for the proposal that follows.
    """
    found = recheck(warehouse, policy, None, as_of)
    fallen = tuple(each for each in found.fallen if manifests is None or each.manifest_id in manifests)
    with warehouse.transaction():
        for manifest_id in sorted({each.manifest_id for each in fallen}):
            # What speaks against an item goes before a day that has passed: respond_by_passed is the last of them.
            reason = min(each.reason for each in fallen if each.manifest_id == manifest_id)
            event = Event(manifest_id, "cancelled", as_of, "recall", at=at, reason=reason)
            withdraw(warehouse, event)
        _close_superseded(warehouse, as_of, at)
        warehouse.run(f"create or replace table manifest.recalled_orders as {_RECALLED}")
        if warehouse.value("select count(*) from manifest.manifests where document is null"):
            warehouse.run(_OUTLASTING.format(back=_kept_out(policy)))
    return Recheck(as_of, fallen)


#: Orders and restrictions that were cancelled after their delivery was cut off, orders whose lift or restriction was,
#: and restrictions whose lift was. Their word stands, for their system may go by it; as it may not, the proposal tells
#: anew what is still to go or to be restricted. So it does of orders that were carried out, and whose record is there
#: again: by their word its values are kept out until they are ordered anew, or lifted. And of what was open when its
#: record was verified to be gone: where its word stands, and the record is there again, nobody has carried it out.
_RECALLED = f"""
with cancelled as (
    select distinct manifest_id from manifest.events
    where state = 'cancelled' and item_id is null and manifest_id in (select manifest_id from manifest.sending)
)
{issued.MAY_HAVE_ARRIVED} and manifest_id in (from cancelled)
union
select replaced.told_by
from manifest.items as items
inner join manifest.replaced_fields as replaced on replaced.item_id = items.item_id
where items.manifest_id in (from cancelled) and (
    (items.action in ('restrict', 'lift') and replaced.state = 'erase')
    or (items.action = 'lift' and replaced.state = 'restrict')
)
union
select item_id from manifest.verifications where outcome = 'returned'
union
select item_id from manifest.events
where reason = 'superseded' and item_id in (select item_id from manifest.told_bits)
"""


#: Orders whose manifest was destroyed, and whose record is there again: of them nothing says any more that they were
#: carried out. What a source holds of what was ordered is what intake keeps out by that very order.
_OUTLASTING = """
insert into manifest.recalled_orders by name
select told.item_id
from manifest.told_bits as told
inner join ({back}) as back
    on back.record_type = cast(told.record_type as varchar) and back.record_key = told.record_key
where told.state = 'erase' and not exists (
    select 1 from manifest.items as items where items.item_id = told.item_id
)
"""


def _kept_out(policy: Policy) -> str:
    """The records of which the source delivers fields that were ordered erased."""
    return " union all ".join(
        f"select {literal(contract.record_type)} as record_type, cast({identifier(contract.key)} as varchar) as "
        f"record_key from raw.{identifier(contract.raw_table)} where in_source and len(withheld) > 0"
        for contract in policy.contracts.values() if contract.record_type is not None
    )  # fmt: skip


def at_the_door(
    warehouse: Warehouse, policy: Policy, site: Site, signer: Signer, *, as_of: date, issued_at: datetime,
    respond_within_days: int = sealing.RESPOND_WITHIN_DAYS, leave_out: bool = False, launched_by: str | None = None,
) -> Recheck:  # fmt: skip
    """`recall`, then propose and seal what still stands of what fell. For right before a delivery.

    When nothing fell, nothing is proposed or sealed.
    """
    found = recall(warehouse, policy, as_of, at=issued_at)
    if not found.fallen:
        return found
    fall_due(warehouse, as_of)
    changes.propose(warehouse, policy, as_of)
    report = sealing.seal(
        warehouse, policy, site, signer, as_of=as_of, issued_at=issued_at, respond_within_days=respond_within_days,
        leave_out=leave_out, launched_by=launched_by,
    )  # fmt: skip
    return Recheck(as_of, found.fallen, report)


def may_leave(warehouse: Warehouse) -> bool:
    """Whether anything is approved, so that it leaves as soon as the door is open."""
    return ask_of_manifests_in(warehouse, "approved") and _is_any(warehouse, "state = 'approved'")


def _is_any(warehouse: Warehouse, condition: str) -> bool:
    """Whether any item of the manifests that are asked of stands so."""
    return bool(warehouse.value(f"select count(*) from ({among('manifest_states')}) where {condition}"))


def _close_superseded(warehouse: Warehouse, as_of: date, at: datetime) -> None:
    """Close what was chased, which something was told otherwise since, and what is open of a record that is gone."""
    warehouse.run(f"create or replace temp table outlived_items as {_OUTLIVED.statement}", {"as_of": as_of})
    if ask_of_items(
        warehouse,
        "select item_id from manifest.replaced_fields union all select told_by from manifest.replaced_fields "
        "union all select item_id from outlived_items",
    ):
        overtaken = _SUPERSEDED.over({"manifest.item_states": among_items()})
        record_selected(
            warehouse,
            f"select manifest_id, item_id, 'cancelled' as state, cast($day as date) as on_day, 'recall' as origin, "
            f"'superseded' as reason, cast($at as timestamp) as happened_at from ({overtaken}) as overtaken",
            {"day": as_of, "at": at.astimezone(UTC).replace(tzinfo=None)},
        )
    warehouse.run("drop table outlived_items")


def require_day(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """Refuse to say what stands on a day that was not evaluated, or not with all that is known: a hold may be news.

    Raises:
        CheckFailed: the warehouse is evaluated as of another day, or of none, or by another policy, or something came
            since.
    """
    known = warehouse.exists("retention", "evaluation")
    evaluated = warehouse.value("select as_of from retention.evaluation") if known else None
    if evaluated != as_of:
        raise CheckFailed(
            f"Nothing was sealed or delivered: the warehouse is evaluated as of {evaluated or 'no day'}, "
            f"the re-check is as of {as_of}. Run `gallring run --as-of {as_of}` first."
        )
    if is_behind(warehouse, policy):
        raise CheckFailed(
            "Nothing was sealed or delivered: a delivery was taken in, a hold or request entered, or the policy "
            f"changed, and the evaluation as of {as_of} has not looked at it. Run `gallring run --as-of {as_of}` first."
        )
