"""The job in polars: lazy frames, one wide frame a record type, categories told from it at the end."""

from __future__ import annotations

from datetime import date
from functools import reduce
from typing import Any

import polars as pl

from tests.benchmarks.peers.task import Task, told

Frame = pl.DataFrame
KINDS = ["private", "sole_trader", "company"]


def run(inbox: str, as_of: str, out: str) -> dict[str, Any]:
    """Decide every category of every record and write them as Parquet."""
    task = Task.of(inbox, as_of)
    decided = pl.concat([_decided(task, kind, frame) for kind, frame in _Company(task).records().items()])
    decided.write_parquet(out)
    return told(decided.height)


def _day(column: str) -> pl.Expr:
    """An instant as its day in Stockholm."""
    read = pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", strict=False)
    return read.dt.convert_time_zone("Europe/Stockholm").dt.date()


def _date(column: str) -> pl.Expr:
    return pl.col(column).str.to_date("%Y-%m-%d", strict=False)


def _amount(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64, strict=False).mul(10_000).round().cast(pl.Int64)


def _parses(read: pl.Expr, column: str) -> pl.Expr:
    return read.is_not_null() | pl.col(column).is_null()


def _come(day: pl.Expr, as_of: date) -> pl.Expr:
    """A day, if it has come."""
    return pl.when(day <= as_of).then(day)


def _min(*days: pl.Expr) -> pl.Expr:
    return pl.min_horizontal(*days)


