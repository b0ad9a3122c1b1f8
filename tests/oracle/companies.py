"""Small adversarial companies: every clause of the rules, on, before and after its days.

`random_company(seed)` is deterministic. Dates cluster around the day of evaluation less a rule's period, give or take a
day; references dangle, people come twice, words are many. No row breaks a contract: nothing here is to be quarantined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random

from tests.oracle.evaluator import Exports, Row, plus

NUMBERS = (
    "199006022397",
    "199107172380",
    "200002292399",
    "201701012393",
    "202402292383",
    "189001019802",
    "202601612381",  # a samordningsnummer
)
BROKEN_NUMBERS = ("199006022398", "12345", "19900602239", "199013022397", "199002302397", "9006022397x", "202100-5489")
NAMES = ("Anna Testman", "Bo Provsson", "Cia Fiktivsson", "Dan Exempelgren", "Åsa Öberg Prov", "Eva Testman")
HOSTS = ("hem.example", "arbete.example")
LAST_DAYS = (
    date(2024, 2, 29),
    date(2025, 2, 28),
    date(2025, 3, 1),
    date(2025, 12, 31),
    date(2026, 1, 1),
    date(2026, 3, 30),  # the day after summer time began
    date(2026, 10, 26),  # the day after it ended
    date(2027, 2, 28),
    date(2028, 2, 29),
)
YEARS = {"years": 1}, {"years": 2}, {"years": 3}, {"years": 5}, {"years": 10}, {"years": 8}
MONTHS = {"months": 24}, {"months": 13}, {"months": 36}
DAYS = {"days": 30}, {"days": 60}, {"days": 90}, {"days": 0}
PERIODS: tuple[dict[str, int], ...] = (*YEARS, *MONTHS, *DAYS)

EVENTS = (
    "demand_received",
    "demand_returned",
    "acknowledged",
    "part_paid",
    "judgment",
    "assigned",
    "commissioned",
    "recalled",
    "written_off",
    "filed",
)
KINDS = (
    *("erasure",) * 4,
    *("objection",) * 3,
    *("withdrawal",) * 4,
    *("termination",) * 3,
    "restriction",
    "rectification",
    "access",
    "portability",
)
HOLDABLE = {
    "customer": ("crm/customers", "customer_id", ("name", "email", "national_id", "street", "birth_date")),
    "contact": ("crm/contacts", "contact_id", ("name", "job_title", "phone")),
    "interaction": ("crm/interactions", "interaction_id", ("subject", "body")),
    "quote": ("crm/quotes", "quote_id", ("request_text", "amount")),
    "consent": ("crm/consents", "consent_id", ("email", "evidence")),
    "order": ("orders/orders", "order_id", ("buyer_name", "buyer_email", "invoice_city")),
    "order_line": ("orders/order_lines", "order_line_id", ("product",)),
    "proof_approval": ("orders/proof_approvals", "proof_id", ("approved_by", "version")),
    "invoice": ("orders/invoices", "invoice_id", ("buyer_national_id", "amount")),
    "payment": ("orders/payments", "payment_id", ("payer_name",)),
    "subscriber": ("mailing/subscribers", "subscriber_id", ("email", "last_opened_at")),
    "send": ("mailing/sends", "send_id", ("campaign",)),
    "web_event": ("web/events", "event_id", ("ip", "url")),
}


class Maker:
    """One company in the making."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = Random(seed)
        self.size = size
        self.as_of = self.random.choice(LAST_DAYS)
        self.missing = self.random.choice((0.02, 0.06, 0.15))
        self.exports: Exports = {}

    # -- chance

    def chance(self, share: float) -> bool:
        """Tell yes in a share of the cases."""
        return self.random.random() < share

    def pick(self, *options: str | None) -> str | None:
        """Choose one option."""
        return self.random.choice(options)

    def some(self, value: str | None, share: float = 0.0) -> str | None:
        """Give the value, or now and then nothing."""
        return None if self.chance(share or self.missing) else value

    def add(self, table: str, row: Row) -> Row:
        """Add a row to an export."""
        self.exports.setdefault(table, []).append(row)
        return row

    def key(self, table: str, prefix: str) -> str:
        """Give the next key of a table."""
        return f"{prefix}{len(self.exports.get(table, [])) + 1}"

    def reference(self, table: str, column: str, *, missing: float = 0.0) -> str | None:
        """Name a row of a table: now and then none, or one that is not there."""
        if self.chance(missing or self.missing / 2):
            return None
        if self.chance(self.missing / 2):
            return "X99"
        rows = self.exports.get(table, [])
        return self.random.choice(rows)[column] if rows else "X98"

    # -- time

    def day(self, *periods: dict[str, int]) -> date:
        """Choose a day: mostly the day of evaluation less a period, give or take one; seldom to come, or any."""
        roll = self.random.random()
        if roll < 0.06:
            return self.as_of + timedelta(days=self.random.choice((1, 1, 2, 40, 400)))
        if roll < 0.12:
            return self.random.choice((date(2020, 2, 29), date(2024, 2, 29), date(2016, 2, 29)))
        if roll < 0.30:
            return self.as_of - timedelta(days=self.random.randrange(1500))
        period = self.random.choice(periods or PERIODS)
        back = plus(self.as_of, years=-period.get("years", 0), months=-period.get("months", 0))
        return back - timedelta(days=period.get("days", 0) + self.random.choice((-1, 0, 0, 1)))

    def after(self, day: date, most: int) -> date:
        """Choose a day a little later; now and then, by mistake, earlier."""
        if self.chance(0.04):
            return day - timedelta(days=self.random.choice((1, 5)))
        return day + timedelta(days=self.random.choice((0, 0, 1, self.random.randrange(most + 1))))

    def on(self, day: date) -> str | None:
        """Write a date, or now and then nothing."""
        return self.some(day.isoformat())

    def at(self, day: date, missing: float = 0.0) -> str | None:
        """Write an instant, close to midnight as often as not, or a mere date; now and then nothing."""
        time = self.random.choice(
            (
                "",
                "T12:00:00+01:00",
                "T12:00:00+02:00",
                "T23:30:00Z",
                "T22:30:00Z",
                "T21:59:59Z",
                "T22:00:00Z",
                "T23:00:00Z",
                "T00:00:00+01:00",
                "T00:30:00+02:00",
                "T23:59:59+01:00",
                "T23:59:59+02:00",
            )
        )
        return self.some(f"{day.isoformat()}{time}", missing)

    # -- people

    def name(self, person: int) -> str | None:
        """Write a person's name, in one of its spellings."""
        name = NAMES[person % len(NAMES)]
        return self.some(self.pick(name, name, name.upper(), f" {name.replace(' ', '  ')} ", name.lower()))

    def email(self, person: int) -> str | None:
        """Write a person's address, in one of its spellings."""
        name = ("anna", "bo", "cia", "dan", "asa", "familjen")[person % 6]
        address = f"{name}{person // 6 or ''}@{HOSTS[person % 2]}"
        if self.chance(0.08):
            address = "familjen@hem.example"  # shared by people of other names
        return self.some(self.pick(address, address, address.upper(), f" {address} "))

    def number(self, share: float) -> str | None:
        """Write a personnummer with ten or twelve digits, - or +, or one that is not valid."""
        if not self.chance(share):
            return None
        if self.chance(0.2):
            return self.random.choice(BROKEN_NUMBERS)
        whole = self.random.choice(NUMBERS)
        sign = "+" if whole.startswith("18") else "-"
        return self.pick(whole, whole[2:], f"{whole[2:8]}{sign}{whole[8:]}", f"{whole[:8]}-{whole[8:]}")

    def phone(self) -> str | None:
        """Choose a number of those set aside for fiction."""
        return self.some(f"070-17406{self.random.randrange(5, 100):02}")

    def person(self) -> int:
        """Choose a person; the same one comes back often."""
        return self.random.randrange(max(6, self.size // 2))


# -- crm ------------------------------------------------------------------------------------------------------------


def customers(make: Maker) -> None:
    """Private persons, sole traders and companies; some of them twice."""
    for _ in range(max(3, make.size // 2)):
        person, kind = make.person(), make.random.choice(("private",) * 5 + ("sole_trader",) * 2 + ("company",) * 3)
        company = kind == "company"
        make.add(
            "crm/customers",
            {
                "customer_id": make.key("crm/customers", "C"),
                "customer_type": kind,
                "name": "Exempelbolaget AB" if company else make.name(person),
                "national_id": None if company else make.number(0.25),
                "org_number": "202100-5489" if company else make.number(0.3 if kind == "sole_trader" else 0.05),
                "email": make.email(person),
                "phone": make.phone(),
                "street": make.some("Provgatan 1"),
                "postal_code": make.some("123 45"),
                "city": make.some("Teststad"),
                "country": make.some("SE"),
                "birth_date": make.some("1990-06-02", 0.7),
                "customer_since": make.some(make.day({"months": 36}, {"months": 24}).isoformat(), 0.3),
                "relation_ended_at": make.at(make.day({"days": 0}, {"years": 1}), 0.8),
                "deceased_on": make.some(make.day({"days": 0}, {"days": 30}).isoformat(), 0.92),
            },
        )


def contacts(make: Maker) -> None:
    """Contacts of companies, of private customers, of nobody; roles that have ended or will."""
    for _ in range(make.size // 3):
        person = make.person()
        make.add(
            "crm/contacts",
            {
                "contact_id": make.key("crm/contacts", "K"),
                "customer_id": customer_of_kind(make, "company") if make.chance(0.7) else customer_id(make),
                "name": make.name(person),
                "email": make.email(person),
                "phone": make.phone(),
                "job_title": make.some("ekonom"),
                "role_ended_at": make.at(make.day({"days": 30}, {"days": 0}), 0.6),
            },
        )


def customer_id(make: Maker, missing: float = 0.0) -> str | None:
    """Name a customer."""
    return make.reference("crm/customers", "customer_id", missing=missing)


def customer_of_kind(make: Maker, kind: str) -> str | None:
    """Name a customer of one kind, where there is one."""
    rows = [row for row in make.exports["crm/customers"] if row["customer_type"] == kind]
    return make.random.choice(rows)["customer_id"] if rows else None


def contact_id(make: Maker, customer: str | None) -> str | None:
    """Name a contact of the customer as a rule; now and then another's, or one that is not there."""
    own = [row for row in make.exports.get("crm/contacts", []) if row["customer_id"] == customer]
    if own and make.chance(0.6):
        return make.random.choice(own)["contact_id"]
    return make.reference("crm/contacts", "contact_id") if make.chance(0.12) else None


def interactions(make: Maker) -> None:
    """Notes, with and without a case."""
    for _ in range(make.size // 3):
        customer, occurred = customer_id(make), make.day({"years": 1}, {"months": 36})
        make.add(
            "crm/interactions",
            {
                "interaction_id": make.key("crm/interactions", "N"),
                "customer_id": customer,
                "contact_id": contact_id(make, customer),
                "channel": make.pick("note", "email", "meeting", "phone"),
                "occurred_at": make.at(occurred),
                "case_closed_at": make.at(make.day({"years": 1}, {"days": 0}), 0.6),
                "subject": make.some("samtal"),
                "body": make.some("om ramen"),
            },
        )


def quotes(make: Maker) -> None:
    """Quotes with every combination of their three dates, and documents."""
    for _ in range(make.size // 3):
        customer, requested = customer_id(make), make.day({"years": 1}, {"days": 90}, {"days": 0})
        quote = make.add(
            "crm/quotes",
            {
                "quote_id": make.key("crm/quotes", "Q"),
                "customer_id": customer,
                "contact_id": contact_id(make, customer),
                "requested_at": make.at(requested, 0.25),
                "sent_at": make.at(make.after(requested, 20), 0.3),
                "valid_until": make.some(make.day({"days": 0}, {"years": 1}).isoformat(), 0.45),
                "status": make.pick("requested", "sent", "sent", "accepted", "declined", "expired", "withdrawn"),
                "request_text": make.some("50 tavlor"),
                "amount": make.some("2500.00"),
                "currency": "SEK",
            },
        )
        for _ in range(make.random.randrange(2)):
            document(make, quote["quote_id"])
    if make.chance(0.3):
        document(make, make.pick(None, "X99"))


def document(make: Maker, quote_id: str | None) -> None:
    """A document of a quote, or an orphan."""
    make.add(
        "crm/quote_documents",
        {
            "document_id": make.key("crm/quote_documents", "F"),
            "quote_id": quote_id,
            "file_name": make.some("ritning.pdf"),
            "uri": make.some("s3://offert/f.pdf"),
            "added_at": make.at(make.day()),
        },
    )


# -- newsletter and consent -----------------------------------------------------------------------------------------


def named(make: Maker) -> tuple[str | None, str | None]:
    """Name a customer, a contact, both, or, most often, neither."""
    customer = customer_id(make) if make.chance(0.4) else None
    contact = contact_id(make, customer) if customer else None
    if customer is None and make.chance(0.3):
        contact = make.reference("crm/contacts", "contact_id")
    return customer, contact


def consents(make: Maker) -> None:
    """Newsletter and statistics consents, withdrawn before, on and after they were given."""
    for _ in range(make.size // 3):
        customer, contact = named(make)
        given = make.day({"years": 2}, {"months": 13}, {"years": 7}, {"years": 5}, {"days": 0})
        withdrawn = make.after(given, 400) if make.chance(0.5) else make.day({"days": 0}, {"years": 5})
        make.add(
            "crm/consents",
            {
                "consent_id": make.key("crm/consents", "S"),
                "customer_id": customer,
                "contact_id": contact,
                "email": make.email(make.person()),
                "purpose": make.pick("newsletter", "newsletter", "web_statistics"),
                "given_at": make.at(given),
                "withdrawn_at": make.at(withdrawn, 0.65),
                "evidence": make.some("formulär v3"),
            },
        )


def subscribers(make: Maker) -> None:
    """Subscriptions, some of them the second one, and what was sent."""
    for _ in range(make.size // 3):
        person, (customer, contact) = make.person(), named(make)
        subscribed = make.day({"years": 2}, {"days": 0}, {"years": 1})
        subscriber = make.add(
            "mailing/subscribers",
            {
                "subscriber_id": make.key("mailing/subscribers", "M"),
                "customer_id": customer,
                "contact_id": contact,
                "email": make.email(person),
                "name": make.name(person),
                "list": "nyhetsbrev",
                "subscribed_at": make.at(subscribed),
                "unsubscribed_at": make.at(make.after(subscribed, 500), 0.75),
                "last_opened_at": make.at(make.day({"years": 2}, {"days": 0}), 0.6),
            },
        )
        for _ in range(make.random.randrange(3)):
            send(make, subscriber["subscriber_id"], make.after(subscribed, 300))
    if make.chance(0.3):
        send(make, make.pick(None, "X99"), make.day())


def send(make: Maker, subscriber_id: str | None, day: date) -> None:
    """A mail of a campaign."""
    make.add(
        "mailing/sends",
        {
            "send_id": make.key("mailing/sends", "U"),
            "subscriber_id": subscriber_id,
            "campaign": make.some("vår"),
            "sent_at": make.at(day),
            "opened_at": make.at(make.after(day, 3), 0.5),
        },
    )


def web_events(make: Maker) -> None:
    """Visits with and without consent, by customers and by nobody."""
    for _ in range(make.size // 4):
        make.add(
            "web/events",
            {
                "event_id": make.key("web/events", "E"),
                "customer_id": customer_id(make, 0.3),
                "cookie_id": make.some("k-11"),
                "ip": make.some("192.0.2.10"),
                "user_agent": make.some("Testläsare/1.0"),
                "kind": "page",
                "url": make.some("https://butik.example/"),
                "statistics_consent": make.pick("true", "true", "false", None),
                "occurred_at": make.at(make.day({"months": 13}, {"days": 90}, {"days": 0})),
            },
        )


# -- orders ---------------------------------------------------------------------------------------------------------


def orders(make: Maker) -> None:
    """Orders with what hangs on them."""
    for _ in range(max(2, make.size // 2)):
        customer = customer_id(make)
        delivered = make.day({"years": 2}, {"years": 3}, {"years": 10}, {"months": 24}, {"days": 0}, {"days": 60})
        placed = delivered - timedelta(days=make.random.choice((0, 1, 10, 30)))
        order = make.add("orders/orders", order_row(make, customer, placed, delivered))
        deliveries(make, order["order_id"], delivered)
        lines(make, order["order_id"])
        for _ in range(make.random.choice((0, 1, 1, 2))):
            invoice(make, order, make.after(delivered, 10))
        if make.chance(0.2):
            complaint(make, order["order_id"])


def order_row(make: Maker, customer: str | None, placed: date, delivered: date) -> Row:
    """An order: open, closed on a day or without one, cancelled, closed before it was placed."""
    closed = placed - timedelta(days=1) if make.chance(0.05) else make.after(delivered, 40)
    if make.chance(0.25):
        closed = make.day({"years": 1}, {"days": 0})
    status = make.pick("open", "open", "delivered", "delivered", "closed", "closed", "closed", "cancelled")
    stated = status in ("closed", "cancelled") or make.chance(0.15)
    return {
        "order_id": make.key("orders/orders", "O"),
        "customer_id": customer,
        "contact_id": contact_id(make, customer),
        "purchase_capacity": make.pick("private", "business", None),
        "placed_at": make.at(placed),
        "status": status,
        "closed_at": make.at(closed, 0.15) if stated else None,
        "buyer_name": make.some("Anna Testman"),
        "buyer_email": make.some("anna@hem.example"),
        "buyer_phone": make.phone(),
        "invoice_street": make.some("Provgatan 1"),
        "invoice_postal_code": make.some("123 45"),
        "invoice_city": make.some("Teststad"),
    }


def deliveries(make: Maker, order_id: str | None, delivered: date) -> None:
    """None, one or two deliveries; some not yet made, some before the order was placed."""
    for number in range(make.random.choice((0, 1, 1, 1, 2))):
        day = delivered + timedelta(days=number * make.random.choice((0, 1, 40)))
        make.add(
            "orders/deliveries",
            {
                "delivery_id": make.key("orders/deliveries", "D"),
                "order_id": order_id,
                "contact_name": make.some("Anna Testman"),
                "phone": make.phone(),
                "street": make.some("Provgatan 1"),
                "postal_code": make.some("123 45"),
                "city": make.some("Teststad"),
                "delivered_at": make.at(day - timedelta(days=60) if make.chance(0.06) else day),
            },
        )


def lines(make: Maker, order_id: str | None) -> None:
    """Order lines by their own delivery or none, and proofs."""
    own = [row["delivery_id"] for row in make.exports.get("orders/deliveries", []) if row["order_id"] == order_id]
    for _ in range(make.random.choice((0, 1, 1, 2))):
        make.add(
            "orders/order_lines",
            {
                "order_line_id": make.key("orders/order_lines", "L"),
                "order_id": order_id,
                "delivery_id": make.pick("X99", None) if make.chance(0.15) or not own else make.pick(*own),
                "product": make.some("Fotobok"),
                "description": make.some("40 sidor"),
                "quantity": make.some("1"),
                "unit_price": make.some("500.00"),
            },
        )
    if make.chance(0.5):
        make.add(
            "orders/proof_approvals",
            {
                "proof_id": make.key("orders/proof_approvals", "P"),
                "order_id": order_id,
                "approved_by": make.some("Anna Testman"),
                "approved_at": make.at(make.day()),
                "version": make.some("v1"),
                "file_uri": make.some("s3://korrektur/p.pdf"),
            },
        )


def complaint(make: Maker, order_id: str | None) -> None:
    """A complaint: open, closed, closed before it was opened."""
    closed = make.day({"years": 1}, {"days": 0})
    opened = closed + timedelta(days=3) if make.chance(0.1) else closed - timedelta(days=make.random.choice((0, 30)))
    make.add(
        "orders/complaints",
        {
            "complaint_id": make.key("orders/complaints", "R"),
            "order_id": order_id,
            "opened_at": make.at(opened),
            "closed_at": make.at(closed, 0.3),
            "channel": make.some("email"),
            "description": make.some("repig"),
        },
    )


# -- money ----------------------------------------------------------------------------------------------------------


def invoice(make: Maker, order: Row | None, issued: date) -> None:
    """An invoice: usual, zero or negative; with credit notes, payments and claim events."""
    amount = make.pick("1000.00", "1000.00", "1000.00", "1000.00", "1000.00", "0.00", "-200.00")
    own = order["customer_id"] if order and make.chance(0.85) else customer_id(make, 0.5)
    row = make.add(
        "orders/invoices", money_row(make, "invoice", own, order["order_id"] if order else make.pick(None, "X99"))
    )
    row |= {
        "issued_on": make.on(issued),
        "booked_on": make.some(issued.isoformat(), 0.3),
        "due_on": make.some((issued + timedelta(days=30)).isoformat(), 0.4),
        "amount": amount,
    }
    if make.chance(0.25):
        credit_note(make, row, issued)
    payments(make, row["invoice_id"], issued)
    for _ in range(make.random.choice((0, 0, 0, 1, 2))):
        claim_event(make, row["invoice_id"])


def money_row(make: Maker, kind: str, customer: str | None, order_id: str | None) -> Row:
    """What an invoice and a credit note have in common."""
    key = make.key("orders/invoices", "I")
    return {
        "invoice_id": key,
        "invoice_number": f"2025-{key}",
        "order_id": order_id,
        "customer_id": customer,
        "kind": kind,
        "refers_to_invoice_id": None,
        "issued_on": None,
        "booked_on": None,
        "due_on": None,
        "amount": "1000.00",
        "currency": "SEK",
        "buyer_name": make.some("Anna Testman"),
        "buyer_street": make.some("Provgatan 1"),
        "buyer_postal_code": make.some("123 45"),
        "buyer_city": make.some("Teststad"),
        "buyer_national_id": make.number(0.5),
    }


def credit_note(make: Maker, of: Row | None, issued: date) -> None:
    """A credit note: full, partial, of an unknown invoice, still to come."""
    day = make.day({"days": 30}, {"days": 0}, {"years": 8}) if make.chance(0.4) else make.after(issued, 60)
    customer, order_id = (of["customer_id"], of["order_id"]) if of else (customer_id(make), None)
    row = make.add("orders/invoices", money_row(make, "credit_note", customer, order_id))
    row |= {
        "refers_to_invoice_id": of["invoice_id"] if of else make.pick(None, "X99"),
        "issued_on": make.on(day),
        "booked_on": make.some(make.after(day, 20).isoformat(), 0.5),
        "amount": make.pick("1000.00", "300.00", "1500.00"),
    }


def payments(make: Maker, invoice_id: str | None, issued: date) -> None:
    """Paid in full, in parts, too much, before the invoice, paid back."""
    amounts = make.random.choice(
        ((), (), ("1000.00",), ("1000.00",), ("400.00",), ("400.00", "600.00"), ("1000.00", "-1000.00"), ("1200.00",))
    )
    for amount in amounts:
        day = make.day({"days": 30}, {"years": 3}, {"days": 0}, {"years": 8}) if make.chance(0.5) else issued
        payment(make, invoice_id, make.after(day, 40), amount)


def payment(make: Maker, invoice_id: str | None, day: date, amount: str) -> None:
    """A payment, of an invoice or an orphan."""
    make.add(
        "orders/payments",
        {
            "payment_id": make.key("orders/payments", "B"),
            "invoice_id": invoice_id,
            "paid_at": make.at(day),
            "amount": amount,
            "payer_name": make.some("Anna Testman"),
        },
    )


def claim_event(make: Maker, invoice_id: str | None) -> None:
    """Something that happened to a debt, around the days on which its clock lapses."""
    make.add(
        "orders/claim_events",
        {
            "claim_event_id": make.key("orders/claim_events", "H"),
            "invoice_id": invoice_id,
            "event": make.random.choice(EVENTS),
            "occurred_at": make.at(make.day({"years": 3}, {"years": 10}, {"days": 0}, {"days": 30}, {"years": 1})),
            "note": make.some("krav"),
        },
    )


def strays(make: Maker) -> None:
    """Orphans, invoices without an order, payments on a credit note."""
    for order_id in (None, "X99"):
        if make.chance(0.3):
            deliveries(make, order_id, make.day())
            lines(make, order_id)
        if make.chance(0.2):
            complaint(make, order_id)
        if make.chance(0.2):
            payment(make, order_id, make.day({"years": 8}), "100.00")
        if make.chance(0.2):
            claim_event(make, order_id)
    if make.chance(0.4):
        invoice(make, None, make.day({"years": 3}, {"years": 10}, {"years": 8}))
    if make.chance(0.4):
        credit_note(make, None, make.day({"years": 8}))
    notes = [row for row in make.exports.get("orders/invoices", []) if row["kind"] == "credit_note"]
    if notes and make.chance(0.15):
        payment(make, make.random.choice(notes)["invoice_id"], make.day({"years": 8}), "-100.00")


# -- office ---------------------------------------------------------------------------------------------------------


def fiscal_years(make: Maker) -> None:
    """Calendar years, broken years, a long one, a gap, or none at all."""
    kind = make.random.choice(("none", "calendar", "broken", "broken", "gap", "long"))
    if kind == "none":
        return
    month = 1 if kind == "calendar" else make.random.choice((5, 7, 9))
    for year in range(2005, 2031):
        starts = date(year, month, 1)
        if (kind == "gap" and year % 4 == 0) or (kind == "long" and year % 5 == 1):
            continue
        long = kind == "long" and year % 5 == 0
        ends = plus(starts, months=24 if long else 12, days=-1)
        make.add("office/fiscal_years", {"starts_on": starts.isoformat(), "ends_on": ends.isoformat()})


def holds(make: Maker) -> None:
    """Holds on every kind of record, with and without fields, to come and released."""
    for _ in range(make.size // 6):
        kind = make.random.choice((*HOLDABLE, "customer", "customer"))
        table, column, fields = HOLDABLE[kind]
        listed = make.random.choice(
            (None, None, None, fields[0], f"{fields[0]}; {fields[-1]}", f"; {fields[0]};;{fields[-1]};", "shoe_size",
             f"{fields[0]};shoe_size")
        )  # fmt: skip
        make.add(
            "office/holds",
            {
                "hold_id": make.key("office/holds", "J"),
                "record_type": "spaceship" if make.chance(0.05) else kind,
                "record_key": make.reference(table, column) or "X97",
                "fields": listed,
                "placed_at": make.at(make.day({"days": 0}, {"days": 30}), 0.15),
                "released_at": make.at(make.day({"days": 0}), 0.5),
                "reason": "tvist",
            },
        )


def requests(make: Maker) -> None:
    """Words of every kind, by customer, contact and address, verified and not, answered and not."""
    for _ in range(make.size // 3):
        kind, received = make.random.choice(KINDS), make.day({"days": 0}, {"days": 0}, {"years": 1}, {"days": 30})
        customer, contact, email = requested_by(make)
        make.add(
            "office/requests",
            {
                "request_id": make.key("office/requests", "T"),
                "customer_id": customer,
                "contact_id": contact,
                "email": email,
                "kind": kind,
                "scope": make.pick("newsletter", "web_statistics", None) if kind == "withdrawal" else None,
                "received_at": make.at(received),
                "identity_verified_at": make.at(make.after(received, 5), 0.3),
                "extended_at": make.at(make.after(received, 20), 0.9),
                "answered_at": make.at(make.day({"days": 0}), 0.6),
            },
        )


def requested_by(make: Maker) -> tuple[str | None, str | None, str | None]:
    """Name a customer, a contact, an address, or several of them."""
    by = make.random.choice(("customer", "customer", "contact", "email", "email", "several"))
    customer = customer_id(make) if by in ("customer", "several") else None
    contact = make.reference("crm/contacts", "contact_id") if by in ("contact", "several") else None
    email = make.email(make.person()) if by in ("email", "several") else None
    return customer, contact, email


PARTS: Sequence[Callable[[Maker], None]] = (
    fiscal_years,
    customers,
    contacts,
    interactions,
    quotes,
    consents,
    subscribers,
    web_events,
    orders,
    strays,
    holds,
    requests,
)


def random_company(seed: int, size: int = 30) -> tuple[Exports, list[date]]:
    """Make a company's exports and the days on which to evaluate it, in order; the same for the same seed."""
    make = Maker(seed, size)
    for part in PARTS:
        part(make)
    return make.exports, [make.as_of, make.as_of + timedelta(days=1), make.as_of + timedelta(days=31)]
