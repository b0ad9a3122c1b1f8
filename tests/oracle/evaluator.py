"""The retention rules read a second time, a row at a time, with nothing but the standard library.

Written from `rules.md` alone, so that a difference from the SQL is a finding about one of the two, or about the rules.
Where the rules can be read in several ways, `README.md` beside this file says which way was taken and why.
One snapshot is evaluated: rule 6 (memory over several deliveries) is left out.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from unicodedata import normalize
from zoneinfo import ZoneInfo

Row = dict[str, str | None]
Exports = dict[str, list[Row]]
Record = tuple[str, str]  # record type, key

STOCKHOLM = ZoneInfo("Europe/Stockholm")

# record type: (source/table, key column)
TABLES = {
    "customer": ("crm/customers", "customer_id"),
    "contact": ("crm/contacts", "contact_id"),
    "interaction": ("crm/interactions", "interaction_id"),
    "quote": ("crm/quotes", "quote_id"),
    "quote_document": ("crm/quote_documents", "document_id"),
    "consent": ("crm/consents", "consent_id"),
    "order": ("orders/orders", "order_id"),
    "delivery": ("orders/deliveries", "delivery_id"),
    "order_line": ("orders/order_lines", "order_line_id"),
    "proof_approval": ("orders/proof_approvals", "proof_id"),
    "invoice": ("orders/invoices", "invoice_id"),
    "payment": ("orders/payments", "payment_id"),
    "claim_event": ("orders/claim_events", "claim_event_id"),
    "complaint": ("orders/complaints", "complaint_id"),
    "subscriber": ("mailing/subscribers", "subscriber_id"),
    "send": ("mailing/sends", "send_id"),
    "web_event": ("web/events", "event_id"),
}

# record type: category: fields
FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "customer": {
        "identity": ("name", "birth_date"),
        "email": ("email",),
        "phone": ("phone",),
        "address": ("street", "postal_code", "city", "country"),
        "national_id": ("national_id", "org_number"),
    },
    "contact": {"identity": ("name", "job_title"), "email": ("email",), "phone": ("phone",)},
    "interaction": {"content": ("subject", "body")},
    "quote": {"content": ("request_text",), "transaction": ("amount",)},
    "quote_document": {"content": ("file_name", "uri")},
    "consent": {"email": ("email",), "consent": ("purpose", "given_at", "withdrawn_at", "evidence")},
    "order": {
        "identity": ("buyer_name",),
        "email": ("buyer_email",),
        "phone": ("buyer_phone",),
        "address": ("invoice_street", "invoice_postal_code", "invoice_city"),
    },
    "delivery": {"identity": ("contact_name",), "phone": ("phone",), "address": ("street", "postal_code", "city")},
    "order_line": {"transaction": ("product", "description", "quantity", "unit_price")},
    "proof_approval": {"identity": ("approved_by",), "content": ("version", "file_uri", "approved_at")},
    "invoice": {
        "identity": ("buyer_name",),
        "address": ("buyer_street", "buyer_postal_code", "buyer_city"),
        "national_id": ("buyer_national_id",),
        "transaction": ("amount", "currency"),
    },
    "payment": {"identity": ("payer_name",), "transaction": ("amount",)},
    "claim_event": {"content": ("event", "note")},
    "complaint": {"content": ("channel", "description")},
    "subscriber": {"identity": ("name",), "email": ("email",), "behaviour": ("last_opened_at",)},
    "send": {"behaviour": ("campaign", "opened_at")},
    "web_event": {"device": ("ip", "user_agent"), "behaviour": ("cookie_id", "url")},
}

# Orphans: record type: (column that names the parent, the parent's record type)
PARENTS = {
    "delivery": ("order_id", "order"),
    "order_line": ("order_id", "order"),
    "proof_approval": ("order_id", "order"),
    "complaint": ("order_id", "order"),
    "claim_event": ("invoice_id", "invoice"),
    "payment": ("invoice_id", "invoice"),
    "quote_document": ("quote_id", "quote"),
    "send": ("subscriber_id", "subscriber"),
    "contact": ("customer_id", "customer"),
}

DUTIES = {"accounting", "debt_collection", "complaint_evidence", "open_complaint", "legal_hold", "accountability"}

EXIT_ENDS = {
    "quote_followup",
    "customer_care",
    "newsletter",
    "email_marketing",
    "direct_marketing",
    "product_development",
}
OBJECTION_ENDS = {"quote_followup", "newsletter", "email_marketing", "direct_marketing"}
WORD_ENDS = {
    "exit": EXIT_ENDS,
    "objection": OBJECTION_ENDS,
    "newsletter_withdrawal": {"newsletter", "email_marketing"},
    "statistics_withdrawal": {"web_statistics"},
    "erasure": EXIT_ENDS | OBJECTION_ENDS | {"newsletter", "email_marketing", "web_statistics"},
    "death": {"newsletter", "email_marketing", "direct_marketing"},
}
#: Periods that a test may have changed, as a policy other than the shipped one changes them.
CHANGEABLE: dict[str, dict[str, int]] = {"newsletter": {"years": 2}, "customer_care": {"years": 1}}
RESTARTS = {"demand_received", "acknowledged", "part_paid", "filed", "judgment"}
EXTINGUISHES = {"assigned", "written_off"}


@dataclass(frozen=True)
class Decision:
    """What the claims on one field add up to on one day."""

    disposition: str
    keep_until: date | None
    purposes: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Claim:
    """One purpose's hold on one data category of one record, through `end` (None: open-ended)."""

    purpose: str
    end: date | None


@dataclass(frozen=True)
class Doubt:
    """A missing or contradictory trigger that could keep a category through `end` (None: for ever)."""

    purpose: str
    reason: str
    end: date | None


@dataclass(frozen=True)
class Word:
    """What a person said, and the day on which it was said."""

    kind: str
    day: date


# -- dates ----------------------------------------------------------------------------------------------------------


@cache
def local_day(text: str | None) -> date | None:
    """A day is a date in Europe/Stockholm; an instant becomes the local date on which it fell."""
    if not text:
        return None
    if len(text) == 10:
        return date.fromisoformat(text)
    instant = datetime.fromisoformat(text)
    return instant.date() if instant.tzinfo is None else instant.astimezone(STOCKHOLM).date()


def plus(day: date, *, years: int = 0, months: int = 0, days: int = 0) -> date:
    """Calendar arithmetic in one step, clamped to the month's end."""
    count = day.year * 12 + day.month - 1 + years * 12 + months
    year, month = divmod(count, 12)
    month += 1
    return date(year, month, min(day.day, monthrange(year, month)[1])) + timedelta(days=days)


def latest(days: Iterable[date | None]) -> date | None:
    """Give the latest of the days that are known."""
    return max((day for day in days if day), default=None)


