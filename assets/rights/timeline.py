"""Everything about one customer at once: why it is still here, when it goes, what was ordered, who else has it.

Gathers what the evaluation has decided over all records of the customer, and tells it in sentences (`words.yaml`) and
as a page with a drawn timeline. Speaks of purposes, kinds of records and days; no field's value is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.errors import BadInput
from assets.ingest.kept_out import set_aside
from assets.ledger.states import among_items, ask_of_items
from assets.retention.explaining import require_evaluation
from assets.rights.people import find_person, records_hanging_on, records_of
from assets.rights.recipients import recipients
from assets.rights.rendering import Language, own_names, record_words, render, words
from assets.warehouse import Warehouse

if TYPE_CHECKING:
    from assets.policy import Policy


@dataclass(frozen=True)
class PurposeLine:
    """One purpose over the customer's records. `standing`: `active`, `later`, `unclear` or `ended`."""

    purpose: str
    title: str
    purpose_class: str
    law: str
    standing: str
    starts_on: date | None
    ends_on: date | None
    ended_by: str | None
    records: int
    record_types: tuple[str, ...]


@dataclass(frozen=True)
class Going:
    """Data categories of a kind of record with one last day. `disposition`: `keep`, `review` or `erase`.

    `in_doubt`: another purpose may keep them, or their parent is unknown, so that they may go to a person first.
    """

    record_type: str
    disposition: str
    keep_until: date | None
    in_doubt: bool
    categories: int


@dataclass(frozen=True)
class Ordered:
    """What a system was told of some records, and where that stands since its last step; none that was cancelled."""

    system: str
    action: str
    state: str
    since: date
    records: int


@dataclass(frozen=True)
class Recipient:
    """Somebody who has a copy: from when (None: no day is known), of how many records."""

    partner: str
    since: date | None
    records: int


@dataclass(frozen=True)
class Timeline:
    """A customer's data on a day. `ordered` is None where it is not asked for.

    `names`: what the company calls the records of a type, where it has a word of its own.
    """

    record_key: str
    as_of: date
    language: Language
    records: int
    purposes: tuple[PurposeLine, ...]
    going: tuple[Going, ...]
    ordered: tuple[Ordered, ...] | None
    recipients: tuple[Recipient, ...]
    names: Mapping[str, str]


def timeline(
    warehouse: Warehouse, policy: Policy, customer: str, language: Language = "sv", *, with_orders: bool = True
) -> Timeline:
    """The timeline of a customer, a company's too, as the warehouse was last evaluated.

    What was ordered stands as it does today, of whatever day the rest is: who looks at another leaves it out.

    Raises:
        BadInput: no such customer has been delivered.
        CheckFailed: the warehouse has not been evaluated under this policy.
    """
    as_of = require_evaluation(warehouse, policy)
    warehouse.run("create or replace temp table customers_records (record_type varchar, row_id bigint)")
    warehouse.insert("customers_records", ("record_type", "row_id"), records_of_customer(warehouse, customer))
    return Timeline(
        customer, as_of, language,
        int(warehouse.value("select count(*) from retention.records as known inner join customers_records as chosen "
                            "on known.record_type = chosen.record_type and known.row_id = chosen.row_id")),
        tuple(_line(row) for row in warehouse.rows(_PURPOSES, {"language": language})),
        tuple(Going(*row) for row in warehouse.rows(_GOING)),
        tuple(_ordered(warehouse)) if with_orders else None,
        tuple(_recipients(warehouse)),
        own_names(policy.contracts),
    )  # fmt: skip


def _line(row: tuple[Any, ...]) -> PurposeLine:
    told: Any = (*row[:-1], tuple(row[-1]))
    return PurposeLine(*told)


def _ordered(warehouse: Warehouse) -> Iterator[Ordered]:
    if warehouse.exists("manifest", "items") and ask_of_items(warehouse, _ITEMS):
        yield from (Ordered(*row) for row in warehouse.rows(_ORDERED.format(standing=among_items())))


def _recipients(warehouse: Warehouse) -> Iterator[Recipient]:
    given = recipients(warehouse, "customers_records")
    for partner in sorted({each["partner"] for each in given}):
        own = [each for each in given if each["partner"] == partner]
        days = [each["disclosed_on"] for each in own if each["disclosed_on"] is not None]
        yield Recipient(
            partner, min(days, default=None), len({(each["record_type"], each["record_key"]) for each in own})
        )


