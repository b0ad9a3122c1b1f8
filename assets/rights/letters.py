"""The draft of an answer to a request: what was erased and where, who was told, what stays, why and until when.

Gathers what the ledger and the evaluation say of the person's records and lets the templates say it, in Swedish and
English, as text and as a page. Systems, kinds of records, purposes and days alone: no field's value is told. What an
evaluation that has not seen the request cannot know is not said. A person reads the draft before it goes out; nothing
here sends anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.ledger import issued
from assets.manifests.folders import folder_name
from assets.retention.explaining import require_evaluation
from assets.rights.incomplete import incomplete_tables, named
from assets.rights.matches import undecided_pairs
from assets.rights.people import Person, people_of, records_of
from assets.rights.rendering import LANGUAGES, own_names, render
from assets.rights.reports import LETTERS, write_folder
from assets.rights.requests import KINDS, LIFTS_RESTRICTION, NEED_IDENTITY, Request, find
from assets.rights.set_aside import SetAside, rows_about, rows_of_unknown
from assets.rights.timeline import records_of_customer
from assets.site import Site
from assets.warehouse import Warehouse, identifier, literal

if TYPE_CHECKING:
    from assets.policy import Policy

#: The ground on which a duty stays after a request for erasure, where the register names none (a legal duty).
LEGAL_DUTY = "Art 17(3)(b)"
#: States in which no system or partner has been told.
NOT_HANDED_OVER = ("issued", "approved")
#: States in which an answer says that an erasure is over.
OVER = ("done", "verified", "already_absent")
#: Requests whose answer tells what was erased, so that all of it is to be over before.
TELL_OF_ERASURE = ("erasure", "termination")
#: Requests whose answer hands the data over.
TELL_OF_DATA = ("access", "portability")
#: Requests whose answer says too little where a record may be missing.
TELL_OF_RECORDS = (*TELL_OF_DATA, *TELL_OF_ERASURE)
#: Direct marketing, which an objection ends: a claim that stands by then came to be after it.
MARKETING = ("newsletter", "email_marketing", "direct_marketing")


@dataclass(frozen=True)
class Draft:
    """A drafted answer. `warnings`: why it should not go out as it is; empty when nothing speaks against it."""

    folder: Path
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def draft(
    warehouse: Warehouse, policy: Policy, site: Site, request_id: str, today: date, policy_folder: Path | None,
    quarantine: str = "P30D",
) -> Draft:  # fmt: skip
    """Write the draft of an answer, in the place of an earlier one.

    Args:
        warehouse: evaluated under `policy`.
        policy: whose purposes apply.
        site: where the draft is written.
        request_id: the request.
        today: the day of the letter.
        policy_folder: where a company's own templates may be.
        quarantine: how long rows that were set aside are kept after their extract, as ISO 8601.

    Raises:
        BadInput: there is no such request, or a template of the company's own does not work.
        CheckFailed: the warehouse has not been evaluated under this policy.
    """
    answer = gather_answer(warehouse, policy, request_id, today, quarantine)
    files: dict[str, bytes] = {}
    names = own_names(policy.contracts)
    for language in LANGUAGES:
        text = render("answer.txt.j2", language, policy_folder, names, answer=answer)
        page = render("answer.html.j2", language, policy_folder, names, answer=answer, paragraphs=_paragraphs(text))
        files |= {f"answer.{language}.txt": text.encode(), f"answer.{language}.html": page.encode()}
    folder = write_folder(site.reports / LETTERS / folder_name(request_id), files)
    return Draft(folder, tuple(files), tuple(answer["warnings"]))


@dataclass(frozen=True)
class _Known:
    """What is known when an answer is drafted.

    Attributes:
        as_of: the day of the last evaluation.
        is_seen: whether that evaluation acted on the request as it stands now.
        people: whom the request is about; nobody where it is a company's.
        has_left: whether there are such people, and no source has a row of any of them.
        ended: the customers whose relation it ends, with whether each is a company; none but for a termination.
        undecided: the pairs of them with others of the same address that nobody has decided on.
        records: how many records that is about, those that have left the sources too.
        to_erase: data categories of records that are to be erased and hold a value still: no order has named them.
        under_review: data categories of records that are for review and hold a value, here or in their source alone.
        decided: what is decided of the records' data categories, and of how many.
        notice_given_on: when the person was told that a restriction ends.
        addresses: how many e-mail addresses the request names, or its people have.
        suppressed: how many of them stand on the suppression list.
        aside: the rows about its people, or who it names, that were set aside.
        incomplete: the tables that block, where the answer tells of records: one may be missing.
    """

    as_of: date
    is_seen: bool
    people: list[Person]
    has_left: bool
    ended: dict[str, bool]
    undecided: list[str]
    records: int
    to_erase: int
    under_review: int
    decided: Mapping[str, int]
    notice_given_on: date | None
    addresses: int
    suppressed: int
    aside: SetAside
    incomplete: Sequence[Mapping[str, Any]]


def gather_answer(
    warehouse: Warehouse, policy: Policy, request_id: str, today: date, quarantine: str = "P30D"
) -> dict[str, Any]:
    """What an answer is made of, as plain values for the templates.

    Raises:
        BadInput: there is no such request.
    """
    as_of = require_evaluation(warehouse, policy)
    issued.prepare(warehouse)
    request = find(warehouse, request_id, today)
    known = _know(warehouse, policy, request, as_of, quarantine)
    orders = _orders(warehouse, request.clock.received_on)
    erased = [order for order in orders if order["action"] in ("erase", "redact")]
    told = [order for order in orders if order["action"] == "notify"]
    stays = list(map(_with_ground, warehouse.records(_STAYS)))
    all_erased = all(order["state"] in OVER for order in erased)
    # what the rest end, they end with the day they came
    has_effect = known.is_seen and (request.kind in LIFTS_RESTRICTION or as_of > request.clock.received_on)
    has_effect &= request.kind != "termination" or bool(known.ended)
    stay_in_doubt = any(known.decided.get(each) for each in ("retain", "restrict", "review", "restricted"))
    return {
        "request_id": request_id, "kind": request.kind, "scope": request.scope, "controller": _controller(warehouse),
        "received_on": request.clock.received_on, "verified_on": request.clock.verified_on, "as_of": as_of,
        "today": today, "due_on": request.standing.due_on, "extended_on": request.clock.extended_on,
        "erased": erased, "told": told, "all_erased": all_erased,
        "restricted": [order for order in orders if order["action"] == "restrict"],
        "lifted": [order for order in orders if order["action"] == "lift"],
        "all_told": all(order["state"] not in NOT_HANDED_OVER for order in told),
        "stays": stays, "under_review": known.under_review, "has_effect": has_effect,
        "is_marketed_anew": any(each["purpose"] in MARKETING for each in stays),
        "is_restricted": bool(known.decided.get("restricted")), "lifts_restriction": request.lifts_restriction,
        "notice_given_on": known.notice_given_on,
        "has_address": bool(known.addresses),
        "is_suppressed": bool(known.addresses) and known.suppressed == known.addresses,
        "set_aside": _told_aside(known.aside), "incomplete": sorted({each["source"] for each in known.incomplete}),
        "nothing_stays": bool(has_effect and known.records and all_erased and not known.incomplete)
        and not (stays or stay_in_doubt or known.to_erase),
        "warnings": [*_warnings(request, known), *_warnings_of_orders(request, known, orders)],
    }  # fmt: skip


def _know(warehouse: Warehouse, policy: Policy, request: Request, as_of: date, quarantine: str) -> _Known:
    request_id = request.request_id
    people = people_of(warehouse, request_id)
    records = records_about(warehouse, request_id)
    warehouse.run("create or replace temp table answered_records (record_type varchar, row_id bigint)")
    warehouse.insert("answered_records", ("record_type", "row_id"), records)
    _find_values(warehouse, policy, {record_type for record_type, _ in records})
    ((addresses, suppressed),) = warehouse.rows(
        _ADDRESSES, {"id": request_id, "people": [person.person_id for person in people]}
    )
    return _Known(
        as_of, bool(warehouse.value(_SEEN, {"id": request_id})), people,
        bool(people) and not warehouse.value(_PRESENT, {"people": [person.person_id for person in people]}),
        _ended(warehouse, request_id),
        undecided_pairs(warehouse, people), len(records),
        int(warehouse.value(_STILL_TO_ORDER)), int(warehouse.value(_UNDER_REVIEW)),
        dict(warehouse.rows(_DECIDED)),
        warehouse.value("select max(notice_given_at) from office.requests where request_id = ?", [request_id]),
        addresses, suppressed, _aside(warehouse, request_id, people, quarantine),
        incomplete_tables(warehouse) if request.kind in TELL_OF_RECORDS else (),
    )  # fmt: skip


def _aside(warehouse: Warehouse, request_id: str, people: list[Person], period: str) -> SetAside:
    """What was set aside of the people that a request is about, or, where nobody is known, of whom it names."""
    if people:
        return rows_about(warehouse, people, "answered_records", period)
    ((customer, contact, email_key),) = warehouse.rows(
        "select customer_id, contact_id, cast(email_key as varchar) from raw.office_requests where request_id = ?",
        [request_id],
    )
    return rows_of_unknown(warehouse, period, customer=customer, contact=contact, email_key=email_key)


def _told_aside(aside: SetAside) -> dict[str, Any] | None:
    """What an answer tells of rows that were set aside: how many, the last day, whether some stand in no record."""
    if not aside.rows:
        return None
    return {
        "rows": sum(row["rows"] for row in aside.rows), "is_missing": bool(aside.missing),
        "kept_through": max((row["kept_through"] for row in aside.rows if row["kept_through"]), default=None),
    }  # fmt: skip


def _paragraphs(text: str) -> list[dict[str, Any]]:
    """A letter's paragraphs: a heading where there is one, plain lines, and those that a dash makes items of a list.

    The second paragraph is the subject, where it is one line without a full stop; a first line without one is the
    heading of what follows it. The first paragraph is the sender's.
    """
    found: list[dict[str, Any]] = []
    for paragraph in text.split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        if not lines:
            continue
        place, heading = len(found), None
        if place and not lines[0].endswith((".", ":")) and (place == 1 or len(lines) > 1):
            heading = lines.pop(0)
        found.append({
            "heading": heading, "level": 1 if place == 1 else 2,
            "lines": [line for line in lines if not line.startswith("- ")],
            "items": [line.removeprefix("- ") for line in lines if line.startswith("- ")],
        })  # fmt: skip
    return found


def records_about(warehouse: Warehouse, request_id: str) -> list[tuple[str, int]]:
    """The records that an answer is about: its people's, and all of each company's whose relation it ends."""
    records = {record for person in people_of(warehouse, request_id) for record in records_of(warehouse, person)}
    for customer, is_company in _ended(warehouse, request_id).items():
        if is_company:
            records |= set(records_of_customer(warehouse, customer))
    return sorted(records)


def _ended(warehouse: Warehouse, request_id: str) -> dict[str, bool]:
    """The customers whose relation a request ends, as `triggers.exits` does, with whether each is a company."""
    return dict(warehouse.rows(_ENDED, {"id": request_id}))


_ENDED = """
    with request as (
        select named.customer_id, contact.contact_id, request.email_key from raw.office_requests as request
        left join raw.crm_customers as named on request.customer_id = named.customer_id
        left join raw.crm_contacts as contact on request.contact_id = contact.contact_id
        where request.request_id = $id and request.kind = 'termination'
    )
    select customer.customer_id, coalesce(customer.customer_type = 'company', false) from request
    inner join raw.crm_customers as customer on request.customer_id = customer.customer_id
        or (request.customer_id is null and request.contact_id is null and request.email_key = customer.email_key)
    order by all