def earliest(*ends: date | None) -> date | None:
    """Give the earliest last day, where None is open-ended."""
    return min((end for end in ends if end), default=None)


# -- names and numbers ----------------------------------------------------------------------------------------------


def address_of(text: str | None) -> str | None:
    """Normalise an e-mail address: trimmed, lower case."""
    return (text or "").strip().lower() or None


def name_of(text: str | None) -> str | None:
    """Normalise a name: case-folded in composed letters, spaces collapsed."""
    return " ".join(normalize("NFC", normalize("NFC", text or "").casefold()).split()) or None


def personnummer(text: str | None) -> str | None:
    """Give the last ten digits of a valid personnummer or samordningsnummer, else None."""
    match = re.fullmatch(r"(18|19|20)?(\d\d)(\d\d)(\d\d)[-+]?(\d{4})", (text or "").strip(), re.ASCII)
    if not match:
        return None
    century, year, month, day, tail = match.groups()
    digits = year + month + day + tail
    centuries = [century] if century else ["18", "19", "20"]
    born = (int(month), int(day) - 60 if int(day) > 60 else int(day))
    exists = any(_is_date(int(each + year), *born) for each in centuries)
    return digits if exists and _luhn(digits) else None


def _is_date(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 - position % 2) for position, digit in enumerate(digits)]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


# -- the rows -------------------------------------------------------------------------------------------------------


class Company:
    """The exports on the day of evaluation, with the look-ups the rules need."""

    def __init__(self, exports: Exports, as_of: date) -> None:
        self.as_of = as_of
        self.exports = exports
        self.rows: dict[str, dict[str, Row]] = {
            kind: {str(row[key]): row for row in exports.get(table, [])} for kind, (table, key) in TABLES.items()
        }
        self._children: dict[tuple[str, str], dict[str, list[Row]]] = {}

    def row(self, kind: str, key: str | None) -> Row | None:
        """Look a record up; an unknown or empty key gives None."""
        return self.rows[kind].get(key) if key else None

    def key(self, kind: str, row: Row) -> str:
        """Give the key of a row."""
        return str(row[TABLES[kind][1]])

    def children(self, kind: str, column: str, key: str | None) -> list[Row]:
        """Give the rows of a record type that name `key` in `column`."""
        index = self._children.get((kind, column))
        if index is None:
            index = defaultdict(list)
            for row in self.rows[kind].values():
                if row.get(column):
                    index[str(row[column])].append(row)
            self._children[kind, column] = index
        return index.get(key, []) if key else []

    def happened(self, row: Row, column: str) -> date | None:
        """What has not happened yet has no effect: None where the day is missing or still to come."""
        day = local_day(row.get(column))
        return day if day and day <= self.as_of else None

    def is_company(self, customer: Row | None) -> bool:
        """Tell whether a customer is known and a company."""
        return customer is not None and customer.get("customer_type") == "company"

    def is_person(self, customer: Row | None) -> bool:
        """Tell whether a customer is known and a private person or sole trader."""
        return customer is not None and customer.get("customer_type") != "company"

    def orphan(self, record: Record) -> bool:
        """Tell whether a record of a kind that hangs on another stands without it."""
        kind, key = record
        if kind not in PARENTS:
            return False
        column, parent = PARENTS[kind]
        return self.row(parent, self.rows[kind][key].get(column)) is None

    # -- deliveries, orders, invoices

    def order_of(self, row: Row) -> Row | None:
        """Give the order that a row names."""
        return self.row("order", row.get("order_id"))

    def delivered(self, delivery: Row) -> date | None:
        """Give the day of delivery: a delivery dated before its order was placed counts as not dated."""
        day = self.happened(delivery, "delivered_at")
        order = self.order_of(delivery)
        placed = local_day(order.get("placed_at")) if order else None
        return None if day and placed and day < placed else day

    def deliveries(self, order: Row) -> list[Row]:
        """Give an order's deliveries, dated or not."""
        return self.children("delivery", "order_id", order["order_id"])

    def last_delivered(self, order: Row) -> date | None:
        """Give the day of an order's last delivery so far."""
        return latest(self.delivered(delivery) for delivery in self.deliveries(order))

    def invoices(self, order: Row) -> list[Row]:
        """Give an order's invoices; its credit notes are not among them."""
        rows = self.children("invoice", "order_id", order["order_id"])
        return [row for row in rows if row.get("kind") == "invoice"]

    def customer_of_invoice(self, invoice: Row) -> Row | None:
        """Give the customer the invoice names, else its order's."""
        order = self.order_of(invoice)
        named = self.row("customer", invoice.get("customer_id"))
        return named or (self.row("customer", order.get("customer_id")) if order else None)

    def capacity(self, order: Row | None, invoice: Row | None = None) -> str | None:
        """Purchase capacity: the order's; if missing, by the kind of customer; for a sole trader or nobody, missing."""
        if order and order.get("purchase_capacity"):
            return order["purchase_capacity"]
        customer = self.row("customer", order.get("customer_id")) if order else None
        if customer is None and invoice is not None:
            customer = self.customer_of_invoice(invoice)
        kind = customer.get("customer_type") if customer else None
        return {"private": "private", "company": "business"}.get(kind or "")

    # -- the balance

    def movements(self, invoice: Row) -> dict[date, Decimal]:
        """Give what lowers the balance, by day: credit notes on booked_on, else issued_on; payments on paid_at."""
        days: dict[date, Decimal] = defaultdict(Decimal)
        for note in self.children("invoice", "refers_to_invoice_id", invoice["invoice_id"]):
            day = voucher_day(note)
            if note.get("kind") == "credit_note" and day:
                days[day] += Decimal(str(note["amount"]))
        for payment in self.children("payment", "invoice_id", invoice["invoice_id"]):
            paid = self.happened(payment, "paid_at")
            if paid:
                days[paid] += Decimal(str(payment["amount"]))
        return dict(sorted(days.items()))

    def balances(self, invoice: Row) -> dict[date, Decimal]:
        """Give the balance at the end of each day on which it moved."""
        balance, result = Decimal(str(invoice["amount"])), {}
        for day, amount in self.movements(invoice).items():
            balance -= amount
            result[day] = balance
        return result

    def settled(self, invoice: Row) -> date | None:
        """The day from which the balance stays at or below zero; nothing ever owed: the invoice's own day."""
        own_day = voucher_day(invoice) or date.min
        settled = own_day if Decimal(str(invoice["amount"])) <= 0 else None
        for day, balance in self.balances(invoice).items():
            if balance > 0:
                settled = None
            elif settled is None:
                settled = day
        return settled

    def invoicing_end(self, invoice: Row) -> tuple[date | None, bool]:
        """Give the last day of `invoicing` and whether it is known.

        Through the day the invoice is settled, and no longer than its due_on (missing: issued_on + P30D) + P30D.
        """
        due, issued = local_day(invoice.get("due_on")), local_day(invoice.get("issued_on"))
        if due is None and issued is not None:
            due = plus(issued, days=30)
        settled = self.settled(invoice)
        if due is None:
            return settled, settled is not None
        return earliest(settled, plus(due, days=30)), True


