"""The states of a manifest item as data, and the one way in which a step is recorded.

Here are the states, the steps between them, who has to act in each and on what; `record` appends to
`manifest.events`, `manifest.item_states` (sql/delivery/item_states.sql) says where each item stands, and
`manifest.manifest_states` the same counted, without a look at every item. Nothing is updated in place. Why a step is
taken is decided elsewhere: `approving`, `sending`, `receipts`, `settling`, `reminding`.

An event without an item speaks for all items of its manifest from whose own state that step leads on, so a million
items are approved with one row. Reasons are codes; free text never enters (refusal texts hold names).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from assets.models import SQL, Model
from assets.warehouse import Warehouse

#: Who has to act: `approver` a person here, `gallring` the product itself, `system` the system that was told,
#: `privacy` whoever answers for the personal data here, `nobody` where nothing is left to do.
OWNERS = ("approver", "gallring", "system", "privacy", "nobody")

#: Where a step came from.
ORIGINS = ("seal", "approve", "deliver", "receipt", "verify", "recall", "clock", "cancel")

_CODE = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,79}")


@dataclass(frozen=True)
class State:
    """A state: who acts in it, on what, and to which states that leads. Without a step it is an end."""

    name: str
    owner: str
    next_sv: str
    next_en: str
    steps: tuple[str, ...]


#: What a system may answer (interfaces.md, Receipt); each is the state that an item then is in.
ANSWERS = ("accepted", "queued", "done", "already_absent", "partly_retained", "refused", "withheld")

STATES: tuple[State, ...] = (
    State(
        "issued", "approver", "Godkänn eller avbryt manifestet.", "Approve or cancel the manifest.",
        ("approved", "cancelled"),
    ),
    State(
        "approved", "gallring", "Levereras vid nästa körning, när tidigare manifest till systemet har gått.",
        "Is delivered by the next run, once earlier ones of its system have left.",
        ("delivered", "cancelled"),
    ),
    State(
        "delivered", "system", "Systemet ska svara senast svarsdagen.", "The system is to answer by its day.",
        (*ANSWERS, "overdue", "verified", "discrepancy", "cancelled"),
    ),
    State(
        "accepted", "system", "Systemet ska utföra och svara.", "The system is to act and to say so.",
        ("accepted", "queued", "done", "already_absent", "partly_retained", "refused", "withheld", "overdue",
         "verified", "discrepancy", "cancelled"),
    ),
    State(
        "queued", "system", "Systemet har köat åtgärden; svar väntas.", "The system has queued it; an answer is due.",
        ("queued", "done", "already_absent", "partly_retained", "refused", "withheld", "overdue", "verified",
         "discrepancy", "cancelled"),
    ),
    State(
        "done", "gallring", "Kvitterat; nästa fullständiga export visar om det stämmer.",
        "Acknowledged; the next full export shows whether it holds.",
        ("verified", "discrepancy", "cancelled"),
    ),
    State("verified", "nobody", "Inget: en export har visat det.", "Nothing: an export has shown it.", ()),
    State(
        "already_absent", "gallring", "Kvitterat som redan borta; nästa fullständiga export visar om det stämmer.",
        "Acknowledged as absent before; the next full export shows whether it holds.",
        ("verified", "discrepancy", "cancelled"),
    ),
    State(
        "partly_retained", "privacy", "Ta reda på vad som behålls och varför.", "Find out what is kept, and why.",
        ("done", "already_absent", "refused", "withheld", "verified", "discrepancy", "cancelled"),
    ),
    State(
        "refused", "privacy", "Pröva skälet; begäran upprepas på förfallodagen.",
        "Weigh the reason; it is told anew on its day.",
        ("accepted", "queued", "done", "already_absent", "partly_retained", "withheld", "verified", "cancelled"),
    ),
    State(
        "withheld", "system", "Systemet håller kvar till sin dag; begäran upprepas då.",
        "The system holds it until its day; it is told anew then.",
        ("accepted", "queued", "done", "already_absent", "partly_retained", "refused", "withheld", "verified",
         "cancelled"),
    ),
    State(
        "overdue", "privacy", "Påminn systemets ägare: svarsdagen har passerat.",
        "Remind the owner of the system: its day has passed.",
        (*ANSWERS, "verified", "discrepancy", "cancelled"),
    ),
    State(
        "discrepancy", "privacy", "Ta upp med systemets ägare: kvitterat men kvar i exporten.",
        "Take it up with the owner of the system: acknowledged, yet still in the export.",
        ("done", "already_absent", "partly_retained", "refused", "withheld", "verified", "cancelled"),
    ),
    State("cancelled", "nobody", "Inget: posten gäller inte längre.", "Nothing: the item no longer stands.", ()),
)  # fmt: skip

BY_NAME = {state.name: state for state in STATES}

#: The reason of a discrepancy that is none of the record itself: its source holds the values in the one that it merged
#: it into. `manifest.states` has it beside the states, for what is to be done next is something else there.
MERGED = "merged_into_another"
MERGED_NEXT = {
    "sv": "Fråga systemets ägare om posten som den slogs ihop med har värden om den raderade; då ska de bort även där.",
    "en": "Ask the owner of the system whether the record that it was merged into holds values of who was erased; "
    "then they are to go there too.",
}


@dataclass(frozen=True)
class Event:
    """A step of one item, or (`item_id` None) of all items of a manifest that can take it.

    Attributes:
        on_day: the day in the site's time zone on which it counts.
        at: the instant, with its time zone, where there is one (a delivery, an answer).
        reason: a code, such as `business_open`; never a sentence.
        until: the day to which the step postpones the item.
        by_whom: who did it; a name or a function's name here, never a data subject's.
        detail: what a person wrote when approving or cancelling. Of a system's answer only ever a code.
    """

    manifest_id: str
    state: str
    on_day: date
    origin: str
    item_id: str | None = None
    at: datetime | None = None
    reason: str | None = None
    until: date | None = None
    by_whom: str | None = None
    detail: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no caller may write: a defect of the program, not of an input."""
        if self.state not in BY_NAME or self.origin not in ORIGINS:
            raise ValueError(f"No such state or origin: {self.state!r}, {self.origin!r}.")
        if self.reason is not None and not is_code(self.reason):
            raise ValueError("A reason is a code.")
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("An instant needs its time zone.")