"""
#: How many rows of people the sources have.
_PRESENT = """
    select count(*) from core.people as person
    inner join core.records as record on record.record_type = person.node_type and record.row_id = person.row_id
    where record.in_source and list_contains(cast($people as bigint[]), person.person_id)
"""
#: Whether the evaluation counted the request, and what it names and asks is what the register says now.
_SEEN = """
    select count(*) from raw.office_requests as request
    inner join triggers.requests_in_force as counted on request.row_id = counted.request_id
    left join raw.crm_customers as customer on request.customer_id = customer.customer_id
    left join raw.crm_contacts as contact on request.contact_id = contact.contact_id
    cross join retention.evaluation
    where request.request_id = $id
        and (counted.kind, counted.scope, counted.received_on) is not distinct from
            (request.kind, request.scope, request.received_at)
        and (counted.customer_id, counted.contact_id, counted.email_key) is not distinct from
            (customer.row_id, contact.row_id, request.email_key)
        and coalesce(request.identity_verified_at <= evaluation.as_of, true)
"""
#: The addresses by which an objection is known, and those of them that a later opt-in has not taken off the list.
_ADDRESSES = """
    with addresses as (
        select node.email_key from core.people as person
        inner join core.person_nodes as node on person.node_id = node.node_id
        where list_contains(cast($people as bigint[]), person.person_id) and node.email_key is not null
        union
        select email_key from raw.office_requests where request_id = $id and email_key is not null
    )
    select count(*), count(suppressions.email_key) from addresses
    left join retention.suppressions as suppressions on addresses.email_key = suppressions.email_key