def voucher_day(invoice: Row) -> date | None:
    """An invoice's or credit note's voucher: `booked_on`, else `issued_on`."""
    return local_day(invoice.get("booked_on")) or local_day(invoice.get("issued_on"))


# -- when an order closes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Closing:
    """Whether an order is open, the day it closed, or why that day is a missing trigger."""

    open: bool
    day: date | None = None
    missing: str | None = None


def closing(company: Company, order: Row) -> Closing:
    """Order closed: `closed_at`; if that is missing, once all is delivered and all invoices are at their end."""
    stated, placed = local_day(order.get("closed_at")), local_day(order.get("placed_at"))
    if stated and stated <= company.as_of:
        if placed and stated < placed:
            return Closing(open=False, missing="closed before it was placed")
        return Closing(open=False, day=stated)
    if not stated:  # still to come: the order is open
        derived = _derived_closing(company, order)
        if derived:
            return Closing(open=False, day=derived)
        if order.get("status") in ("closed", "cancelled"):
            return Closing(open=False, missing="no closing day")
    # An order still open P24M after the latest of its placed_at, delivered_at and its invoices' issued_on.
    issued = [local_day(invoice.get("issued_on")) for invoice in company.invoices(order)]
    alive = latest([placed, company.last_delivered(order), *issued])
    if alive and company.as_of > plus(alive, months=24):
        return Closing(open=True, missing="still open after P24M")
    return Closing(open=True)


def _derived_closing(company: Company, order: Row) -> date | None:
    """The later of the last delivered_at and the last end of `invoicing`, once all delivered and all at their end."""
    delivered = [company.delivered(delivery) for delivery in company.deliveries(order)]
    ends = [company.invoicing_end(invoice)[0] for invoice in company.invoices(order)]
    if order.get("status") == "cancelled" or not delivered or not ends:
        return None
    if not all(delivered) or not all(end and end <= company.as_of for end in ends):
        return None
    return latest([*delivered, *ends])


# -- who is who -----------------------------------------------------------------------------------------------------


class People:
    """Which rows are one person, and whom a record belongs to."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self._parent: dict[Record, Record] = {}
        self._rows_by_address: dict[str, list[Record]] = defaultdict(list)
        self._gather()

    def _gather(self) -> None:
        """Rows of customer (not companies), contact and subscriber that are one person, transitively."""
        same: dict[tuple[str, ...], Record] = {}
        for kind in ("customer", "contact", "subscriber"):
            for key, row in self.company.rows[kind].items():
                if kind == "customer" and self.company.is_company(row):
                    continue
                record = (kind, key)
                self._parent[record] = record
                address = address_of(row.get("email"))
                if address:
                    self._rows_by_address[address].append(record)
                for mark in self._marks(kind, row):
                    self._join(record, same.setdefault(mark, record))
        for key, row in self.company.rows["subscriber"].items():
            # where a subscriber names a contact or a non-company customer
            for named in (("contact", row.get("contact_id")), ("customer", row.get("customer_id"))):
                if named in self._parent:
                    self._join(("subscriber", key), (named[0], str(named[1])))

    def _marks(self, kind: str, row: Row) -> list[tuple[str, ...]]:
        """What makes two rows one person: a valid personnummer, or e-mail *and* name."""
        numbers = [row.get("national_id")] if kind == "customer" else []
        if row.get("customer_type") == "sole_trader":
            numbers.append(row.get("org_number"))
        marks: list[tuple[str, ...]] = [("number", valid) for valid in map(personnummer, numbers) if valid]
        address, name = address_of(row.get("email")), name_of(row.get("name"))
        if address and name:
            marks.append(("address", address, name))
        return marks

    def _join(self, one: Record, other: Record) -> None:
        self._parent[self._root(one)] = self._root(other)

    def _root(self, record: Record) -> Record:
        while self._parent[record] != record:
            record = self._parent[record]
        return record

    def person(self, kind: str, key: str | None) -> Record | None:
        """Give the person that a row is, or None for a company and an unknown row."""
        record = (kind, str(key))
        return self._root(record) if key and record in self._parent else None

    def rows_of(self, person: Record, kind: str) -> list[Row]:
        """Give the rows of one kind that are a person."""
        return [
            self.company.rows[kind][key] for at, key in self._parent if at == kind and self._root((at, key)) == person
        ]

    def persons_at(self, address: str | None) -> set[Record]:
        """Give the persons of every row of customer, contact and subscriber with a normalised address."""
        return {self._root(record) for record in self._rows_by_address.get(address or "", [])}

    def person_of_consent(self, consent: Row) -> Record | None:
        """The contact it names, else the customer it names, else, naming neither, by e-mail if that is one person."""
        contact = self.person("contact", consent.get("contact_id"))
        if contact:
            return contact
        if self.company.row("customer", consent.get("customer_id")):
            return self.person("customer", consent.get("customer_id"))
        found = self.persons_at(address_of(consent.get("email")))
        return next(iter(found)) if len(found) == 1 else None

    def persons_of(self, record: Record, *, wide: bool = False) -> set[Record]:
        """Give the persons whose records a record is among; `wide` for an erasure or a restriction.

        Nobody's word reaches an orphan.
        """
        kind, key = record
        row = self.company.rows[kind][key]
        if self.company.orphan(record):
            return set()
        if kind in ("customer", "contact", "subscriber"):
            found = [self.person(kind, key)]
        elif kind == "send":
            found = [self.person("subscriber", row.get("subscriber_id"))]
        elif kind == "consent":
            found = [self.person_of_consent(row)]
        elif kind == "web_event":
            found = [self.person("customer", row.get("customer_id"))]
        else:
            found = [person for head in self._heads(kind, row) for person in self._persons_of_head(head, wide=wide)]
        return {person for person in found if person}

    def _persons_of_head(self, head: Row, *, wide: bool) -> list[Record | None]:
        """An interaction, quote, order or invoice is its customer's; of a company's, for `wide`, the contact's too."""
        customer = self.company.row("customer", head.get("customer_id"))
        if self.company.is_person(customer):
            return [self.person("customer", head.get("customer_id"))]
        return [self.person("contact", head.get("contact_id"))] if wide else []

    def _heads(self, kind: str, row: Row) -> list[Row]:
        """Give the rows with a customer that a record hangs on."""
        if kind in ("interaction", "quote", "order"):
            return [row]
        if kind == "invoice":
            order = self.company.order_of(row)
            return [row, order] if order else [row]
        column, parent_kind = PARENTS[kind]
        parent = self.company.row(parent_kind, row.get(column))
        return self._heads(parent_kind, parent) if parent else []

    def customers_of(self, record: Record) -> set[str]:
        """Give the ids of the customers whose records a record is among (exits, holds); contacts included."""
        kind, key = record
        row = self.company.rows[kind][key]
        if kind in ("customer", "contact", "web_event"):
            found = {row.get("customer_id")}
        elif kind in ("subscriber", "consent"):
            found = self._customers_of_subscription(kind, row)
        elif kind == "send":
            subscriber = self.company.row("subscriber", row.get("subscriber_id"))
            found = set(self.customers_of(("subscriber", str(row["subscriber_id"])))) if subscriber else set()
        else:
            found = {head.get("customer_id") for head in self._heads(kind, row)}
        return {each for each in found if each}

    def _customers_of_subscription(self, kind: str, row: Row) -> set[str | None]:
        """Belongs to the contact it names, else the customer it names, else to the person found."""
        contact = self.company.row("contact", row.get("contact_id"))
        if contact:
            return {contact.get("customer_id")}
        if self.company.row("customer", row.get("customer_id")):
            return {row.get("customer_id")}
        own = self.person(kind, row["subscriber_id"]) if kind == "subscriber" else self.person_of_consent(row)
        if own is None:
            return set()
        # an exit of any customer of that person reaches such a subscriber too
        rows = self.rows_of(own, "customer") + self.rows_of(own, "contact")
        return {each.get("customer_id") for each in rows}


