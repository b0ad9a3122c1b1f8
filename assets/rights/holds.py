"""Legal holds as the site places, reviews and releases them, and what fell due while it was held.

A hold names records and fields, a reason code and who reviews it; no person. What it keeps is the purpose
`legal_hold`'s to say. A query over the published tables chooses records and is run where it can reach nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import isodate

from assets.attaching import attached
from assets.errors import BadInput, BadUsage, CheckFailed
from assets.ingest.kept_out import set_aside
from assets.ingest.projecting import LOCAL_ZONE
from assets.ingest.registers import HOLDS, Entry, amend, enter, next_id
from assets.models import SQL, Model
from assets.site import Site
from assets.warehouse import Warehouse, WarehouseError, identifier

Reason = Literal["dispute", "claim", "court", "authority", "audit", "insurance", "complaint", "other"]
REASONS: tuple[str, ...] = get_args(Reason)
REVIEW_PERIOD = "P6M"
MOST_RECORDS = 100_000
#: When a hold was released: a day before its placement is none, as in `core.holds`.
_RELEASED = "case when coalesce({hold}.released_at >= {hold}.placed_at, true) then {hold}.released_at end"
FALLEN_DUE = Model("rights", SQL / "rights" / "fallen_due_under_hold.sql")


@dataclass(frozen=True)
class Record:
    """A record of a source by its own key."""

    record_type: str
    record_key: str


@dataclass(frozen=True)
class Hold:
    """A hold of the register. `state`: `active`, `review_due`, `to_come` or `released`."""

    hold_id: str
    record_type: str | None
    record_key: str | None
    fields: str | None
    placed_on: date | None
    released_on: date | None
    reason: str | None
    reviewer: str | None
    review_on: date | None
    state: str


@dataclass(frozen=True)
class HeldRecord:
    """A record that would be erased, were it not held: its data categories, and the day its last claim ended."""

    source: str
    record_type: str
    record_key: str
    data_categories: tuple[str, ...]
    fell_due_on: date | None


def place(
    warehouse: Warehouse,
    records: Sequence[Record],
    *,
    reason: str,
    reviewer: str,
    placed_on: date,
    at: datetime,
    fields: Sequence[str] = (),
    review_on: date | None = None,
    allow_unknown: bool = False,
) -> list[str]:
    """Place a hold on each of `records`; more than one get numbers of a common stem, to be released together.

    Args:
        warehouse: with `raw.*` and `policy.*` in it.
        records: what is held. A customer without `fields` is held with every record of theirs.
        reason: a code of `REASONS`.
        reviewer: the role that looks at the hold again.
        placed_on: from which day.
        at: when it was entered, UTC.
        fields: the fields that are held; none is all.
        review_on: when it is looked at again; by default P6M after it was placed.
        allow_unknown: hold what no source has delivered too.

    Returns:
        The numbers of the holds.

    Raises:
        BadUsage: the reason is no code, no record or no reviewer is named.
        BadInput: a record or field is unknown.
    """
    if reason not in REASONS:
        raise BadUsage(f"{reason!r} is no reason code: choose one of {', '.join(REASONS)}.")
    listed = list(dict.fromkeys(fields))
    if not records or not reviewer.strip():
        raise BadUsage("A hold needs a record to hold and the role that reviews it (--reviewer).")
    chosen = list(dict.fromkeys(records))
    for record_type in sorted({record.record_type for record in chosen}):
        keys = [record.record_key for record in chosen if record.record_type == record_type]
        _require_known(warehouse, record_type, keys, fields, allow_unknown)
    stem = next_id(warehouse, HOLDS)
    numbers = [stem] if len(chosen) == 1 else [f"{stem}.{place}" for place in range(1, len(chosen) + 1)]
    review = review_on or placed_on + isodate.parse_duration(REVIEW_PERIOD)
    rows = [
        {"hold_id": number, "hold_group": stem, "record_type": record.record_type, "record_key": record.record_key,
         "fields": ";".join(listed) or None, "placed_at": placed_on, "reason": reason, "reviewer": reviewer.strip(),
         "review_on": review}
        for number, record in zip(numbers, chosen, strict=True)
    ]  # fmt: skip
    enter(warehouse, HOLDS, rows, at, "placed")
    return numbers


def held_already(warehouse: Warehouse, numbers: Sequence[str]) -> list[str]:
    """The other holds that are not released, on the same records and fields as these: two that were entered for one."""
    rows = warehouse.rows(
        """
        select distinct other.hold_id
        from raw.office_holds as own
        inner join raw.office_holds as other
            on
                lower(other.record_type) = lower(own.record_type)
                and other.record_key = own.record_key
                and other.fields is not distinct from own.fields
        where
            list_contains(cast($numbers as varchar[]), own.hold_id)
            and not list_contains(cast($numbers as varchar[]), other.hold_id)
            and coalesce(other.released_at < other.placed_at, other.released_at is null)
        order by other.hold_id
        """,
        {"numbers": list(numbers)},
    )
    return [number for (number,) in rows]


def _require_known(
    warehouse: Warehouse, record_type: str, keys: Sequence[str], fields: Sequence[str], allow_unknown: bool
) -> None:
    found = warehouse.rows(
        "select source, table_name, key_field from policy.records where record_type = ?", [record_type]
    )
    if not found:
        types = ", ".join(name for (name,) in warehouse.rows("select record_type from policy.records order by all"))
        raise BadInput(f"{record_type!r} is no record type: choose one of {types}.")
    source, table, key = found[0]
    known = {name for (name,) in warehouse.rows("select field from policy.fields where record_type = ?", [record_type])}
    strange = [field for field in fields if field not in known]
    if strange:
        raise BadInput(f"{strange[0]!r} is no field of {record_type}: choose of {', '.join(sorted(known))}.")
    missing = warehouse.rows(
        f"select key from (select unnest($keys) as key) where key not in "
        f"(select cast({identifier(key)} as varchar) from raw.{identifier(f'{source}_{table}')}) order by key",
        {"keys": list(keys)},
    )
    if missing and not allow_unknown:
        raise BadInput(
            f"No {record_type} with the key {missing[0][0]!r} has been taken in ({len(missing)} such keys): "
            f"{set_aside(warehouse, record_type, missing[0][0]) or 'check the key'}, or add --unknown to hold it for "
            "when it comes."
        )


def chosen_by(site: Site, query: str) -> list[Record]:
    """The records that a query over the published tables names in its columns `record_type` and `record_key`.

    The query sees `analytics.duckdb`, to read, and nothing else: no other file, no network.

    Raises:
        CheckFailed: nothing has been published yet.
        BadInput: the query does not run, lacks a column, or names nothing or too much.
    """
    if not site.analytics.exists():
        raise CheckFailed("Nothing has been published yet: `gallring run` does it.")
    with Warehouse.in_memory() as reader, attached(reader, site.analytics, "site", read_only=True):
        reader.run("set enable_external_access = false")
        reader.run("set search_path = 'site.main'")
        reader.run("use site")
        try:
            rows = reader.rows(
                "select distinct cast(record_type as varchar), cast(record_key as varchar) from "
                f"({query.strip().rstrip(';')}) as chosen order by all limit {MOST_RECORDS + 1}"
            )
        except WarehouseError as error:
            raise BadInput(f"The query must name record_type and record_key, and run: {error.message}.") from None
        finally:
            reader.run("use memory")
    records = [Record(kind, key) for kind, key in rows if kind and key]
    if not records or len(records) > MOST_RECORDS:
        raise BadInput(f"The query names {len(records)} records: a hold takes 1 to {MOST_RECORDS}.")
    return records


def release(warehouse: Warehouse, hold_id: str, on: date, at: datetime) -> list[str]:
    """Release a hold, or every hold of a common stem. `on` is the last day on which it holds.

    One that was to begin on a day to come (a mistyped year) can be released on any day: it has held nothing, and is
    down as placed on that day.

    Raises:
        BadInput: there is no such hold, it is released already, or the day is before its placement.
    """
    still = [(number, placed) for number, placed, released in _members(warehouse, hold_id) if released is None]
    if not still:
        raise BadInput(f"The hold {hold_id!r} is released already.")
    today = at.astimezone(ZoneInfo(LOCAL_ZONE)).date()
    begun = max((placed for _, placed in still if placed is not None and placed <= today), default=on)
    if on < begun:
        raise BadInput(f"The hold {hold_id!r} was placed on {begun}: {on} is before that.")
    with warehouse.transaction():
        for number, placed in still:
            # one to come would be released before it was placed, which counts as none: it has no other day than this
            begins = {"placed_at": on} if placed is not None and placed > on else {}
            amend(warehouse, Entry(HOLDS, number), {**begins, "released_at": on}, at, "released")
    return [number for number, _ in still]


def review(warehouse: Warehouse, hold_id: str, on: date, at: datetime, next_review: date | None = None) -> date:
    """Note that a hold was looked at on a day and stays; the day on which it is looked at next.

    Raises:
        BadInput: there is no such hold, or it is released.
        BadUsage: it is to be looked at next on the day of this look, or before it.
    """
    day: date = next_review or on + isodate.parse_duration(REVIEW_PERIOD)
    if day <= on:
        raise BadUsage(f"Looked at on {on}, the hold cannot be looked at next on {day}: name a later day.")
    with warehouse.transaction():
        still = [number for number, _, released in _members(warehouse, hold_id) if released is None]
        if not still:
            raise BadInput(f"The hold {hold_id!r} is released already: there is nothing to review.")
        for number in still:
            amend(warehouse, Entry(HOLDS, number), {"review_on": day}, at, "reviewed")
    return day


def _members(warehouse: Warehouse, hold_id: str) -> list[tuple[str, date | None, date | None]]:
    found = warehouse.rows(
        f"select hold_id, placed_at, {_RELEASED.format(hold='known')} from raw.office_holds as known "
        "where hold_id = $id or starts_with(hold_id, $id || '.') "
        "and hold_id in (select hold_id from office.holds where hold_group = $id) order by hold_id",
        {"id": hold_id},
    )
    if not found:
        raise BadInput(f"There is no hold {hold_id!r}: `gallring hold list` shows them.")
    return [(number, placed, released) for number, placed, released in found]


def holds(warehouse: Warehouse, today: date) -> list[Hold]:
    """The register of holds as it stands on a day; those that have left the office's export too, for they hold on.

    A delivered hold is to be reviewed P6M after it was placed; its reason is free text of the office's and not shown.
    """
    found = warehouse.rows(
        "select known.hold_id, known.record_type, known.record_key, known.fields, known.placed_at, "
        f"{_RELEASED.format(hold='known')}, "
        "case when kept.own then kept.reason end, kept.reviewer, "
        "coalesce(kept.review_on, add_months(known.placed_at, 6)) as review_on "
        "from raw.office_holds as known left join office.holds as kept on known.hold_id = kept.hold_id "
        "order by known.placed_at nulls first, known.hold_id"
    )
    return [Hold(*(*row, _state(placed=row[4], released=row[5], review_on=row[8], today=today))) for row in found]


def holding_nothing(warehouse: Warehouse, today: date) -> list[str]:
    """The holds that stand and name no record that has been taken in: a key or a type was mistyped, or is missing."""
    if not warehouse.exists("core", "records"):
        return []
    released = _RELEASED.format(hold="hold")
    rows = warehouse.rows(
        "select hold.hold_id from raw.office_holds as hold "
        f"where ({released} is null or {released} > ?) and not exists (select 1 from core.records as known "
        "where cast(known.record_type as varchar) = lower(hold.record_type) "
        "and known.record_key = hold.record_key) order by hold.hold_id",
        [today],
    )
    return [number for (number,) in rows]


def _state(*, placed: date | None, released: date | None, review_on: date | None, today: date) -> str:
    if released is not None and released < today:
        return "released"
    if placed is not None and placed > today:
        return "to_come"
    return "review_due" if review_on is not None and review_on <= today else "active"


def fallen_due(warehouse: Warehouse, limit: int = 1_000) -> tuple[int, list[HeldRecord]]:
    """How many records are kept by a hold alone, and the first of them. They leave in the first cycle after release."""
    if not warehouse.exists("retention", "dispositions"):
        return 0, []
    count = int(warehouse.value(f"select count(*) from ({FALLEN_DUE.statement})"))
    rows = warehouse.rows(f"select * from ({FALLEN_DUE.statement}) order by all limit {limit}")
    return count, [HeldRecord(source, kind, key, tuple(categories), due) for source, kind, key, categories, due in rows]