"""
_DECIDED = """
    select case when list_contains(decided.reasons, 'restriction (Art 18)') then 'restricted'
        else cast(decided.disposition as varchar) end as fate, count(*)
    from retention.dispositions as decided
    inner join answered_records as chosen
        on decided.record_type = chosen.record_type and decided.row_id = chosen.row_id
    group by fate
"""


def _find_values(warehouse: Warehouse, policy: Policy, record_types: set[str]) -> None:
    """The data categories of the records that hold something, as the temporary table `answered_values`.

    `is_here`: a value stands in the warehouse; else the source alone holds one, which intake did not let in.
    """
    warehouse.run("create or replace temp table answered_values "
                  "(record_type varchar, row_id bigint, data_category varchar, is_here boolean)")  # fmt: skip
    for contract in policy.contracts.values():
        fields = ", ".join(
            f"({literal(column.category)}, known.{identifier(column.name)} is not null, "
            f"coalesce(list_contains(known.withheld, {literal(column.name)}), false))"
            for column in contract.columns if column.category is not None
        )  # fmt: skip
        if contract.record_type in record_types and fields:
            warehouse.run(
                "insert into answered_values select $record_type, known.row_id, field.data_category, "
                f"bool_or(field.is_here) from raw.{identifier(contract.raw_table)} as known "
                "inner join answered_records as chosen "
                "on chosen.record_type = $record_type and known.row_id = chosen.row_id "
                f"cross join lateral (values {fields}) as field (data_category, is_here, is_withheld) "
                "where known.in_source and (field.is_here or field.is_withheld) "
                "group by known.row_id, field.data_category",
                {"record_type": contract.record_type},
            )


#: Of how many data categories of records the values are to be erased and stand here still: no order is sealed.
_STILL_TO_ORDER = """
    select count(*) from retention.dispositions as decided
    inner join answered_values as held
        on decided.record_type = held.record_type and decided.row_id = held.row_id
            and decided.data_category = held.data_category
    where decided.disposition = 'erase' and held.is_here
