"""The draft of an answer to a request: what was erased and where, who was told, what stays, why and until when.

Gathers what the ledger and the evaluation say of the person's records and lets the templates say it, in Swedish and
English, as text and as a page. Systems, kinds of records, purposes and days alone: no field's value is read. A person
reads the draft before it goes out; nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.manifests import ledger
from assets.retention.explaining import require_evaluation
from assets.rights.people import Person, person_of, records_of
from assets.rights.rendering import LANGUAGES, render
from assets.rights.reports import LETTERS, write_folder
from assets.rights.requests import Request, find
from assets.site import Site
from assets.warehouse import Warehouse

if TYPE_CHECKING:
    from assets.policy import Policy

#: The ground on which a duty stays after a request for erasure, where the register names none (a legal duty).
LEGAL_DUTY = "Art 17(3)(b)"
#: Requests that count only once identity has been verified.
NEED_IDENTITY = ("erasure", "access", "portability", "rectification")
#: States in which no system or partner has been told.
NOT_HANDED_OVER = ("issued", "approved")
#: States in which an answer says that an erasure is over.
OVER = ("done", "verified", "already_absent")


@dataclass(frozen=True)
class Draft:
    """A drafted answer. `warnings`: why it should not go out as it is; empty when nothing speaks against it."""

    folder: Path
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def draft(
    warehouse: Warehouse, policy: Policy, site: Site, request_id: str, today: date, policy_folder: Path | None
) -> Draft:
    """Write the draft of an answer, in the place of an earlier one.

    Raises:
        BadInput: there is no such request, or a template of the company's own does not work.
        CheckFailed: the warehouse has not been evaluated under this policy.
    """
    answer = gather_answer(warehouse, policy, request_id, today)
    files: dict[str, bytes] = {}
    for language in LANGUAGES:
        text = render("answer.txt.j2", language, policy_folder, answer=answer)
        page = render("answer.html.j2", language, policy_folder, answer=answer, paragraphs=_paragraphs(text))
        files |= {f"answer.{language}.txt": text.encode(), f"answer.{language}.html": page.encode()}
    folder = write_folder(site.reports / LETTERS / request_id, files)
    return Draft(folder, tuple(files), tuple(answer["warnings"]))


def gather_answer(warehouse: Warehouse, policy: Policy, request_id: str, today: date) -> dict[str, Any]:
    """What an answer is made of, as plain values for the templates.

    Raises:
        BadInput: there is no such request.
    """
    as_of = require_evaluation(warehouse, policy)
    ledger.prepare(warehouse)
    request = find(warehouse, request_id, today)
    people = people_of(warehouse, request_id)
    _choose_records(warehouse, people)
    orders = _orders(warehouse, request.clock.received_on)
    stays = list(map(_with_ground, warehouse.records(_STAYS)))
    review = int(warehouse.value(_UNDER_REVIEW))
    return {
        "request_id": request_id, "kind": request.kind, "scope": request.scope, "controller": _controller(warehouse),
        "received_on": request.clock.received_on, "verified_on": request.clock.verified_on, "as_of": as_of,
        "today": today, "due_on": request.standing.due_on, "extended_on": request.clock.extended_on,
        "erased": [order for order in orders if order["action"] in ("erase", "redact")],
        "restricted": [order for order in orders if order["action"] in ("restrict", "lift")],
        "told": [order for order in orders if order["action"] == "notify"],
        "all_erased": all(order["state"] in OVER for order in orders if order["action"] in ("erase", "redact")),
        "all_told": all(order["state"] not in NOT_HANDED_OVER for order in orders if order["action"] == "notify"),
        "stays": stays, "under_review": review,
        "warnings": _warnings(request, as_of, people, orders),
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


def people_of(warehouse: Warehouse, request_id: str) -> list[Person]:
    """The people that a request is about: its customer (no company), else its contact, else whoever has the address."""
    found = warehouse.rows(_PEOPLE, {"id": request_id})
    return [person_of(warehouse, person_id) for (person_id,) in found]


_PEOPLE = """
    with request as (select * from raw.office_requests where request_id = $id),
    by_customer as (
        select customer.row_id * 4 as node_id from request
        inner join raw.crm_customers as customer on request.customer_id = customer.customer_id
        where customer.customer_type <> 'company'
    ),
    by_contact as (
        select contact.row_id * 4 + 1 as node_id from request
        inner join raw.crm_contacts as contact on request.contact_id = contact.contact_id
        where not exists (select 1 from by_customer)
    ),
    by_address as (
        select node.node_id from request inner join core.person_nodes as node on request.email_key = node.email_key
        where not exists (select 1 from by_customer) and not exists (select 1 from by_contact)
    ),
    named as (from by_customer union all from by_contact union all from by_address)
    select distinct person.person_id from named
    inner join core.people as person on named.node_id = person.node_id
    order by all
"""


def _choose_records(warehouse: Warehouse, people: list[Person]) -> None:
    records = sorted({record for person in people for record in records_of(warehouse, person)})
    warehouse.run("create or replace temp table answered_records (record_type varchar, row_id bigint)")
    warehouse.insert("answered_records", ("record_type", "row_id"), records)


def _orders(warehouse: Warehouse, since: date) -> list[dict[str, Any]]:
    """What the systems and partners were told since the request came, and what they answered."""
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
        where items.as_of >= $since and states.state <> 'cancelled'
        group by coalesce(partner.name, items.system), items.action, items.record_type, states.state
        order by all
        """,
        {"since": since},
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
    inner join policy.purposes as purposes on claims.purpose = purposes.purpose
    where claims.is_active
    group by all
    order by min(purposes.position)
"""
_UNDER_REVIEW = """
    select count(*) from retention.dispositions as decided
    inner join answered_records as chosen
        on decided.record_type = chosen.record_type and decided.row_id = chosen.row_id
    where decided.disposition = 'review'
"""


def _with_ground(stays: Mapping[str, Any]) -> dict[str, Any]:
    """What stays, with the exception of Art 17(3) that lets it; none where it is simply needed still (Art 17(1)(a))."""
    basis = stays["legal_basis"].split(" | ")
    ground = stays["ground"] or (LEGAL_DUTY if any("A6-1-c" in each for each in basis) else None)
    return {**stays, "legal_basis": basis, "ground": ground}


def _controller(warehouse: Warehouse) -> str:
    return str(warehouse.value("select controller from policy.about"))


def _warnings(request: Request, as_of: date, people: list[Person], orders: list[dict[str, Any]]) -> list[str]:
    """Why a draft should not go out as it is."""
    found = []
    if request.kind in NEED_IDENTITY and request.clock.verified_on is None:
        found.append("Identity has not been verified, so the request has no effect yet.")
    if as_of <= request.clock.received_on:
        found.append(f"The last evaluation is as of {as_of}: what the request ends shows from the day after it came.")
    if not people and request.kind != "termination":
        found.append("Nobody is known under what the request names.")
    if len(people) > 1:
        found.append(f"The request reaches {len(people)} people: make sure that the answer is one person's.")
    if any(order["state"] in NOT_HANDED_OVER for order in orders):
        found.append("Some of what the answer tells has not been handed over yet: approve and deliver the manifests.")
    if any(order["state"] in ("refused", "discrepancy", "overdue") for order in orders):
        found.append("A system has refused, is late, or still holds what it said was gone.")
    return found