# -- what a person's word ends --------------------------------------------------------------------------------------


class Words:
    """Exits, objections, withdrawals, erasures, deaths and restrictions that count on the day."""

    def __init__(self, company: Company, people: People) -> None:
        self.company, self.people = company, people
        self.exits: dict[str, list[date]] = defaultdict(list)
        self.of_person: dict[Record, list[Word]] = defaultdict(list)
        self.of_address: dict[str, list[Word]] = defaultdict(list)  # reaches consents at that address themselves
        self.restricted: set[Record] = set()
        self._reaching: dict[Record, list[Word]] = {}
        self._consents_at: dict[str, list[Row]] = defaultdict(list)
        for consent in company.rows["consent"].values():
            self._consents_at[address_of(consent.get("email")) or ""].append(consent)
        self._from_columns()
        for request in company.exports.get("office/requests", []):
            self._from_request(request)

    def _from_columns(self) -> None:
        for key, customer in self.company.rows["customer"].items():
            left = self.company.happened(customer, "relation_ended_at")
            if left:
                self.exits[key].append(left)
            person, died = self.people.person("customer", key), self.company.happened(customer, "deceased_on")
            if person and died:
                self.of_person[person].append(Word("death", died))
        for key, subscriber in self.company.rows["subscriber"].items():
            day = self.company.happened(subscriber, "unsubscribed_at")
            if day:
                self._withdraw(day, self.people.person("subscriber", key), address_of(subscriber.get("email")))
        for consent in self.company.rows["consent"].values():
            self._from_consent(consent)

    def _from_consent(self, consent: Row) -> None:
        day, person = self.company.happened(consent, "withdrawn_at"), self.people.person_of_consent(consent)
        if day and consent.get("purpose") == "newsletter":
            self._withdraw(day, person, address_of(consent.get("email")))
        elif day and person and consent.get("purpose") == "web_statistics":
            self.of_person[person].append(Word("statistics_withdrawal", day))

    def _withdraw(self, day: date, person: Record | None, address: str | None) -> None:
        """`unsubscribed_at` and `withdrawn_at`: the person's records, also those of every row with that address."""
        word = Word("newsletter_withdrawal", day)
        reached = {person} | self.people.persons_at(address)
        if address:
            self.of_address[address].append(word)
            reached |= {self.people.person_of_consent(consent) for consent in self._consents_at[address]}
        for each in reached - {None}:
            self.of_person[each].append(word)  # type: ignore[index]

    def _from_request(self, request: Row) -> None:
        day, kind = self.company.happened(request, "received_at"), request.get("kind")
        if day is None:
            return
        if kind == "termination":
            for customer_id in self._terminated(request):
                self.exits[customer_id].append(day)
            return
        verified = self.company.happened(request, "identity_verified_at") is not None
        for person in self._persons_named(request):
            if kind == "restriction" or (kind == "rectification" and verified):
                self._restrict(request, day, person)
            self.of_person[person] += [Word(each, day) for each in _kinds(request, verified=verified)]

    def _restrict(self, request: Row, day: date, person: Record) -> None:
        """Through the day before it is answered; an answer dated before it came counts as not dated."""
        answered = self.company.happened(request, "answered_at")
        if answered is None or answered < day:
            self.restricted.add(person)

    def _persons_named(self, request: Row) -> set[Record]:
        """A customer (not a company), else a contact, else an e-mail address: every row with that address."""
        for kind in ("customer", "contact"):
            person = self.people.person(kind, request.get(f"{kind}_id"))
            if person:
                return {person}
        return self.people.persons_at(address_of(request.get("email")))

    def _terminated(self, request: Row) -> list[str]:
        """A termination names a customer, a company too; one by a contact is listed for review and ends nothing."""
        if self.company.row("customer", request.get("customer_id")):
            return [str(request["customer_id"])]
        address = address_of(request.get("email"))
        if address is None or self.company.row("contact", request.get("contact_id")):
            return []
        customers = self.company.rows["customer"].items()
        return [key for key, row in customers if address_of(row.get("email")) == address]

    def reaching(self, record: Record) -> list[Word]:
        """Give every word that reaches a record."""
        if record not in self._reaching:
            self._reaching[record] = self._gather(record)
        return self._reaching[record]

    def _gather(self, record: Record) -> list[Word]:
        kind, key = record
        if self.company.orphan(record):
            return []
        persons, wide = self.people.persons_of(record), self.people.persons_of(record, wide=True)
        words = [word for person in persons for word in self.of_person[person]]
        words += [word for person in wide - persons for word in self.of_person[person] if word.kind == "erasure"]
        words += [Word("exit", day) for customer in self.people.customers_of(record) for day in self.exits[customer]]
        return words + (self._own_words(self.company.rows[kind][key]) if kind == "consent" else [])

    def _own_words(self, consent: Row) -> list[Word]:
        """A consent that belongs to nobody still has its own withdrawal, and those of its address."""
        own, purpose = self.company.happened(consent, "withdrawn_at"), consent.get("purpose")
        kind = {"newsletter": "newsletter_withdrawal", "web_statistics": "statistics_withdrawal"}.get(purpose or "")
        words = [Word(kind, own)] if own and kind else []
        return words + self.of_address.get(address_of(consent.get("email")) or "", [])

    def limit(self, record: Record, purpose: str, end: date | None, born: date | None) -> date | None:
        """Give the last day of a claim once every word has had its effect (None: open-ended)."""
        days = [word.day for word in self.reaching(record) if _ends(word, purpose, born)]
        return earliest(end, *days)

    def restricts(self, record: Record) -> bool:
        """An open Art 18 restriction, on a person's records."""
        return bool(self.people.persons_of(record, wide=True) & self.restricted)