"""
_UNDER_REVIEW = """
    select count(*) from retention.dispositions as decided
    inner join answered_values as held
        on decided.record_type = held.record_type and decided.row_id = held.row_id
            and decided.data_category = held.data_category
    where decided.disposition = 'review'
"""


def _orders(warehouse: Warehouse, since: date) -> list[dict[str, Any]]:
    """What the systems and partners were told since the request came, or before and was not over then, and the state.

    An order that was sealed before the request and is open still is part of the answer: the system holds the record.
    A restriction, or a lift, of whose every field something else was told since is not: it is over.
    """
    return warehouse.records(
        """
        select coalesce(partner.name, items.system) as system, items.action, items.record_type, states.state,
            count(distinct items.record_key) as records, list_sort(list(distinct named.field)) as fields,
            max(states.since) as since
        from manifest.items as items
        inner join manifest.item_states as states
            on items.manifest_id = states.manifest_id and items.item_id = states.item_id
        inner join core.records as known
            on items.record_type = known.record_type and items.record_key = known.record_key
        inner join answered_records as chosen
            on known.record_type = chosen.record_type and known.row_id = chosen.row_id
        left join (select manifest_id, item_id, unnest(fields) as field from manifest.items) as named
            on items.manifest_id = named.manifest_id and items.item_id = named.item_id
        left join raw.office_partners as partner on items.system = 'partner:' || partner.partner_id
        where states.state <> 'cancelled'
            and (items.as_of >= $since or states.since >= $since or not list_contains($over, states.state))
            and not (
                items.action in ('restrict', 'lift')
                and items.item_id in (select told_by from manifest.replaced_fields)
                and items.item_id not in (select item_id from manifest.told_bits)
            )
        group by coalesce(partner.name, items.system), items.action, items.record_type, states.state
        order by all
        """,
        {"since": since, "over": list(OVER)},
    )


_STAYS = """
    select purposes.purpose, purposes.title_sv, purposes.title_en, purposes.class, purposes.legal_basis, purposes.law,
        purposes.erasure_exception as ground,
        list_sort(list(distinct claims.data_category)) as data_categories,
        list_sort(list(distinct claims.record_type)) as record_types,
        case when bool_or(claims.open_ended or claims.keep_until is null) then null else max(claims.keep_until) end
            as keep_until
    from retention.claims as claims
    inner join answered_records as chosen
        on claims.record_type = chosen.record_type and claims.row_id = chosen.row_id
    inner join retention.records as records
        on claims.record_type = records.record_type and claims.row_id = records.row_id
    inner join answered_values as held
        on claims.record_type = held.record_type and claims.row_id = held.row_id
            and claims.data_category = held.data_category
    inner join policy.purposes as purposes on claims.purpose = purposes.purpose
    where claims.is_active
    group by all
    order by min(purposes.position)