class _Company:
    """The exports, cleaned, and what follows from them."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.day = task.as_of
        self.customers = self._customers()
        self.orders = self._orders()
        self.invoices = self._invoices()
        self.payments = self._payments()
        self.quotes = self._read("crm", "quotes", "quote_id", "customer_id", on=["requested_at", "sent_at"])
        self.interactions = self._read(
            "crm", "interactions", "interaction_id", "customer_id", on=["occurred_at", "case_closed_at"]
        )
        self.requests = self._read(
            "office", "requests", "customer_id", "kind", on=["received_at", "identity_verified_at", "answered_at"]
        )
        self.words = self._words()
        self.restricted = self._restricted()

    # -- reading

    def _read(self, source: str, table: str, *columns: str, on: list[str] | None = None) -> Frame:
        days = on or []
        frame = pl.scan_csv(self.task.path(source, table), infer_schema=False).select(*columns, *days)
        return frame.with_columns(_day(column) for column in days).collect()

    def _customers(self) -> Frame:
        frame = pl.scan_csv(self.task.path("crm", "customers"), infer_schema=False)
        rows = frame.filter(
            (pl.col("customer_id") != "")
            & pl.col("customer_type").is_in(KINDS)
            & _parses(_date("customer_since"), "customer_since")
        ).select(
            "customer_id",
            (pl.col("customer_type") != "company").alias("is_person"),
            _date("customer_since").alias("since"),
            _day("relation_ended_at").alias("ended_on"),
            _date("deceased_on").alias("deceased_on"),
            pl.struct(pl.col("email").str.strip_chars().str.to_lowercase(), _name()).alias("mark"),
        )
        people = rows.with_columns(
            pl.when(pl.col("is_person")).then(pl.col("customer_id").min().over("mark")).alias("person")
        )
        return people.collect()

    def _orders(self) -> Frame:
        frame = pl.scan_csv(self.task.path("orders", "orders"), infer_schema=False)
        rows = frame.filter(_parses(_day("placed_at"), "placed_at"))
        known = self.customers.lazy().select("customer_id", pl.lit(True).alias("known"))
        return (
            rows.select("order_id", "customer_id", _day("placed_at").alias("placed_on"))
            .join(known, on="customer_id", how="left")
            .with_columns(pl.when(pl.col("known")).then("customer_id").alias("customer_id"))
            .drop("known")
            .collect()
        )

    def _invoices(self) -> Frame:
        frame = pl.scan_csv(self.task.path("orders", "invoices"), infer_schema=False)
        rows = frame.filter(_parses(_amount("amount"), "amount")).select(
            "invoice_id", "order_id", "customer_id", "refers_to_invoice_id",
            (pl.col("kind") == "credit_note").alias("is_credit"), _date("issued_on"), _date("due_on"),
            pl.coalesce(_date("booked_on"), _date("issued_on")).alias("voucher_on"), _amount("amount"),
        )  # fmt: skip
        known = self.customers.lazy().select("customer_id", pl.lit(True).alias("known"))
        orders = self.orders.lazy().select(
            "order_id", pl.col("customer_id").alias("buyer"), pl.lit(True).alias("ordered")
        )
        joined = (
            rows.join(known, on="customer_id", how="left")
            .join(orders, on="order_id", how="left")
            .with_columns(
                pl.coalesce(pl.when(pl.col("known")).then("customer_id"), "buyer").alias("customer_id"),
                pl.when(pl.col("ordered")).then("order_id").alias("order_id"),
            )
            .drop("known", "ordered")
            .collect()
        )
        referred = joined.filter(~pl.col("is_credit")).select(
            pl.col("invoice_id").alias("refers_to_invoice_id"), pl.lit(True).alias("refers")
        )
        credits = joined.filter("is_credit").join(referred, on="refers_to_invoice_id", how="left")
        chained = credits.with_columns(
            pl.when(pl.col("refers")).then("refers_to_invoice_id").otherwise("invoice_id").alias("chain")
        )
        plain = joined.filter(~pl.col("is_credit")).with_columns(pl.col("invoice_id").alias("chain"))
        return pl.concat([plain, chained.drop("refers")])

    def _payments(self) -> Frame:
        frame = pl.scan_csv(self.task.path("orders", "payments"), infer_schema=False)
        rows = frame.filter(_parses(_amount("amount"), "amount")).select(
            "payment_id", "invoice_id", _come(_day("paid_at"), self.day).alias("paid_on"), _amount("amount")
        )
        chains = self.invoices.lazy().select("invoice_id", "chain")
        own = pl.col("chain").is_null().alias("is_orphan")
        return (
            rows.join(chains, on="invoice_id", how="left")
            .with_columns(own, pl.coalesce("chain", pl.lit("payment ") + pl.col("payment_id")).alias("chain"))
            .collect()
        )

    # -- people

    def _asked(self, *kinds: str) -> Frame:
        """Requests of some kinds that have effect, with the customers that are the person who asked."""
        counted = pl.when(pl.col("kind").is_in(["objection", "withdrawal", "termination", "restriction"]))
        effective = counted.then(pl.lit(True)).otherwise(pl.col("identity_verified_at") <= self.day)
        asked = self.requests.filter(pl.col("kind").is_in(kinds) & (pl.col("received_at") <= self.day) & effective)
        people = self.customers.filter("is_person").select("customer_id", "person")
        same = people.rename({"customer_id": "same"})
        return asked.join(people, on="customer_id").join(same, on="person").with_columns(customer_id="same")

    def _exits(self) -> Frame:
        left = self.customers.filter(pl.col("ended_on") <= self.day).select("customer_id", on=pl.col("ended_on"))
        ended = self.requests.filter((pl.col("kind") == "termination") & (pl.col("received_at") <= self.day))
        return pl.concat([left, ended.select("customer_id", on="received_at")]).group_by("customer_id").agg(
            pl.col("on").min().alias("exit_on"), pl.col("on").alias("exits")
        )  # fmt: skip

    def _words(self) -> Frame:
        """Each customer's words: exits, and the first day of what ends marketing for good."""
        dead = self.customers.filter((pl.col("deceased_on") <= self.day) & pl.col("is_person")).select(
            "person", on="deceased_on"
        )
        died = self.customers.select("customer_id", "person").join(dead, on="person").select("customer_id", "on")
        erasures = self._asked("erasure").select("customer_id", on="received_at")
        objections = self._asked("objection").select("customer_id", on="received_at")
        exits = self._exits().select("customer_id", on="exit_on")
        final = (
            pl.concat([died, erasures, objections, exits])
            .group_by("customer_id")
            .agg(pl.col("on").min().alias("word_on"))
        )
        care = pl.concat([erasures, self._exits().select("customer_id", on="exits").explode("on")])
        self.care_words = care
        return final.join(self._exits().select("customer_id", "exit_on"), on="customer_id", how="left")

    def _restricted(self) -> Frame:
        """Customers whose person's data may only be stored today."""
        asked = self._asked("restriction", "rectification")
        still = asked.filter(pl.col("answered_at").is_null() | (pl.col("answered_at") > self.day))
        return still.select("customer_id", pl.lit(True).alias("restricted")).unique()

    # -- clocks

    def _relations(self) -> Frame:
        active = pl.concat([
            self.customers.select("customer_id", on="since"),
            self.orders.select("customer_id", on="placed_on"),
            self.quotes.select("customer_id", on=pl.max_horizontal("requested_at", "sent_at")),
            self.interactions.select("customer_id", on="occurred_at"),
        ]).group_by("customer_id").agg(pl.col("on").max().alias("active_on"))  # fmt: skip
        both = self.customers.join(active, on="customer_id", how="left").join(self.words, on="customer_id", how="left")
        ends = pl.coalesce("exit_on", pl.col("active_on").dt.offset_by("24mo")).dt.offset_by("12mo")
        return both.with_columns(natural=ends)

    def _settled(self) -> Frame:
        """For each invoice: the day from which the balance stays at or below zero."""
        moved = pl.concat([
            self.payments.filter(~pl.col("is_orphan") & pl.col("paid_on").is_not_null())
                .select("invoice_id", "amount", on="paid_on"),
            self.invoices.filter(pl.col("is_credit") & (pl.col("chain") != pl.col("invoice_id"))
                & pl.col("voucher_on").is_not_null()).select("amount", invoice_id="chain", on="voucher_on"),
        ], how="diagonal").group_by("invoice_id", "on").agg(pl.col("amount").sum())  # fmt: skip
        owed = self.invoices.filter(~pl.col("is_credit")).select("invoice_id", owed="amount", own="voucher_on")
        left = (
            moved.join(owed, on="invoice_id")
            .sort("invoice_id", "on")
            .with_columns(left=pl.col("owed") - pl.col("amount").cum_sum().over("invoice_id"))
        )
        last = left.group_by("invoice_id").agg(
            pl.col("on").filter(pl.col("left") > 0).max().alias("last_owed"),
        )
        days = (
            left.join(last, on="invoice_id")
            .filter(pl.col("last_owed").is_null() | (pl.col("on") > pl.col("last_owed")))
            .group_by("invoice_id")
            .agg(pl.col("on").min().alias("settled_on"), pl.col("last_owed").first())
        )
        never = (pl.col("owed") <= 0) & pl.col("last_owed").is_null()
        return owed.join(days, on="invoice_id", how="left").select(
            "invoice_id",
            settled_on=pl.when(never).then(pl.coalesce("own", pl.lit(date(1, 1, 1)))).otherwise("settled_on"),
        )

    def _invoicing(self) -> Frame:
        """For each invoice: through when `invoicing` keeps it."""
        plain = self.invoices.filter(~pl.col("is_credit")).join(self._settled(), on="invoice_id", how="left")
        limit = pl.coalesce("due_on", pl.col("issued_on").dt.offset_by("30d")).dt.offset_by("30d")
        return plain.select(
            "invoice_id", "order_id", "customer_id", until=_min(pl.col("settled_on"), limit)
        ).with_columns(missing=pl.col("until").is_null())

    def _archives(self) -> Frame:
        """For each chain: 31 December of the seventh year after its last voucher's fiscal year ended."""
        last = pl.concat([
            self.invoices.select("chain", on="voucher_on"), self.payments.select("chain", on="paid_on"),
        ]).group_by("chain").agg(pl.col("on").max())  # fmt: skip
        years = pl.read_csv(self.task.path("office", "fiscal_years"), infer_schema=False).select(
            _date("starts_on"), _date("ends_on")
        )
        days = last.select("on").unique().filter(pl.col("on").is_not_null())
        fiscal = (
            days.join(years, how="cross")
            .filter((pl.col("on") >= pl.col("starts_on")) & (pl.col("on") <= pl.col("ends_on")))
            .group_by("on")
            .agg(pl.col("ends_on").max())
        )
        year = pl.coalesce("ends_on", "on").dt.offset_by("84mo").dt.year()
        return last.join(fiscal, on="on", how="left").select(
            "chain", until=pl.date(year, 12, 31), missing=pl.col("on").is_null()
        )

    # -- records

    def records(self) -> dict[str, Frame]:
        """Each record type with its claims: `PURPOSE` the last day, `PURPOSE?` whether a trigger is missing."""
        return {**self._heads(), **self._orders_and_below(), **self._money(), **self._mail_and_web()}

    def _marked(self, frame: Frame, key: str, customer: str = "customer_id") -> Frame:
        """The key, whether the record is restricted by its customer, and its claims so far."""
        marked = frame.join(self.restricted, left_on=customer, right_on="customer_id", how="left")
        return marked.rename({key: "record_key"})

    def _heads(self) -> dict[str, Frame]:
        due = self._invoicing().group_by("customer_id").agg(
            pl.col("until").max().alias("invoicing"), pl.col("missing").any().alias("invoicing?")
        )  # fmt: skip
        relations = self._relations()
        word = pl.col("word_on")
        people = relations.join(due, on="customer_id", how="left").with_columns(
            pl.when("is_person").then(_min(pl.col("natural"), word)).alias("direct_marketing"),
            (pl.col("natural").is_null() & word.is_null()).alias("direct_marketing?"),
            (~pl.col("is_person")).alias("not_personal"),
        )
        consents = self._read("crm", "consents", "consent_id", "customer_id", "contact_id").with_columns(
            customer_id=pl.when(pl.col("contact_id").is_null()).then("customer_id")
        )
        return {
            "customer": self._marked(people, "customer_id"),
            "contact": self._contacts(relations),
            "interaction": self._marked(self._cared(), "interaction_id"),
            "quote": self._marked(self.quotes, "quote_id"),
            "quote_document": self._below("crm", "quote_documents", "document_id", self.quotes, "quote_id"),
            "consent": self._marked(consents, "consent_id"),
        }

    def _contacts(self, relations: Frame) -> Frame:
        rows = self._read("crm", "contacts", "contact_id", "customer_id", on=["role_ended_at"])
        known = rows.join(
            relations.select("customer_id", "is_person", "natural", "exit_on"), on="customer_id", how="left"
        )
        cap = _come(pl.col("role_ended_at"), self.day).dt.offset_by("30d")
        of_company = ~pl.col("is_person").fill_null(value=True)
        dated = pl.col("natural").is_not_null() | pl.col("exit_on").is_not_null()
        return known.with_columns(
            pl.when(of_company & dated).then(_min(pl.col("natural"), pl.col("exit_on"), cap)).alias("direct_marketing"),
            (of_company & ~dated & (cap.is_null() | (cap >= self.day))).alias("direct_marketing?"),
            pl.col("is_person").is_null().alias("is_orphan"),
        ).rename({"contact_id": "record_key"})

    def _cared(self) -> Frame:
        words = self.interactions.join(self.care_words, on="customer_id").filter(
            pl.col("occurred_at").is_null() | (pl.col("on") >= pl.col("occurred_at"))
        )
        first = words.group_by("interaction_id").agg(pl.col("on").min())
        natural = pl.coalesce(_come(pl.col("case_closed_at"), self.day), "occurred_at").dt.offset_by("12mo")
        return self.interactions.join(first, on="interaction_id", how="left").with_columns(
            _min(natural, pl.col("on")).alias("customer_care"),
            (natural.is_null() & pl.col("on").is_null()).alias("customer_care?"),
        )

    def _below(self, source: str, table: str, key: str, parents: Frame, parent: str) -> Frame:
        """Records that hang on an order or a quote."""
        heads = parents.select(parent, "customer_id", pl.lit(False).alias("is_orphan"))
        rows = self._read(source, table, key, parent).join(heads, on=parent, how="left")
        return self._marked(rows.with_columns(pl.col("is_orphan").fill_null(value=True)), key)

    def _orders_and_below(self) -> dict[str, Frame]:
        due = self._invoicing().group_by("order_id").agg(
            pl.col("until").max().alias("invoicing"), pl.col("missing").any().alias("invoicing?")
        )  # fmt: skip
        plain = self.invoices.filter(~pl.col("is_credit")).select("order_id", "chain")
        notes = self.invoices.filter("is_credit").select("order_id", "chain")
        archived = (
            pl.concat([plain, notes.join(plain, on="order_id", how="anti")])
            .join(self._archives(), on="chain")
            .group_by("order_id")
            .agg(pl.col("until").max().alias("accounting"), pl.col("missing").any().alias("accounting?"))
        )
        lines = self._below("orders", "order_lines", "order_line_id", self.orders, "order_id")
        return {
            "order": self._marked(self.orders.join(due, on="order_id", how="left"), "order_id"),
            "delivery": self._below("orders", "deliveries", "delivery_id", self.orders, "order_id"),
            "order_line": lines.join(archived, on="order_id", how="left"),
            "proof_approval": self._below("orders", "proof_approvals", "proof_id", self.orders, "order_id"),
            "complaint": self._below("orders", "complaints", "complaint_id", self.orders, "order_id"),
        }

    def _money(self) -> dict[str, Frame]:
        archives = self._archives().rename({"until": "accounting", "missing": "accounting?"})
        due = self._invoicing().select("invoice_id", invoicing="until").with_columns(
            pl.col("invoicing").is_null().alias("invoicing?")
        )  # fmt: skip
        restricted = self.restricted.rename({"customer_id": "who", "restricted": "buyer_restricted"})
        invoices = (
            self.invoices.join(archives, on="chain", how="left")
            .join(due, on="invoice_id", how="left")
            .join(restricted, left_on="buyer", right_on="who", how="left")
        )
        marked = self._marked(invoices, "invoice_id").with_columns(
            restricted=pl.coalesce("restricted", "buyer_restricted")
        )
        parents = marked.select(invoice_id="record_key", restricted="restricted", known=pl.lit(True))
        payments = (
            self.payments.join(archives, on="chain", how="left")
            .join(due, on="invoice_id", how="left")
            .join(parents, on="invoice_id", how="left")
        )
        events = self._read("orders", "claim_events", "claim_event_id", "invoice_id").join(
            parents, on="invoice_id", how="left"
        )
        return {
            "invoice": marked,
            "payment": payments.rename({"payment_id": "record_key"}),
            "claim_event": events.with_columns(is_orphan=pl.col("known").is_null()).rename(
                {"claim_event_id": "record_key"}
            ),
        }

    def _mail_and_web(self) -> dict[str, Frame]:
        subscribers = self._subscribers()
        owners = subscribers.select(subscriber_id="record_key", restricted="restricted", known=pl.lit(True))
        sends = self._read("mailing", "sends", "send_id", "subscriber_id").join(owners, on="subscriber_id", how="left")
        events = self._read("web", "events", "event_id", "customer_id", on=["occurred_at"]).with_columns(
            pl.col("occurred_at").dt.offset_by("90d").alias("web_security"),
            pl.col("occurred_at").is_null().alias("web_security?"),
        )
        return {
            "subscriber": subscribers,
            "send": sends.with_columns(is_orphan=pl.col("known").is_null()).rename({"send_id": "record_key"}),
            "web_event": self._marked(events, "event_id"),
        }

    def _subscribers(self) -> Frame:
        """A subscription that names nobody belongs to who has its address and name."""
        rows = pl.scan_csv(self.task.path("mailing", "subscribers"), infer_schema=False).select(
            "subscriber_id", "contact_id", "customer_id",
            pl.struct(pl.col("email").str.strip_chars().str.to_lowercase(), _name()).alias("mark"),
        ).collect()  # fmt: skip
        marks = self.customers.filter("is_person").group_by("mark").agg(pl.col("customer_id").min().alias("found"))
        owned = rows.join(marks, on="mark", how="left").with_columns(
            customer_id=pl.when(pl.col("contact_id").is_null()).then(pl.coalesce("customer_id", "found"))
        )
        return self._marked(owned, "subscriber_id")


