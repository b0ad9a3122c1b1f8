"""Requests of data subjects as the site enters, verifies, extends and answers them, and how their clocks stand.

Knows the register and the clocks; what a request ends is the rules' to say, and the letter is `letters`'. Nothing
here reads or tells a name; an address goes in and never comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from assets.errors import BadInput, BadUsage, NeedsPerson
from assets.ingest.kept_out import set_aside
from assets.ingest.projecting import LOCAL_ZONE
from assets.ingest.registers import REQUESTS, Entry, amend, enter, next_id
from assets.rights.clocks import Clock, Standing, consistent, standing
from assets.warehouse import Warehouse

Kind = Literal[
    "erasure", "access", "portability", "objection", "withdrawal", "restriction", "rectification", "termination"
]
Scope = Literal["newsletter", "web_statistics"]
KINDS: tuple[str, ...] = get_args(Kind)
SCOPES: tuple[str, ...] = get_args(Scope)
#: Answering one of these lifts a restriction, and the person is told before that (Art 18(3)).
LIFTS_RESTRICTION = ("restriction", "rectification")
#: Requests that count only once identity has been verified.
NEED_IDENTITY = ("erasure", "access", "portability", "rectification")
ANSWERED = ("answered", "answered_late")


@dataclass(frozen=True)
class Request:
    """A request of the register with how its clock stands. `named_by`: `customer`, `contact` or `email`."""

    request_id: str
    kind: str
    scope: str | None
    named_by: str | None
    clock: Clock
    standing: Standing

    @property
    def is_answered(self) -> bool:
        """Whether it has been answered: a day that is still to come is none (rules.md, Dates 4)."""
        return self.standing.state in ANSWERED

    @property
    def lifts_restriction(self) -> bool:
        """Whether its answer ends a restriction: one that counts only once identity is verified began none before."""
        is_counted = self.kind not in NEED_IDENTITY or self.clock.verified_on is not None
        return self.kind in LIFTS_RESTRICTION and is_counted


def add(
    warehouse: Warehouse,
    kind: str,
    *,
    received_on: date,
    at: datetime,
    customer: str | None = None,
    contact: str | None = None,
    email: str | None = None,
    scope: str | None = None,
    verified_on: date | None = None,
) -> str:
    """Enter a request that names a customer, a contact or an address; the number it gets.

    Raises:
        BadUsage: no such kind or scope, or not exactly one of customer, contact and address.
        BadInput: nobody with that key has been delivered, or it is a company's that no such request can be about.
    """
    if kind not in KINDS or (scope is not None and scope not in SCOPES):
        raise BadUsage(f"A request is one of {', '.join(KINDS)}; a scope one of {', '.join(SCOPES)}, or none.")
    if sum(given is not None for given in (customer, contact, email)) != 1:
        raise BadUsage("A request names one of --customer, --contact and --email.")
    if scope is not None and kind != "withdrawal":
        raise BadUsage("Only a withdrawal has a scope.")
    if customer is not None:
        _require_customer(warehouse, customer, kind)
    if contact is not None:
        _require_contact(warehouse, contact)
    if email is not None and "@" not in email:
        raise BadUsage("--email is not an e-mail address.")
    if verified_on is not None and verified_on < received_on:
        raise BadUsage("Identity cannot have been verified before the request was received.")
    number = next_id(warehouse, REQUESTS)
    row = {
        "request_id": number, "customer_id": customer, "contact_id": contact,
        "kind": kind, "scope": scope,
        "received_at": received_on, "identity_verified_at": verified_on,
        "email_key": warehouse.value("select pseudonym(normalised_email(?))", [email]) if email is not None else None,
    }  # fmt: skip
    enter(warehouse, REQUESTS, [row], at, "received")
    return number


def asked_already(warehouse: Warehouse, request_id: str, today: date) -> list[str]:
    """The other requests that are not answered yet, of the same kind, scope and name: one that was entered twice."""
    rows = warehouse.rows(
        """
        select other.request_id
        from raw.office_requests as own
        inner join raw.office_requests as other
            on
                other.kind = own.kind
                and other.scope is not distinct from own.scope
                and other.customer_id is not distinct from own.customer_id
                and other.contact_id is not distinct from own.contact_id
                and other.email_key is not distinct from own.email_key
        where
            own.request_id = $id and other.request_id <> $id
            and coalesce(other.answered_at > $today or other.answered_at < other.received_at, other.answered_at is null)
        order by other.request_id
        """,
        {"id": request_id, "today": today},
    )
    return [number for (number,) in rows]


def _require_customer(warehouse: Warehouse, customer: str, kind: str) -> None:
    found = warehouse.rows("select customer_type from raw.crm_customers where customer_id = ?", [customer])
    if not found:
        why = set_aside(warehouse, "customer", customer) or "check the key"
        raise BadInput(f"No customer with the key {customer!r} has been taken in: {why}, or name an --email.")
    if found[0][0] == "company" and kind != "termination":
        raise BadInput(f"Customer {customer!r} is a company: name the --contact who asks.")


def _require_contact(warehouse: Warehouse, contact: str) -> None:
    if not warehouse.value("select count(*) from raw.crm_contacts where contact_id = ?", [contact]):
        why = set_aside(warehouse, "contact", contact) or "check the key"
        raise BadInput(f"No contact with the key {contact!r} has been taken in: {why}, or name an --email.")


def ask(warehouse: Warehouse, request_id: str, on: date, at: datetime) -> None:
    """Note that the person was asked to show who they are; the clock is paused until they have.

    Raises:
        BadInput: no such request, answered already, or the day is before its receipt.
    """
    clock = _open(warehouse, request_id, on, at).clock
    if clock.verified_on is not None:
        raise BadInput(f"The identity behind {request_id} was verified on {clock.verified_on}: there is no doubt left.")
    amend(warehouse, Entry(REQUESTS, request_id), {"identity_asked_at": on}, at, "identity_asked")


def verify(warehouse: Warehouse, request_id: str, on: date, at: datetime) -> None:
    """Note the day on which the person's identity was verified.

    Raises:
        BadInput: no such request, answered already, or the day is before its receipt.
    """
    _open(warehouse, request_id, on, at)
    amend(warehouse, Entry(REQUESTS, request_id), {"identity_verified_at": on}, at, "identity_verified")


def extend(warehouse: Warehouse, request_id: str, on: date, at: datetime) -> Request:
    """Note that the person was told, on a day, that the answer takes up to two months more (Art 12(3)).

    Raises:
        BadInput: no such request, answered or extended already, or too late: the time had run out.
    """
    request = _open(warehouse, request_id, on, at)
    if request.clock.extended_on is not None:
        raise BadInput(f"Request {request_id} was extended on {request.clock.extended_on}; it can be extended once.")
    before = standing(request.clock, on)
    if before.due_on is not None and on > before.due_on:
        raise BadInput(
            f"Too late: request {request_id} was to be answered or extended by {before.due_on}. Answer it now."
        )
    amend(warehouse, Entry(REQUESTS, request_id), {"extended_at": on}, at, "extended")
    return find(warehouse, request_id, on)


def answered(
    warehouse: Warehouse, request_id: str, on: date, at: datetime, *, notice_given_on: date | None = None
) -> Request:
    """Note the day on which the answer went out.

    Raises:
        BadInput: no such request, or answered already; or the notice is of no day between receipt and answer.
        NeedsPerson: that would lift a restriction whose end the person has not been told of (Art 18(3)).
    """
    request = _open(warehouse, request_id, on, at)
    if request.lifts_restriction and notice_given_on is None:
        raise NeedsPerson(
            f"Answering {request_id} lifts a restriction: tell the person first (GDPR Art 18(3)), then say when with "
            "--notice-given."
        )
    changes: dict[str, object] = {"answered_at": on}
    if notice_given_on is not None:
        _require_between(request, notice_given_on, on)
        changes["notice_given_at"] = notice_given_on
    amend(warehouse, Entry(REQUESTS, request_id), changes, at, "answered", request.kind)
    return find(warehouse, request_id, on)


def _require_between(request: Request, notice_given_on: date, answered_on: date) -> None:
    """A person is told of the end of a restriction after they asked for it, and before it is lifted (Art 18(3))."""
    if notice_given_on < request.clock.received_on:
        raise BadInput(
            f"Request {request.request_id} came on {request.clock.received_on}: a notice of {notice_given_on} is "
            "before that, and of another restriction. Look at the year."
        )
    if notice_given_on > answered_on:
        raise BadInput(
            f"The answer to {request.request_id} went out on {answered_on}: a notice of {notice_given_on} is after "
            "that, and the person is told before a restriction is lifted (GDPR Art 18(3))."
        )


def _open(warehouse: Warehouse, request_id: str, on: date, at: datetime) -> Request:
    # an answer between that day and today has been given
    today = max(on, at.astimezone(ZoneInfo(LOCAL_ZONE)).date())
    request = find(warehouse, request_id, on)
    if request.clock.answered_on is not None and request.clock.answered_on <= today:
        raise BadInput(f"Request {request_id} was answered on {request.clock.answered_on}.")
    if on < request.clock.received_on:
        raise BadInput(f"Request {request_id} came on {request.clock.received_on}: {on} is before that.")
    return request


_REQUESTS = """
    select known.request_id, coalesce(known.kind, ''), known.scope,
        case when known.customer_id is not null then 'customer' when known.contact_id is not null then 'contact'
            when known.email_key is not null then 'email' end,
        known.received_at, kept.identity_asked_at, known.identity_verified_at, known.extended_at, known.answered_at
    from raw.office_requests as known
    left join office.requests as kept on known.request_id = kept.request_id
    where known.received_at is not null and ($id is null or known.request_id = $id)
    order by known.received_at, known.request_id