def _kinds(request: Row, *, verified: bool) -> list[str]:
    """What a request says, given whether its identity is verified."""
    kind, scope = request.get("kind"), request.get("scope")
    if kind == "objection" or (kind == "erasure" and verified):
        return [str(kind)]
    if kind != "withdrawal":
        return []
    return [f"{word}_withdrawal" for word, at in (("newsletter", "newsletter"), ("statistics", "web_statistics"))
            if scope in (None, "", at)]  # fmt: skip


def _ends(word: Word, purpose: str, born: date | None) -> bool:
    """Tell whether a word ends a purpose's claim on what came to be on `born`."""
    if purpose not in WORD_ENDS[word.kind]:
        return False
    # email_marketing and direct_marketing, once ended, stay ended; so does quote_followup after an objection
    if purpose in ("email_marketing", "direct_marketing") or (purpose, word.kind) == ("quote_followup", "objection"):
        return True
    # For the rest a word ends what was there; unknown: it was there
    return born is None or born <= word.day


# -- the ledger of claims -------------------------------------------------------------------------------------------


class Ledger:
    """Claims and doubts, by record and data category."""

    def __init__(self, company: Company, people: People, words: Words) -> None:
        self.company, self.people, self.words = company, people, words
        self.claims: dict[tuple[str, str, str], list[Claim]] = defaultdict(list)
        self.doubts: dict[tuple[str, str, str], list[Doubt]] = defaultdict(list)

    def claim(
        self, kind: str, key: str | None, categories: str, purpose: str, end: date | None, born: date | None = None
    ) -> date | None:
        """Enter a claim through `end`, unless a word or the end of a contact's role ends it before; give its end."""
        if self.company.row(kind, key) is None:
            return None
        end = self._limit((kind, str(key)), purpose, end, born)
        for category in _categories(kind, categories):
            self.claims[kind, str(key), category].append(Claim(purpose, end))
        return end

    def doubt(
        self,
        kind: str,
        key: str | None,
        categories: str,
        purpose: str,
        reason: str,
        born: date | None = None,
        end: date | None = None,
    ) -> None:
        """Enter a missing or contradictory trigger; no doubt where the purpose could not have kept it anyway."""
        if self.company.row(kind, key) is None:
            return
        if self.words.limit((kind, str(key)), purpose, None, born) is not None:
            # the word's own day is the last day of the claim that it ends, whatever the trigger
            self.claim(kind, key, categories, purpose, None, born)
            return
        end = self._limit((kind, str(key)), purpose, end, born)
        for category in _categories(kind, categories):
            self.doubts[kind, str(key), category].append(Doubt(purpose, reason, end))

    def _limit(self, record: Record, purpose: str, end: date | None, born: date | None) -> date | None:
        end = self.words.limit(record, purpose, end, born)
        if record[0] == "contact" and purpose not in DUTIES:
            # no use claim holds a contact's own record longer than role_ended_at + P30D
            left = self.company.happened(self.company.rows["contact"][record[1]], "role_ended_at")
            end = earliest(end, plus(left, days=30) if left else None)
        return end


def _categories(kind: str, categories: str) -> list[str]:
    return list(FIELDS[kind]) if categories == "*" else categories.split()


# -- purposes: orders -----------------------------------------------------------------------------------------------


def _order_records(company: Company, order: Row) -> list[tuple[str, str]]:
    """The order's order.*, delivery.*, order_line.*, proof_approval.*."""
    kinds = ("order", "delivery", "order_line", "proof_approval")
    return [
        (kind, company.key(kind, row))
        for kind in kinds
        for row in company.children(kind, "order_id", order["order_id"])
    ] + [("order", str(order["order_id"]))]


def order_fulfilment(company: Company, ledger: Ledger) -> None:
    """The order is open; ends the day it closes."""
    for order in company.rows["order"].values():
        closed = closing(company, order)
        named = [("customer", order.get("customer_id")), ("contact", order.get("contact_id"))]
        for kind, key in {*_order_records(company, order), *named}:
            if closed.missing:
                ledger.doubt(kind, key, "*", "order_fulfilment", closed.missing)
            else:
                ledger.claim(kind, key, "*", "order_fulfilment", closed.day)


def invoicing(company: Company, ledger: Ledger) -> None:
    """From the start through the day the invoice is settled, and no longer than due_on + P30D."""
    for key, invoice in company.rows["invoice"].items():
        if invoice.get("kind") != "invoice":
            continue
        end, known = company.invoicing_end(invoice)
        customer = company.customer_of_invoice(invoice)
        covered = [
            ("invoice", key, "identity address transaction"),
            ("order", invoice.get("order_id"), "identity email address"),
            ("customer", customer["customer_id"] if customer else None, "identity email address"),
            *[("payment", each["payment_id"], "*") for each in company.children("payment", "invoice_id", key)],
        ]
        for kind, record, categories in covered:
            if known:
                ledger.claim(kind, record, categories, "invoicing", end)
            else:
                ledger.doubt(kind, record, categories, "invoicing", "neither due_on nor issued_on")


def complaint_evidence(company: Company, ledger: Ledger) -> None:
    """delivered_at + P3Y or P2Y. Applies where there are deliveries and the order is not cancelled."""
    for key, order in company.rows["order"].items():
        deliveries = company.deliveries(order)
        if not deliveries or order.get("status") == "cancelled":
            continue
        _evidence(company, ledger, order, ("order", key, "identity"), deliveries)
        for proof in company.children("proof_approval", "order_id", key):
            _evidence(company, ledger, order, ("proof_approval", str(proof["proof_id"]), "*"), deliveries)
        for line in company.children("order_line", "order_id", key):
            own = company.row("delivery", line.get("delivery_id"))  # a line by its own delivery
            target = ("order_line", str(line["order_line_id"]), "transaction")
            _evidence(company, ledger, order, target, [own] if own else deliveries)


def _evidence(
    company: Company, ledger: Ledger, order: Row, target: tuple[str, str, str], deliveries: list[Row]
) -> None:
    kind, key, categories = target
    days = [company.delivered(delivery) for delivery in deliveries]
    last, capacity = latest(days), company.capacity(order)
    if last and capacity is None:  # until even the longer period is over
        ledger.doubt(kind, key, categories, "complaint_evidence", "no capacity", end=plus(last, years=3))
    elif last:
        end = plus(last, years=3 if capacity == "private" else 2)
        ledger.claim(kind, key, categories, "complaint_evidence", end)
    if not all(days) and not closing(company, order).open:
        ledger.doubt(kind, key, categories, "complaint_evidence", "no delivered_at")