def is_code(text: str) -> bool:
    """Whether `text` is a code (lower-case letters, digits, `_.:-`; at most 80 characters) and not free text."""
    return _CODE.fullmatch(text) is not None


def allowed(state: str, following: str) -> bool:
    """Whether an item in `state` may take the step to `following`."""
    return following in BY_NAME[state].steps


#: By what each needs: items share their manifest's state unless they have one of their own.
_VIEWS = ("common_states", "own_states", "item_states", "manifest_states")


def prepare(warehouse: Warehouse) -> None:
    """Make the tables of the states and the views that say where items stand. `issued.prepare` calls it."""
    _fill(warehouse, "states", "state varchar, position integer, owner varchar, next_sv varchar, next_en varchar", [
        *((state.name, position, state.owner, state.next_sv, state.next_en) for position, state in enumerate(STATES)),
        (MERGED, len(STATES), BY_NAME["discrepancy"].owner, MERGED_NEXT["sv"], MERGED_NEXT["en"]),
    ])  # fmt: skip
    _fill(warehouse, "state_steps", "state varchar, following varchar", [
        (state.name, following) for state in STATES for following in state.steps
    ])  # fmt: skip
    for name in _VIEWS:
        view = (SQL / "delivery" / f"{name}.sql").read_text(encoding="utf-8")
        warehouse.run(f"create or replace view manifest.{name} as {view}")


def ask_of_manifests(warehouse: Warehouse, query: str, params: dict[str, Any] | None = None) -> bool:
    """Let `among` look at the manifests that a query gives (manifest_id); returns whether there are any."""
    warehouse.run(f"create or replace temp table asked_manifests as select distinct manifest_id from ({query})", params)
    return bool(warehouse.value("select count(*) from asked_manifests"))


def ask_of_items(warehouse: Warehouse, query: str, params: dict[str, Any] | None = None) -> bool:
    """Let `among_items` look at the items that a query gives (item_id); returns whether there are any."""
    warehouse.run(f"create or replace temp table asked_items as select distinct item_id from ({query})", params)
    return bool(warehouse.value("select count(*) from asked_items"))