def _name() -> pl.Expr:
    return pl.col("name").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _decided(task: Task, record_type: str, frame: Frame) -> Frame:
    """One row a category: what the claims add up to on the day."""
    return pl.concat([_category(task, record_type, category, frame) for category in task.categories[record_type]])


def _category(task: Task, record_type: str, category: str, frame: Frame) -> Frame:
    claiming = task.claiming(record_type, category)
    ends = {name: [pl.col(purpose) for purpose in purposes] for name, purposes in claiming.items()}
    active = {name: _any([end >= task.as_of for end in each]) for name, each in ends.items()}
    doubts = [pl.col(f"{purpose}?") for purposes in claiming.values() for purpose in purposes]
    marks = {mark: _flag(frame, mark) for mark in ("not_personal", "restricted", "is_orphan")}
    last = [pl.when(end >= task.as_of).then(end) for each in ends.values() for end in each]
    until = pl.max_horizontal(*last) if last else pl.lit(None, dtype=pl.Date)
    return frame.select(
        pl.lit(record_type).alias("record_type"),
        pl.col("record_key"),
        pl.lit(category).alias("data_category"),
        pl.when(marks["not_personal"]).then(pl.lit("not_personal"))
        .when(marks["restricted"]).then(pl.lit("restrict"))
        .when(active["use"]).then(pl.lit("retain"))
        .when(active["duty"]).then(pl.lit("restrict"))
        .when(_any(doubts) | marks["is_orphan"]).then(pl.lit("review"))
        .otherwise(pl.lit("erase")).alias("disposition"),
        pl.when(~(marks["not_personal"] | marks["restricted"])).then(until).alias("keep_until"),
    )  # fmt: skip


def _flag(frame: Frame, name: str) -> pl.Expr:
    return pl.col(name).fill_null(value=False) if name in frame.columns else pl.lit(value=False)


def _any(conditions: list[pl.Expr]) -> pl.Expr:
    return reduce(
        lambda one, other: one | other, [each.fill_null(value=False) for each in conditions], pl.lit(value=False)
    )