def open_complaint(company: Company, ledger: Ledger) -> None:
    """The complaint is open; after it closes P1Y for content and names, nothing for the rest."""
    for key, complaint in company.rows["complaint"].items():
        closed, opened = company.happened(complaint, "closed_at"), local_day(complaint.get("opened_at"))
        after = plus(closed, years=1) if closed else None
        order = company.order_of(complaint)
        covered = [("complaint", key, "content", after)]
        if order:
            covered += _complained(company, order, closed, after)
        for kind, record, categories, end in covered:
            if closed and opened and closed < opened:
                ledger.doubt(kind, record, categories, "open_complaint", "closed before it was opened")
            else:
                ledger.claim(kind, record, categories, "open_complaint", end)


def _complained(
    company: Company, order: Row, closed: date | None, after: date | None
) -> list[tuple[str, str, str, date | None]]:
    """What an order's complaint covers besides itself: order.*, lines, proofs, customer.identity, email, phone."""
    order_id, customer_id = str(order["order_id"]), str(order.get("customer_id"))
    proofs = company.children("proof_approval", "order_id", order_id)
    lines = company.children("order_line", "order_id", order_id)
    return [
        ("order", order_id, "identity", after),
        ("order", order_id, "email phone address", closed),
        ("customer", customer_id, "identity", after),
        ("customer", customer_id, "email phone", closed),
        *[("order_line", str(line["order_line_id"]), "transaction", closed) for line in lines],
        *[("proof_approval", str(proof["proof_id"]), "*", closed) for proof in proofs],
    ]


# -- purposes: money ------------------------------------------------------------------------------------------------


def accounting(company: Company, ledger: Ledger) -> None:
    """31 December of (the calendar year in which the fiscal year of the chain's latest voucher ended + 7)."""
    for key, invoice in company.rows["invoice"].items():
        end = accounting_end(company, _chain_root(company, invoice))
        _account(ledger, ("invoice", key, "identity address transaction"), end)
        for payment in company.children("payment", "invoice_id", key):
            _account(ledger, ("payment", str(payment["payment_id"]), "*"), end)
        if not _is_invoice_of_its_order(company, invoice):
            continue
        for line in company.children("order_line", "order_id", invoice.get("order_id")):
            if company.order_of(line):
                _account(ledger, ("order_line", str(line["order_line_id"]), "transaction"), end)
    for key, payment in company.rows["payment"].items():
        if company.orphan(("payment", key)):  # a payment without its invoice is a chain of its own
            paid = company.happened(payment, "paid_at")
            _account(ledger, ("payment", key, "*"), _archive_end(company, paid) if paid else None)


def _is_invoice_of_its_order(company: Company, invoice: Row) -> bool:
    """An order line takes the latest end of its order's invoices: of its credit notes where there are none."""
    others = company.children("invoice", "order_id", invoice.get("order_id"))
    return invoice.get("kind") == "invoice" or all(other.get("kind") == "credit_note" for other in others)


def _account(ledger: Ledger, target: tuple[str, str, str], end: date | None) -> None:
    if end:
        ledger.claim(*target, "accounting", end)
    else:
        ledger.doubt(*target, "accounting", "no voucher dated")


def _chain_root(company: Company, invoice: Row) -> Row:
    """The invoice of the chain; a credit note without its invoice is a chain of its own."""
    if invoice.get("kind") != "credit_note":
        return invoice
    parent = company.row("invoice", invoice.get("refers_to_invoice_id"))
    return parent if parent and parent.get("kind") == "invoice" else invoice


def accounting_end(company: Company, root: Row) -> date | None:
    """The whole chain shares the end that its latest voucher gives."""
    chain = [root]
    if root.get("kind") == "invoice":
        notes = company.children("invoice", "refers_to_invoice_id", root["invoice_id"])
        chain += [note for note in notes if note.get("kind") == "credit_note"]
    days = [voucher_day(each) for each in chain]
    for each in chain:
        payments = company.children("payment", "invoice_id", each["invoice_id"])
        days += [company.happened(payment, "paid_at") for payment in payments]
    last = latest(days)
    return _archive_end(company, last) if last else None


def _archive_end(company: Company, day: date) -> date:
    """A day outside every fiscal year counts by the calendar year."""
    ended = [
        local_day(year.get("ends_on"))
        for year in company.exports.get("office/fiscal_years", [])
        if (local_day(year.get("starts_on")) or date.max) <= day <= (local_day(year.get("ends_on")) or date.min)
    ]
    return date((latest(ended) or day).year + 7, 12, 31)


def debt_collection(company: Company, ledger: Ledger) -> None:
    """Per invoice: ends the day the clock lapses, or the day the claim is extinguished if that is before."""
    for key, invoice in company.rows["invoice"].items():
        if invoice.get("kind") == "invoice":
            _debt(company, ledger, key, invoice)


def _debt(company: Company, ledger: Ledger, key: str, invoice: Row) -> None:
    customer = company.customer_of_invoice(invoice)
    customer_id = customer["customer_id"] if customer else None
    events = [str(event["claim_event_id"]) for event in company.children("claim_event", "invoice_id", key)]
    covered = [("customer", customer_id), ("invoice", key), *[("claim_event", event) for event in events]]
    capacity = company.capacity(company.order_of(invoice), invoice)
    lapse = _lapse(company, invoice, 3 if capacity == "private" else 10)  # missing: the longer period
    extinguished = _extinguished(company, invoice)
    end = earliest(lapse, extinguished)
    for kind, record in covered:
        if (capacity and lapse) or (extinguished and extinguished <= company.as_of):
            ledger.claim(kind, record, "*", "debt_collection", end)
        else:
            ledger.doubt(kind, record, "*", "debt_collection", "no capacity" if lapse else "no start", end=end)
    # then customer.national_id and invoice.national_id stay P30D more (a lapsed clock gives no grace)
    if extinguished and (lapse is None or extinguished < lapse):
        for kind, record in (("customer", customer_id), ("invoice", key)):
            ledger.claim(kind, record, "national_id", "debt_collection", plus(extinguished, days=30))


def _extinguished(company: Company, invoice: Row) -> date | None:
    """The day the claim is extinguished: settled, assigned, written_off."""
    events = company.children("claim_event", "invoice_id", invoice["invoice_id"])
    days = [company.happened(event, "occurred_at") for event in events if event.get("event") in EXTINGUISHES]
    return earliest(company.settled(invoice), *days)