def records_of_customer(warehouse: Warehouse, customer: str) -> list[tuple[str, int]]:
    """The records of a customer, or of the person that the customer is, as (record type, surrogate).

    Raises:
        BadInput: no such customer has been delivered.
    """
    found = warehouse.rows("select row_id, customer_type from raw.crm_customers where customer_id = ?", [customer])
    if not found:
        why = set_aside(warehouse, "customer", customer) or "check the key"
        raise BadInput(f"No customer with the key {customer!r} has been taken in: {why}.")
    row_id, kind = found[0]
    if kind != "company":
        return records_of(warehouse, find_person(warehouse, customer=customer))
    return records_hanging_on(warehouse, row_id)


_PURPOSES = """
    select purposes.purpose, case $language when 'sv' then purposes.title_sv else purposes.title_en end,
        purposes.class, purposes.law,
        case when bool_or(claims.is_active) then 'active' when bool_or(claims.missing is not null) then 'unclear'
            when bool_or(claims.starts_on > evaluation.as_of) then 'later' else 'ended' end as standing,
        min(claims.starts_on),
        case when not bool_or(claims.is_active and (claims.open_ended or claims.keep_until is null))
            then max(claims.keep_until) end,
        case when not bool_or(claims.is_active) then max(claims.ended_by) end,
        count(distinct (claims.record_type, claims.row_id)),
        list_sort(list(distinct claims.record_type))
    from retention.claims as claims
    cross join retention.evaluation
    inner join customers_records as chosen
        on claims.record_type = chosen.record_type and claims.row_id = chosen.row_id
    inner join retention.records as records
        on claims.record_type = records.record_type and claims.row_id = records.row_id
    inner join policy.purposes as purposes on claims.purpose = purposes.purpose
    group by all
    order by min(purposes.position)
"""
#: A claim in doubt gives no day of its own: what another one keeps till then may be for review on the day after.
_GOING = """
    with doubts as (
        select distinct claims.record_type, claims.row_id, claims.data_category
        from retention.claims as claims
        inner join customers_records as chosen
            on claims.record_type = chosen.record_type and claims.row_id = chosen.row_id
        where claims.missing is not null
    )
    select decided.record_type,
        case when decided.disposition in ('erase', 'review') then decided.disposition else 'keep' end as fate,
        decided.keep_until,
        decided.keep_until is not null and (doubts.row_id is not null or orphan.row_id is not null) as in_doubt,
        count(*) as categories
    from retention.dispositions as decided
    inner join customers_records as chosen
        on decided.record_type = chosen.record_type and decided.row_id = chosen.row_id
    left join doubts
        on decided.record_type = doubts.record_type and decided.row_id = doubts.row_id
            and decided.data_category = doubts.data_category
    left join triggers.orphans as orphan
        on decided.record_type = orphan.record_type and decided.row_id = orphan.row_id
    where decided.disposition <> 'not_personal'
    group by all
    order by min(decided.disposition <> 'erase'), decided.keep_until nulls last, decided.record_type, fate,
        in_doubt
"""
#: The items about the customer's records, those that have left their sources too.
_ITEMS = """
    select items.item_id
    from manifest.items as items
    inner join (
        select known.record_type, known.record_key
        from core.records as known
        inner join customers_records as chosen
            on known.record_type = chosen.record_type and known.row_id = chosen.row_id
    ) as records
        on records.record_type = cast(items.record_type as varchar) and records.record_key = items.record_key
"""
_ORDERED = """
    select system, cast(action as varchar) as action, state, max(since), count(distinct (record_type, record_key))
    from ({standing})
    where state <> 'cancelled'
    group by all
    order by system, action, state
"""


# -- telling -----------------------------------------------------------------------------------------------------------


def sentences(found: Timeline) -> Iterator[tuple[str, list[str]]]:
    """The questions with their answers, in the timeline's language."""
    said = words(found.language)["timeline"]
    yield said["why"], [_purpose(line, found) for line in found.purposes] or [said["nothing"]]
    yield said["when"], [_going(line, found) for line in found.going] or [said["nothing"]]
    if found.ordered is not None:
        yield said["what"], [_order(line, found) for line in found.ordered] or [said["nothing_ordered"]]
    yield (
        said["who"],
        [
            said["recipient" if each.since else "undated_recipient"].format(
                partner=each.partner, since=each.since, records=each.records
            )
            for each in found.recipients
        ]
        or [said["nobody"]],
    )