def ask_of_manifests_in(warehouse: Warehouse, *states: str) -> bool:
    """`ask_of_manifests` for those of which an item may stand in one of `states`.

    None is left out of which one does: an item stands where its manifest does, or where an event of its own says, or
    where an event of the manifest led it after that.
    """
    return ask_of_manifests(warehouse, _MAY_STAND, {"states": list(states)})


_MAY_STAND = """
with first_own as (
    select manifest_id, min(coalesce(sequence, 0)) as sequence from manifest.events where item_id is not null
    group by manifest_id
)
select manifest_id from manifest.common_states where list_contains(cast($states as varchar[]), state)
union all
select events.manifest_id
from manifest.events as events
inner join first_own on first_own.manifest_id = events.manifest_id
where list_contains(cast($states as varchar[]), events.state)
    and (events.item_id is not null or events.sequence > first_own.sequence)
"""


@cache
def among(view: str) -> str:
    """What a view of states says of the manifests in `asked_manifests`: the same rows, and nothing else is looked at.

    Nobody's filter gets through the view to the events, of which there are two and more for every item of all years.
    """
    return _narrowed(view, _OF_MANIFESTS)


@cache
def among_items() -> str:
    """What `manifest.item_states` says of the items in `asked_items`: the same rows, as `among`."""
    return _narrowed("item_states", _OF_ITEMS)


def _narrowed(view: str, conditions: dict[str, str]) -> str:
    """A view's SELECT over only those rows of the tables beneath it that meet a condition."""
    model = Model("manifest", SQL / "delivery" / f"{view}.sql")
    return model.over({table: _beneath(table, conditions) for table in model.references - _OF_NO_MANIFEST})


def _beneath(table: str, conditions: dict[str, str]) -> str:
    """What a view is to read in the place of a table: a table without a condition of its own is a defect (KeyError)."""
    name = table.removeprefix("manifest.")
    if name in _VIEWS:
        return _narrowed(name, conditions)
    return f"select {name}.*, {name}.rowid from {table} where {conditions[name]}"


_OF_NO_MANIFEST = {"manifest.states", "manifest.state_steps"}
_OF_MANIFESTS = {
    name: f"{name}.manifest_id in (select asked.manifest_id from asked_manifests as asked)"
    for name in ("events", "items")
}
_ASKED_ITEM = "item_id in (select asked.item_id from asked_items as asked)"
_OF_ITEMS = {"events": f"(events.item_id is null or events.{_ASKED_ITEM})", "items": f"items.{_ASKED_ITEM}"}