def _lapse(company: Company, invoice: Row, years: int) -> date | None:
    """The clock: from the order's last delivered_at, else placed_at, else issued_on; restarted while it still runs."""
    order = company.order_of(invoice)
    arose = company.last_delivered(order) or local_day(order.get("placed_at")) if order else None
    arose = arose or local_day(invoice.get("issued_on"))
    if arose is None:
        return None
    lapse = plus(arose, years=years)
    for day in sorted(_restarts(company, invoice)):
        if arose <= day <= lapse:
            lapse = plus(day, years=years)
    return lapse


def _restarts(company: Company, invoice: Row) -> list[date]:
    """demand_received, acknowledged, part_paid, filed, judgment, and a payment above zero that leaves a balance."""
    events = company.children("claim_event", "invoice_id", invoice["invoice_id"])
    days = [company.happened(event, "occurred_at") for event in events if event.get("event") in RESTARTS]
    balances = company.balances(invoice)
    for payment in company.children("payment", "invoice_id", invoice["invoice_id"]):
        paid = company.happened(payment, "paid_at")
        if paid and Decimal(str(payment["amount"])) > 0 and balances[paid] > 0:
            days.append(paid)
    return [day for day in days if day]


# -- purposes: holds ------------------------------------------------------------------------------------------------


def legal_hold(company: Company, ledger: Ledger) -> None:
    """From placed_at (missing: always) through released_at, open-ended until released."""
    for hold in company.exports.get("office/holds", []):
        placed, released = local_day(hold.get("placed_at")), company.happened(hold, "released_at")
        if placed and placed > company.as_of:
            continue
        if placed and released and released < placed:  # counts as not dated, as a delivery before its order
            released = None
        kind, key = str(hold.get("record_type")), hold.get("record_key")
        fields = [field.strip() for field in (hold.get("fields") or "").split(";") if field.strip()]
        if kind in FIELDS:
            ledger.claim(kind, key, _held(kind, fields), "legal_hold", released)
        if kind == "customer" and not fields:  # covers every record of that customer too
            for each in _records_of(company, ledger.people, str(key)):
                ledger.claim(*each, "*", "legal_hold", released)


def _held(kind: str, fields: list[str]) -> str:
    """The categories of the fields it lists, or all if it lists none or an unknown one."""
    category_of = {field: category for category, names in FIELDS[kind].items() for field in names}
    if not fields or any(field not in category_of for field in fields):
        return "*"
    return " ".join({category_of[field] for field in fields})


def _records_of(company: Company, people: People, customer_id: str) -> list[Record]:
    """Every record of a customer; a subscription or consent also where it names the customer beside a contact."""
    found = []
    for kind, rows in company.rows.items():
        for key, row in rows.items():
            root = company.row("subscriber", row.get("subscriber_id")) if kind == "send" else row
            names = kind in ("subscriber", "send", "consent") and root and root.get("customer_id") == customer_id
            if kind != "customer" and (names or customer_id in people.customers_of((kind, key))):
                found.append((kind, key))
    return found


# -- purposes: quotes, care, marketing ------------------------------------------------------------------------------


def quotes(company: Company, ledger: Ledger) -> None:
    """quote_open, quote_followup and the quotes' product_development."""
    for key, quote in company.rows["quote"].items():
        requested, sent, valid = (local_day(quote.get(each)) for each in ("requested_at", "sent_at", "valid_until"))
        last, born = latest([requested, sent, valid]), requested or sent
        after = plus(last, years=1) if last else None
        if quote.get("status") in ("requested", "sent"):
            # through valid_until; without one, requested_at + P90D
            through = valid or (plus(requested, days=90) if requested else None)
            for target in _quoted(company, key, quote, "identity email phone address"):
                _until(ledger, target, "quote_open", through, born)
        for target in _quoted(company, key, quote, "identity email phone"):
            _until(ledger, target, "quote_followup", after, born)
        _until(ledger, ("quote", key, "transaction"), "product_development", after, born)


def _quoted(company: Company, key: str, quote: Row, of_customer: str) -> list[tuple[str, str | None, str]]:
    """quote.*, quote_document.*; some of the customer; the named contact.*."""
    documents = company.children("quote_document", "quote_id", key)
    return [
        ("quote", key, "*"),
        ("customer", quote.get("customer_id"), of_customer),
        ("contact", quote.get("contact_id"), "*"),
        *[("quote_document", document["document_id"], "*") for document in documents],
    ]


def _until(
    ledger: Ledger, target: tuple[str, str | None, str], purpose: str, end: date | None, born: date | None
) -> date | None:
    """Enter a claim through a day, or, where the day is unknown, a missing trigger."""
    if end is None:
        ledger.doubt(*target, purpose, "no date", born)
        return None
    return ledger.claim(*target, purpose, end, born)


def customer_care(company: Company, ledger: Ledger) -> None:
    """case_closed_at, else occurred_at, + P1Y."""
    for key, interaction in company.rows["interaction"].items():
        occurred = local_day(interaction.get("occurred_at"))
        start = company.happened(interaction, "case_closed_at") or occurred
        end = plus(start, **CHANGEABLE["customer_care"]) if start else None
        _until(ledger, ("interaction", key, "content"), "customer_care", end, occurred)


def product_development(company: Company, ledger: Ledger) -> None:
    """order_line.transaction: order closed + P1Y."""
    for key, order in company.rows["order"].items():
        closed, born = closing(company, order), local_day(order.get("placed_at"))
        for line in company.children("order_line", "order_id", key):
            target = ("order_line", line["order_line_id"], "transaction", "product_development")
            if closed.missing:
                ledger.doubt(*target, closed.missing, born)
            else:
                ledger.claim(*target, plus(closed.day, years=1) if closed.day else None, born)


def marketing(company: Company, ledger: Ledger) -> None:
    """email_marketing and direct_marketing: relation end + P1Y."""
    for key, customer in company.rows["customer"].items():
        end = _relation_end(company, ledger, customer)
        after = plus(end, years=1) if end else None
        if company.is_company(customer):
            for contact in company.children("contact", "customer_id", key):
                _until(ledger, ("contact", contact["contact_id"], "*"), "direct_marketing", after, None)
            continue
        _until(ledger, ("customer", key, "identity phone address"), "direct_marketing", after, None)
        if any(order.get("status") != "cancelled" for order in company.children("order", "customer_id", key)):
            _until(ledger, ("customer", key, "identity email"), "email_marketing", after, None)


def _relation_end(company: Company, ledger: Ledger, customer: Row) -> date | None:
    """The exit if there is one, else last activity + P24M."""
    key = customer["customer_id"]
    exits = ledger.words.exits.get(str(key))
    if exits:
        return min(exits)
    sources = (("order", ("placed_at",)), ("quote", ("requested_at", "sent_at")), ("interaction", ("occurred_at",)))
    days = [local_day(customer.get("customer_since"))]
    for kind, columns in sources:
        days += [local_day(row.get(column)) for row in company.children(kind, "customer_id", key) for column in columns]
    last = latest(days)
    return plus(last, months=24) if last else None