"""


def requests(warehouse: Warehouse, today: date, request_id: str | None = None) -> list[Request]:
    """The register of requests, oldest first, as it stands on a day; those that have left the office's export too."""
    found = []
    for number, kind, scope, named_by, *days in warehouse.rows(_REQUESTS, {"id": request_id}):
        clock = consistent(Clock(*days))
        found.append(Request(number, kind if kind in KINDS else "unknown", scope if scope in SCOPES else None, named_by,
                             clock, standing(clock, today)))  # fmt: skip
    return found


def without_day(warehouse: Warehouse, today: date) -> list[str]:
    """The requests in the register that came on no known day, but for those that were answered.

    They count for nothing (rules.md, Dates 4), and nobody can tell until when they are to be answered.
    """
    rows = warehouse.rows(
        "select request_id from raw.office_requests where received_at is null "
        "and (answered_at is null or answered_at > ?) order by request_id",
        [today],
    )
    return [number for (number,) in rows]


def find(warehouse: Warehouse, request_id: str, today: date) -> Request:
    """One request.

    Raises:
        BadInput: there is none of that number, or it came on no known day.
    """
    found = requests(warehouse, today, request_id)
    if not found and warehouse.value("select count(*) from raw.office_requests where request_id = ?", [request_id]):
        raise BadInput(
            f"Request {request_id} has no day of receipt (received_at) and counts for nothing: the office completes it "
            "in its register, and its next export brings it."
        )
    if not found:
        raise BadInput(f"There is no request {request_id!r}: `gallring request list` shows them.")
    return found[0]


def overdue(warehouse: Warehouse, today: date) -> list[Request]:
    """The requests that should have been answered before `today`."""
    return [request for request in requests(warehouse, today) if request.standing.state == "overdue"]
