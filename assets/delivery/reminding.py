"""What time alone brings about: days that near, pass, and fall due. Tells nobody; says who is to be told.

`fall_due` comes between the day's evaluation and its proposal: what a system withheld, refused, put off to a day, kept
a part of or only claimed to have done is told anew on its day, as a new item, and the old one is closed. An order's
word stands until the new item is sealed, for its system has it and may carry it out whenever it likes; one that is
decided otherwise by then stays open, and the proposal tells what is so now. `remind` comes after the day's receipts:
what was to be answered and was not, nor put off, is `overdue`, and the reminders of the day are listed by owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from assets.ledger import issued
from assets.ledger.states import among_items, ask_of_items, record_selected
from assets.manifests import fields
from assets.models import SQL, Model
from assets.warehouse import Warehouse

#: How many days before its day an unanswered item is reminded of, and how many after it is escalated.
NEARING_DAYS = 5
LONG_LATE_DAYS = 30

_REMINDERS = Model("manifest", SQL / "delivery" / "reminders.sql")


@dataclass(frozen=True)
class Reminder:
    """Items of a manifest that wait for the same owner; `lateness` is `nearing`, `late` or `escalated`."""

    system: str
    manifest_id: str
    owner: str
    lateness: str
    due_on: date
    items: int


def fall_due(warehouse: Warehouse, as_of: date) -> int:
    """Note in `manifest.fallen_due` what is to be told anew on the day: items whose postponement has ended.

    Call after the day's evaluation, before the proposal. The proposal takes these orders for not told; sealing one anew
    closes the old item, and until then its word stands. An order of which the source holds nothing more is closed here,
    and so are lifts and notices, which leave nothing standing at their system: they count as never told.

    Left as it is: an item of which a value is decided otherwise than it told, or that one which says otherwise has
    chased and that was not acknowledged.

    Returns:
        How many fell due.
    """
    issued.prepare(warehouse)
    with warehouse.transaction():
        if not ask_of_items(warehouse, _POSTPONED):
            warehouse.run("delete from manifest.fallen_due")
            return 0
        warehouse.run(_FALLEN_DUE.format(standing=among_items()), {"as_of": as_of, "reason": issued.TOLD_ANEW})
        if not warehouse.value("select count(*) from manifest.fallen_due"):
            return 0
        _leave_what_is_otherwise(warehouse)
        issued.take_back(warehouse, f"select item_id from ({_NO_ORDERS})")
        record_selected(
            warehouse,
            "select manifest_id, item_id, 'cancelled' as state, cast($as_of as date) as on_day, 'clock' as origin, "
            f"cast($reason as varchar) as reason from ({_NO_ORDERS} union all {_EMPTY})",
            {"as_of": as_of, "reason": issued.TOLD_ANEW},
        )
        warehouse.run("drop table if exists manifest.due_fields")
        return int(warehouse.value("select count(*) from manifest.fallen_due where is_open"))


#: What is open, and orders that were told anew by an item that was taken back: theirs is the last word again.
_FALLEN_DUE = """
create or replace table manifest.fallen_due as
select manifest_id, item_id, cast($as_of as date) as as_of, state <> 'cancelled' as is_open
from ({standing})
where (state in ('withheld', 'refused', 'partly_retained', 'discrepancy') and due_on <= $as_of)
    or (state in ('accepted', 'queued') and until is not null and due_on <= $as_of)
    or (
        state = 'cancelled' and reason = $reason and action in ('erase', 'redact', 'restrict')
        and item_id in (select item_id from manifest.told_bits)
    )
"""

_NO_ORDERS = """
select due.manifest_id, due.item_id
from manifest.fallen_due as due
inner join manifest.items as items on items.item_id = due.item_id
where items.action in ('lift', 'notify')
"""

#: Orders of which their source holds nothing more.
_EMPTY = """
select due.manifest_id, due.item_id
from manifest.fallen_due as due
where due.item_id not in (select item_id from manifest.due_fields)
"""


def _leave_what_is_otherwise(warehouse: Warehouse) -> None:
    """Take out of `manifest.fallen_due` what is not told anew: the record holds a value that is decided otherwise.

    Leaves `manifest.due_fields`: of what each item told, the fields that hold a value.
    """
    if ask_of_items(warehouse, _CHASING):
        warehouse.run(_LEAVE_CHASED.format(standing=among_items()))
    if not warehouse.exists("retention", "dispositions"):
        warehouse.run("create or replace table manifest.due_fields as select item_id from manifest.fallen_due")
        return
    warehouse.run(_DUE_RECORDS)
    fields.find_held_fields(warehouse, "manifest.due_records", "manifest.held_due")
    warehouse.run(_DUE_FIELDS)
    warehouse.run("delete from manifest.fallen_due where item_id in "
                  "(select item_id from manifest.due_fields where is_otherwise)")  # fmt: skip
    for table in ("due_records", "held_due"):
        warehouse.run(f"drop table manifest.{table}")


_CHASING = """
select item_id from manifest.replaced_fields where told_by in (select item_id from manifest.fallen_due)
"""

#: One that says the same chases nothing: what it does not name would be told by nobody as long as it is open.
_LEAVE_CHASED = """
delete from manifest.fallen_due where item_id in (
    select replaced.told_by
    from manifest.replaced_fields as replaced
    inner join ({standing}) as newer on newer.item_id = replaced.item_id
    where newer.is_open and not case replaced.state
        when 'erase' then newer.action in ('erase', 'redact') else newer.action = 'restrict' end
)
"""

_DUE_RECORDS = """
create or replace table manifest.due_records as
select distinct records.record_type, records.row_id, records.record_key
from manifest.fallen_due as due
inner join manifest.items as items on items.item_id = due.item_id
inner join retention.records as records
    on records.record_type = items.record_type and records.record_key = items.record_key