# -- purposes: newsletter, web, proof -------------------------------------------------------------------------------


def newsletter(company: Company, ledger: Ledger) -> None:
    """Subscribers and their sends, then consents and their proof."""
    for key, subscriber in company.rows["subscriber"].items():
        end, subscribed = _subscription_end(company, subscriber), local_day(subscriber.get("subscribed_at"))
        _until(ledger, ("subscriber", key, "*"), "newsletter", end, subscribed)
        for send in company.children("send", "subscriber_id", key):
            # the send's claim is its subscriber's
            _until(ledger, ("send", str(send["send_id"]), "*"), "newsletter", end, subscribed)
    for key, consent in company.rows["consent"].items():
        _consent(company, ledger, key, consent)


def _subscription_end(company: Company, subscriber: Row) -> date | None:
    """The later of subscribed_at and last_opened_at + P2Y. Missing: subscribed_at."""
    subscribed = local_day(subscriber.get("subscribed_at"))
    if subscribed is None:
        return None
    last = max(subscribed, company.happened(subscriber, "last_opened_at") or subscribed)
    return plus(last, **CHANGEABLE["newsletter"])


def _consent(company: Company, ledger: Ledger, key: str, consent: Row) -> None:
    """consent.email by the purpose of the consent; consent.consent by accountability."""
    purpose, given = consent.get("purpose"), local_day(consent.get("given_at"))
    if purpose == "newsletter":
        own = plus(given, **CHANGEABLE["newsletter"]) if given else None
        end = latest([own, _last_newsletter_day(company, ledger, consent)]) if given else None
        if given and _doubtful_newsletter(company, ledger, consent):
            ledger.doubt("consent", key, "email", purpose, "a subscriber without subscribed_at", given)
            if ledger.words.limit(("consent", key), purpose, None, given) is None:  # nor then of its proof
                ledger.doubt("consent", key, "consent", "accountability", "a last day in doubt", given)
    elif purpose == "web_statistics":
        end = plus(given, months=13) if given else None
    else:  # what it allowed is not known, and an unknown erases no proof
        ledger.doubt("consent", key, "consent", "accountability", "no purpose", given)
        return
    last_day = _until(ledger, ("consent", key, "email"), purpose, end, given)
    if given is None:  # Missing: given_at, unless a word has ended it
        last_day = ledger.words.limit(("consent", key), purpose, None, None)
    proof = plus(last_day, years=5) if last_day else None
    _until(ledger, ("consent", key, "consent"), "accountability", proof, given)


def _subscribers_of(company: Company, ledger: Ledger, consent: Row) -> list[Row]:
    person = ledger.people.person_of_consent(consent)
    return ledger.people.rows_of(person, "subscriber") if person else []


def _last_newsletter_day(company: Company, ledger: Ledger, consent: Row) -> date | None:
    """The last day of the newsletter claims on that person's subscribers."""
    claims = [
        claim
        for subscriber in _subscribers_of(company, ledger, consent)
        for claim in ledger.claims["subscriber", str(subscriber["subscriber_id"]), "email"]
    ]
    return latest(claim.end for claim in claims if claim.purpose == "newsletter")


def _doubtful_newsletter(company: Company, ledger: Ledger, consent: Row) -> bool:
    """Tell whether a missing trigger may keep a newsletter claim of that person's subscribers."""
    return any(
        doubt.end is None or doubt.end >= company.as_of
        for subscriber in _subscribers_of(company, ledger, consent)
        for doubt in ledger.doubts["subscriber", str(subscriber["subscriber_id"]), "email"]
    )


def web(company: Company, ledger: Ledger) -> None:
    """web_security: occurred_at + P90D; web_statistics where statistics_consent is true: occurred_at + P13M."""
    for key, event in company.rows["web_event"].items():
        occurred = local_day(event.get("occurred_at"))
        security, statistics = (plus(occurred, days=90), plus(occurred, months=13)) if occurred else (None, None)
        _until(ledger, ("web_event", key, "device"), "web_security", security, occurred)
        if (event.get("statistics_consent") or "").strip().lower() == "true":
            _until(ledger, ("web_event", key, "behaviour"), "web_statistics", statistics, occurred)


def orphans(company: Company, ledger: Ledger) -> None:
    """Orphans: review where no purpose of its own keeps it."""
    for kind, (column, parent) in PARENTS.items():
        for key in company.rows[kind]:
            if company.orphan((kind, key)):
                for category in FIELDS[kind]:
                    ledger.doubts[kind, key, category].append(Doubt("orphan", f"no {parent} by its {column}", None))


PURPOSES: tuple[Callable[[Company, Ledger], None], ...] = (
    order_fulfilment,
    invoicing,
    accounting,
    debt_collection,
    complaint_evidence,
    open_complaint,
    legal_hold,
    quotes,
    customer_care,
    newsletter,
    marketing,
    product_development,
    web,
    orphans,
)


# -- disposition ----------------------------------------------------------------------------------------------------


def evaluate(exports: Exports, as_of: date) -> dict[tuple[str, str, str], Decision]:
    """Give the decision for every field of every record in one snapshot of the exports."""
    company = Company(exports, as_of)
    people = People(company)
    ledger = Ledger(company, people, Words(company, people))
    for purpose in PURPOSES:
        purpose(company, ledger)
    return {
        (kind, key, field): decision
        for kind, rows in company.rows.items()
        for key in rows
        for category, fields in FIELDS[kind].items()
        for decision in [_decide(company, ledger, kind, key, category)]
        for field in fields
    }


def _decide(company: Company, ledger: Ledger, kind: str, key: str, category: str) -> Decision:
    """Restriction, use, duty, doubt, nothing: in that order."""
    if kind == "customer" and company.is_company(company.rows[kind][key]):
        return Decision("not_personal", None, (), "a company's own record")
    at = (kind, key, category)
    active = [claim for claim in ledger.claims[at] if claim.end is None or claim.end >= company.as_of]
    doubts = [doubt for doubt in ledger.doubts[at] if doubt.end is None or doubt.end >= company.as_of]
    purposes = tuple(sorted({claim.purpose for claim in active}))
    if ledger.words.restricts((kind, key)):
        return Decision("restrict", None, purposes, "Art 18")
    if active:
        ends = [claim.end for claim in active]
        keep_until = None if None in ends else latest(ends)
        disposition = "restrict" if DUTIES.issuperset(purposes) else "retain"
        return Decision(disposition, keep_until, purposes, ", ".join(purposes))
    if doubts:
        reasons = sorted({f"{doubt.purpose}: {doubt.reason}" for doubt in doubts})
        return Decision("review", None, (), "; ".join(reasons))
    ended = sorted({f"{claim.purpose} ended {claim.end}" for claim in ledger.claims[at]})
    return Decision("erase", None, (), "; ".join(ended) or "no purpose")