def as_text(found: Timeline) -> str:
    """The timeline in plain sentences."""
    said = words(found.language)["timeline"]
    lines = [said["heading"].format(key=found.record_key, as_of=found.as_of, records=found.records)]
    for question, answers in sentences(found):
        lines += ["", question, *(f"- {answer}" for answer in answers)]
    return "\n".join(lines)


def as_page(found: Timeline, policy_folder: Path | None) -> str:
    """The timeline as a page that stands by itself, with its drawing."""
    return render(
        "timeline.html.j2", found.language, policy_folder, found.names, timeline=found, answers=list(sentences(found)),
        drawing=_drawing(found), heading=words(found.language)["timeline"],
    )  # fmt: skip


def _purpose(line: PurposeLine, found: Timeline) -> str:
    known = words(found.language)
    called = record_words(found.language, found.names)
    what = ", ".join(called.get(kind, kind).lower() for kind in line.record_types)
    until = known["until"].format(day=line.ends_on) if line.ends_on else known["open_ended"]
    since = _started(line, known["timeline"])
    said: str = known["timeline"][line.standing].format(
        title=line.title, what=what, until=until, law=line.law, since=since, start=line.starts_on or "?",
        day=line.ends_on or "?",
    )  # fmt: skip
    return said


def _started(line: PurposeLine, said: Mapping[str, Any]) -> str:
    """When it started, and what started it; of a policy's own purpose, the day alone."""
    what = said["started_by"].get(line.purpose)
    if line.starts_on is None:
        return said["from_event"].format(what=what) if what else ""
    return str(said["since_event" if what else "since"].format(day=line.starts_on, what=what))


def _going(line: Going, found: Timeline) -> str:
    known = words(found.language)
    when = known["timeline"]["goes_in_doubt" if line.in_doubt else "goes" if line.keep_until else "no_day"]
    said = known["timeline"]["dispositions"].get(line.disposition, when)
    what = record_words(found.language, found.names).get(line.record_type, line.record_type)
    after = line.keep_until + timedelta(days=1) if line.keep_until else ""
    kinds = known["timeline"]["categories"].format(number=line.categories)
    return f"{what} ({kinds}): {said.format(day=after)}."


def _order(line: Ordered, found: Timeline) -> str:
    known = words(found.language)
    told: str = known["timeline"]["order"].format(
        system=line.system, action=known["actions"].get(line.action, line.action), records=line.records,
        state=known["states"].get(line.state, line.state), since=line.since,
    )  # fmt: skip
    return told


def _drawing(found: Timeline) -> str:
    """Each purpose as a bar from its start to its end, by Altair, rendered in this process; empty without a bar."""
    import altair
    import vl_convert

    alt: Any = altair

    ends = [line.ends_on for line in found.purposes if line.ends_on is not None]
    last = max([*ends, found.as_of + timedelta(days=365)])
    first = min([line.starts_on for line in found.purposes if line.starts_on is not None], default=found.as_of)
    bars = [
        {"title": line.title, "start": (line.starts_on or first).isoformat(), "end": (line.ends_on or last).isoformat(),
         "standing": line.standing}
        for line in found.purposes
    ]  # fmt: skip
    if not bars:
        return ""
    order = list(dict.fromkeys(bar["title"] for bar in bars))
    colours = alt.Scale(
        domain=["active", "later", "unclear", "ended"], range=["#24507a", "#8fb3d6", "#c98a2b", "#c3cad3"]
    )
    drawn = alt.Chart(alt.Data(values=bars)).mark_bar(height=12).encode(
        x=alt.X("start:T", title=None, axis=alt.Axis(format="%Y-%m", labelOverlap=True)), x2="end:T",
        y=alt.Y("title:N", sort=order, title=None, axis=alt.Axis(labelLimit=300, ticks=False)),
        color=alt.Color("standing:N", scale=colours, legend=None),
    )  # fmt: skip
    today = alt.Chart(alt.Data(values=[{"day": found.as_of.isoformat()}])).mark_rule(color="#a02020").encode(x="day:T")
    chart = (drawn + today).properties(
        width=500, height=alt.Step(24), padding={"left": 40, "right": 10, "top": 5, "bottom": 5}
    )
    svg: str = vl_convert.vegalite_to_svg(chart.to_json())
    return svg