def _fill(warehouse: Warehouse, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    warehouse.run(f"create table if not exists manifest.{table} ({columns})")
    if sorted(warehouse.rows(f"from manifest.{table}")) == sorted(rows):
        return
    warehouse.run(f"create or replace table manifest.{table} ({columns})")
    warehouse.insert(f"manifest.{table}", [column.split()[0] for column in columns.split(", ")], rows)


def record(warehouse: Warehouse, events: Iterable[Event]) -> list[Event]:
    """Append `events` in their order; returns those that were not recorded, because their step is not allowed.

    A step is judged from where its item stands after the events before it, those of this call too. Unknown manifests
    and items can take no step. One query and one insert, whatever the number; millions go by `record_selected`.
    """
    wanted = list(events)
    if not wanted:
        return []
    with warehouse.transaction():
        standing = _standing(warehouse, wanted)
        taken = [event for event in wanted if _take(standing, event)]
        first = _next_sequence(warehouse)
        warehouse.insert("manifest.events", _COLUMNS, [
            (first + number, event.item_id, event.manifest_id, event.state, event.on_day, _utc(event.at),
             event.reason, event.until, event.by_whom, event.origin, event.detail)
            for number, event in enumerate(taken)
        ])  # fmt: skip
    recorded = set(map(id, taken))
    return [event for event in wanted if id(event) not in recorded]


_COLUMNS = (
    "sequence", "item_id", "manifest_id", "state", "on_day", "happened_at", "reason", "until", "by_whom", "origin",
    "detail",
)  # fmt: skip


def record_selected(warehouse: Warehouse, select: str, params: dict[str, Any] | None = None) -> int:
    """Append the events that a query gives, where their step is allowed; returns how many were recorded.

    Args:
        warehouse: the warehouse.
        select: gives manifest_id, item_id, state, on_day, origin, and optionally happened_at (UTC), reason, until,
            by_whom and detail; at most one row an item is taken, the one that sorts first.
        params: the query's named parameters.
    """
    with warehouse.transaction():
        warehouse.run("create or replace temp table selected_events as "
                      "select cast(null as timestamp) as happened_at, cast(null as varchar) as reason, "
                      "cast(null as date) as until, cast(null as varchar) as by_whom, "
                      "cast(null as varchar) as detail where false "
                      f"union all by name ({select})", params)  # fmt: skip
        if not ask_of_items(warehouse, "select item_id from selected_events"):
            warehouse.run("drop table selected_events")
            return 0
        warehouse.run(f"create or replace temp table allowed_events as {_ALLOWED.format(standing=among_items())}")
        count = int(warehouse.value("select count(*) from allowed_events"))
        if count:
            warehouse.run(_RECORD_ALLOWED, {"first": _next_sequence(warehouse)})
        for table in ("selected_events", "allowed_events"):
            warehouse.run(f"drop table {table}")
    return count


#: One step of an item at most, where its state leads to it.
_ALLOWED = """
select numbered.* exclude (turn)
from (
    select selected.item_id, selected.manifest_id, selected.state, selected.on_day, selected.happened_at,
        selected.reason, selected.until, selected.by_whom, selected.origin, selected.detail,
        row_number() over (
            partition by selected.manifest_id, selected.item_id
            order by selected.state, selected.reason, selected.until
        ) as turn
    from selected_events as selected
    inner join ({standing}) as states
        on states.manifest_id = selected.manifest_id and states.item_id = selected.item_id
    inner join manifest.state_steps as steps
        on steps.state = states.state and steps.following = selected.state
) as numbered
where numbered.turn = 1
"""

_RECORD_ALLOWED = """
insert into manifest.events by name
select cast($first as bigint) - 1 + row_number() over (order by allowed.manifest_id, allowed.item_id) as sequence,
    allowed.*
from allowed_events as allowed
"""


class _Standing:
    """Where the items of some manifests stand, while events are being judged."""

    def __init__(self, items: dict[tuple[str, str], str]) -> None:
        self.items = items
        self.of_manifest: dict[str, list[tuple[str, str]]] = {}
        for key in items:
            self.of_manifest.setdefault(key[0], []).append(key)


def _standing(warehouse: Warehouse, events: Sequence[Event]) -> _Standing:
    """The items that are named, one by one; of the others in their manifests only which states there are."""
    manifests = sorted({event.manifest_id for event in events})
    items = sorted({event.item_id for event in events if event.item_id is not None})
    ask_of_manifests(warehouse, "select unnest(cast($manifests as varchar[])) as manifest_id", {"manifests": manifests})
    rows = _standing_beside(warehouse, items) if items else warehouse.rows(
        f"select distinct manifest_id, 'any in ' || state, state from ({among('manifest_states')})"
    )  # fmt: skip
    return _Standing({(manifest_id, item_id): state for manifest_id, item_id, state in rows})


def _standing_beside(warehouse: Warehouse, items: list[str]) -> list[tuple[Any, ...]]:
    return warehouse.rows(
        f"with states as ({among('item_states')}), "
        "named as (select unnest(cast($items as varchar[])) as item_id) "
        "select manifest_id, item_id, state from states where item_id in (select item_id from named) "
        "union all select distinct manifest_id, 'any other in ' || state, state from states "
        "where item_id not in (select item_id from named)",
        {"items": items},
    )


def _take(standing: _Standing, event: Event) -> bool:
    """Whether the event's step can be taken; if so, take it."""
    keys = standing.of_manifest.get(event.manifest_id, []) if event.item_id is None else [
        (event.manifest_id, event.item_id)
    ]  # fmt: skip
    movable = [key for key in keys if key in standing.items and allowed(standing.items[key], event.state)]
    for key in movable:
        standing.items[key] = event.state
    return bool(movable)


def _next_sequence(warehouse: Warehouse) -> int:
    return int(warehouse.value("select coalesce(max(sequence), 0) + 1 from manifest.events"))


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None)