where items.action <> 'notify'
"""

_DUE_FIELDS = """
create or replace table manifest.due_fields as
select told.item_id, cast(decided.disposition as varchar) <> cast(told.state as varchar) as is_otherwise
from manifest.sealed_fields as told
inner join manifest.fallen_due as due on due.item_id = told.item_id
inner join manifest.due_records as records
    on records.record_type = told.record_type and records.record_key = told.record_key
inner join manifest.held_due as held
    on held.record_type = records.record_type and held.row_id = records.row_id and held.field = told.field
inner join retention.dispositions as decided
    on decided.record_type = records.record_type and decided.row_id = records.row_id
    and decided.data_category = held.data_category
"""

#: What has ever been postponed, or was given thirty days; nothing else falls due on another day than the one to answer.
_POSTPONED = """
with postponed as (
    select manifest_id, item_id from manifest.events
    where state in ('withheld', 'refused', 'partly_retained', 'discrepancy') or until is not null
)
select item_id from postponed where item_id is not null
union all
select item_id from manifest.items
where manifest_id in (select manifest_id from postponed where item_id is null)
"""

#: What is to be answered by a day, but for what has come to its end, and what was acknowledged: only an export that
#: contradicts it leads on from there. Else a night went on looking at every item that was ever answered.
_TO_BE_ANSWERED = """
with settled as (
    select item_id from manifest.events
    where item_id is not null and (
        state in ('verified', 'cancelled')
        or (
            state in ('done', 'already_absent')
            and item_id not in (
                select item_id from manifest.events where state = 'discrepancy' and item_id is not null
            )
            and manifest_id not in (
                select manifest_id from manifest.events where state = 'discrepancy' and item_id is null
            )
        )
    )
)
select items.item_id from manifest.items as items
where items.respond_by <= $until and not exists (select 1 from settled where settled.item_id = items.item_id)
"""


def remind(warehouse: Warehouse, as_of: date) -> list[Reminder]:
    """Mark as overdue what was to be answered before `as_of`; write and return the reminders of the day.

    Writes `manifest.reminders`.
    """
    issued.prepare(warehouse)
    with warehouse.transaction():
        if _is_any_to_be_answered(warehouse, as_of) and ask_of_items(warehouse, _TO_BE_ANSWERED, {"until": as_of}):
            record_selected(
                warehouse,
                "select manifest_id, item_id, 'overdue' as state, cast($as_of as date) as on_day, 'clock' as origin "
                f"from ({among_items()}) where state in ('delivered', 'accepted', 'queued') and until is null "
                "and respond_by < $as_of",
                {"as_of": as_of},
            )
        near = as_of + timedelta(days=NEARING_DAYS)
        if _is_any_to_be_answered(warehouse, near):
            ask_of_items(warehouse, f"from ({_TO_BE_ANSWERED}) union all from ({_POSTPONED})", {"until": near})
        else:
            ask_of_items(warehouse, _POSTPONED)
        warehouse.run(
            f"create or replace table manifest.reminders as {_REMINDERS.over({'manifest.item_states': among_items()})}",
            {"as_of": as_of, "near": NEARING_DAYS, "long": LONG_LATE_DAYS},
        )
    rows = warehouse.rows(
        "select system, manifest_id, owner, lateness, due_on, items from manifest.reminders "
        "order by due_on, system, manifest_id, owner"
    )
    return [Reminder(*row) for row in rows]


def _is_any_to_be_answered(warehouse: Warehouse, until: date) -> bool:
    """Whether any item, answered or not, is to be answered by a day: asked of the items' days alone."""
    return bool(warehouse.value("select count(*) from manifest.items where respond_by <= $until", {"until": until}))