"""


def _with_ground(stays: Mapping[str, Any]) -> dict[str, Any]:
    """What stays, with the exception of Art 17(3) that lets it; none where it is simply needed still (Art 17(1)(a))."""
    basis = stays["legal_basis"].split(" | ")
    ground = stays["ground"] or (LEGAL_DUTY if any("A6-1-c" in each for each in basis) else None)
    return {**stays, "legal_basis": basis, "ground": ground}


def _controller(warehouse: Warehouse) -> str:
    return str(warehouse.value("select controller from policy.about"))


def _warnings_of_effect(request: Request, known: _Known) -> list[str]:
    """Why what a request asks has no effect yet, or shows none."""
    found = []
    unverified = request.kind in NEED_IDENTITY and request.clock.verified_on is None
    if unverified:
        found.append("Identity has not been verified, so the request has no effect yet.")
    elif request.kind not in KINDS:
        found.append(f"Request {request.request_id} has no kind that is known, and no rule acts on it: the office "
                     "completes it in its register, and its next export brings it.")  # fmt: skip
    elif not known.is_seen:
        found.append(f"The last evaluation, as of {known.as_of}, has not seen the request as it stands now: "
                     "run the cycle (gallring run), then draft anew.")  # fmt: skip
    if known.as_of <= request.clock.received_on:
        found.append(f"The last evaluation is as of {known.as_of}: what the request ends shows from the day after it "
                     "came.")  # fmt: skip
    return found


def _warnings(request: Request, known: _Known) -> list[str]:
    """Why a draft should not go out as it is, whatever was ordered."""
    found = _warnings_of_effect(request, known)
    if not known.records:
        found.append("Nobody is known under what the request names.")
    if request.lifts_restriction and known.has_left:
        found.append("Whom the request is about has left every source: look why, and whether they are there under "
                     "another key or address, before the restriction ends.")  # fmt: skip
    companies = sum(known.ended.values())
    if len(known.people) + companies > 1:
        them = "people and companies" if companies else "people"
        found.append(f"The request reaches {len(known.people) + companies} {them}: make sure that the answer is one's.")
    if request.kind == "termination" and known.records and not known.ended:
        found.append("It ends no relation: a contact's word, or that of an address that no customer has, is for a "
                     "person to decide. Where it is a customer's, enter it once more with --customer.")  # fmt: skip
    if known.undecided:
        found.append(f"It is undecided whether another person is the same: {', '.join(known.undecided)}. "
                     "`gallring people review` decides.")  # fmt: skip
    if request.kind in TELL_OF_DATA and known.aside.missing:
        found.append("Rows that are or may be about the person were set aside, and stand in no record: "
                     "`gallring access-report` tells which; give the person what is theirs too.")  # fmt: skip
    if known.incomplete:
        found.append("A delivery blocks, and what it left out is not in the answer "
                     f"({', '.join(named(known.incomplete))}): have it delivered whole, run the cycle and draft "
                     "anew, or look in the source.")  # fmt: skip
    if request.lifts_restriction and known.notice_given_on is None:
        found.append("When this answer goes out the restriction ends: tell the person before that (GDPR Art 18(3)), "
                     "and give the day with --notice-given.")  # fmt: skip
    return found


def _warnings_of_orders(request: Request, known: _Known, orders: list[dict[str, Any]]) -> list[str]:
    """What the orders that a draft tells of, and those that are still to come, say against sending it."""
    found = []
    if any(order["state"] in NOT_HANDED_OVER for order in orders):
        found.append("Some of what the answer tells has not been handed over yet: approve and deliver the manifests.")
    if any(order["state"] in ("refused", "discrepancy", "overdue") for order in orders):
        found.append("A system has refused, is late, or still holds what it said was gone.")
    if request.kind in TELL_OF_ERASURE and known.to_erase:
        found.append(f"{known.to_erase} data categories of records are to be erased and no manifest orders it yet: "
                     "run the cycle.")  # fmt: skip
    if request.kind in TELL_OF_ERASURE and any(
        order["action"] in ("erase", "redact") and order["state"] not in OVER for order in orders
    ):
        found.append("Some of what is to be erased is still open at a system: wait for its answer, or say so.")
    return found
