"""The job in pandas: one wide frame a record type, merged and grouped in memory, categories told from it at the end."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.benchmarks.peers.task import Task, told

KINDS = ["private", "sole_trader", "company"]
COUNT_AT_ONCE = ["objection", "withdrawal", "termination", "restriction"]


def run(inbox: str, as_of: str, out: str) -> dict[str, Any]:
    """Decide every category of every record and write them as Parquet."""
    task = Task.of(inbox, as_of)
    decided = pd.concat(
        [
            _category(task, kind, category, frame)
            for kind, frame in _Company(task).records().items()
            for category in task.categories[kind]
        ],
        ignore_index=True,
    )
    decided.to_parquet(out, index=False)
    return told(len(decided))


def _months(days: pd.Series, months: int) -> pd.Series:
    return days + pd.DateOffset(months=months)


def _plus(days: pd.Series, number: int) -> pd.Series:
    return days + pd.Timedelta(days=number)


def _least(*days: pd.Series) -> pd.Series:
    return pd.concat(days, axis=1).min(axis=1)


class _Company:
    """The exports, cleaned, and what follows from them."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.day = pd.Timestamp(task.as_of)
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
        self.restricted = self._restricted()
        self.exits = self._exits()
        self.first_exits = (
            self.exits.groupby("customer_id", as_index=False)[["on"]].min().rename(columns={"on": "exit_on"})
        )
        self.invoicing = self._invoicing()
        self.archives = self._archives()

    # -- reading

    def _csv(self, source: str, table: str, columns: list[str]) -> pd.DataFrame:
        return pd.read_csv(
            self.task.path(source, table), dtype=str, usecols=columns, keep_default_na=False, na_values=[""]
        )

    def _read(self, source: str, table: str, *columns: str, on: list[str] | None = None) -> pd.DataFrame:
        frame = self._csv(source, table, [*columns, *(on or [])])
        for column in on or []:
            frame[column] = _local(frame[column])
        return frame

    def _come(self, days: pd.Series) -> pd.Series:
        return days.where(days <= self.day)

    def _customers(self) -> pd.DataFrame:
        columns = [
            "customer_id",
            "customer_type",
            "name",
            "email",
            "customer_since",
            "relation_ended_at",
            "deceased_on",
        ]
        rows = self._csv("crm", "customers", columns)
        since = _date(rows["customer_since"])
        rows["since"], rows["ended_on"] = since, _local(rows["relation_ended_at"])
        rows["died_on"] = _date(rows["deceased_on"])
        kept = rows["customer_id"].notna() & rows["customer_type"].isin(KINDS)
        rows = rows[kept & (since.notna() | rows["customer_since"].isna())].copy()
        rows["is_person"] = rows["customer_type"] != "company"
        rows["email"], rows["name"] = _address(rows["email"]), _name(rows["name"])
        persons = rows[rows["is_person"]]
        rows["person"] = persons.groupby(["email", "name"])["customer_id"].transform("min")
        return rows[["customer_id", "is_person", "since", "ended_on", "died_on", "email", "name", "person"]]

    def _orders(self) -> pd.DataFrame:
        rows = self._csv("orders", "orders", ["order_id", "customer_id", "placed_at"])
        placed = _local(rows["placed_at"])
        rows["placed_on"] = placed
        rows = rows[placed.notna() | rows["placed_at"].isna()].copy()
        rows["customer_id"] = rows["customer_id"].where(rows["customer_id"].isin(self.customers["customer_id"]))
        return rows[["order_id", "customer_id", "placed_on"]]

    def _invoices(self) -> pd.DataFrame:
        columns = ["invoice_id", "order_id", "customer_id", "refers_to_invoice_id", "kind"]
        rows = self._csv("orders", "invoices", [*columns, "issued_on", "booked_on", "due_on", "amount"])
        rows["cents"] = _amount(rows["amount"])
        rows = rows[rows["cents"].notna() | rows["amount"].isna()].copy()
        for column in ("issued_on", "booked_on", "due_on"):
            rows[column] = _date(rows[column])
        rows["voucher_on"] = rows["booked_on"].fillna(rows["issued_on"])
        rows["is_credit"] = rows["kind"] == "credit_note"
        rows["customer_id"] = rows["customer_id"].where(rows["customer_id"].isin(self.customers["customer_id"]))
        rows = rows.merge(self.orders.rename(columns={"customer_id": "buyer"}), on="order_id", how="left")
        rows["customer_id"] = rows["customer_id"].fillna(rows["buyer"])
        rows["order_id"] = rows["order_id"].where(rows["order_id"].isin(self.orders["order_id"]))
        refers = rows["is_credit"] & rows["refers_to_invoice_id"].isin(rows.loc[~rows["is_credit"], "invoice_id"])
        rows["chain"] = rows["refers_to_invoice_id"].where(refers, rows["invoice_id"])
        kept = [
            "invoice_id",
            "order_id",
            "customer_id",
            "buyer",
            "chain",
            "is_credit",
            "voucher_on",
            "issued_on",
            "due_on",
        ]
        return rows[[*kept, "cents"]]

    def _payments(self) -> pd.DataFrame:
        rows = self._csv("orders", "payments", ["payment_id", "invoice_id", "paid_at", "amount"])
        rows["cents"] = _amount(rows["amount"])
        rows = rows[rows["cents"].notna() | rows["amount"].isna()].copy()
        rows["paid_on"] = self._come(_local(rows["paid_at"]))
        rows = rows.merge(self.invoices[["invoice_id", "chain"]], on="invoice_id", how="left")
        rows["is_orphan"] = rows["chain"].isna()
        rows["chain"] = rows["chain"].fillna("payment " + rows["payment_id"])
        return rows[["payment_id", "invoice_id", "paid_on", "cents", "chain", "is_orphan"]]

    # -- people

    def _asked(self, *kinds: str) -> pd.DataFrame:
        """Requests of some kinds that have effect, with the customers that are the person who asked."""
        asked = self.requests[self.requests["kind"].isin(kinds) & (self.requests["received_at"] <= self.day)]
        asked = asked[asked["kind"].isin(COUNT_AT_ONCE) | (asked["identity_verified_at"] <= self.day)]
        people = self.customers.loc[self.customers["is_person"], ["customer_id", "person"]]
        named = asked.merge(people, on="customer_id").drop(columns="customer_id")
        return named.merge(people, on="person")

    def _exits(self) -> pd.DataFrame:
        left = self.customers.loc[self.customers["ended_on"] <= self.day, ["customer_id", "ended_on"]]
        ended = self.requests[(self.requests["kind"] == "termination") & (self.requests["received_at"] <= self.day)]
        ended = ended[["customer_id", "received_at"]].rename(columns={"received_at": "on"})
        return pd.concat([left.rename(columns={"ended_on": "on"}), ended], ignore_index=True)

    def _restricted(self) -> pd.Series:
        """Customers whose person's data may only be stored today."""
        asked = self._asked("restriction", "rectification")
        still = asked[asked["answered_at"].isna() | (asked["answered_at"] > self.day)]
        return still["customer_id"].drop_duplicates()

    def _final_words(self) -> pd.DataFrame:
        """The first day of what ends marketing for good, by customer."""
        dead = self.customers[(self.customers["died_on"] <= self.day) & self.customers["is_person"]]
        died = dead[["person", "died_on"]].merge(self.customers[["customer_id", "person"]], on="person")
        asked = self._asked("erasure", "objection")[["customer_id", "received_at"]]
        parts = [self.exits, asked.rename(columns={"received_at": "on"})]
        parts.append(died[["customer_id", "died_on"]].rename(columns={"died_on": "on"}))
        words = pd.concat(parts, ignore_index=True)
        return words.groupby("customer_id", as_index=False)[["on"]].min().rename(columns={"on": "word_on"})

    # -- clocks

    def _relations(self) -> pd.DataFrame:
        asked = self.quotes[["requested_at", "sent_at"]].max(axis=1)
        active = pd.concat([
            self.customers[["customer_id", "since"]].set_axis(["customer_id", "on"], axis=1),
            self.orders[["customer_id", "placed_on"]].set_axis(["customer_id", "on"], axis=1),
            pd.DataFrame({"customer_id": self.quotes["customer_id"], "on": asked}),
            self.interactions[["customer_id", "occurred_at"]].set_axis(["customer_id", "on"], axis=1),
        ]).groupby("customer_id", as_index=False)[["on"]].max()  # fmt: skip
        both = self.customers.merge(active, on="customer_id", how="left")
        both = both.merge(self.first_exits, on="customer_id", how="left")
        both = both.merge(self._final_words(), on="customer_id", how="left")
        both["natural"] = _months(both["exit_on"].fillna(_months(both["on"], 24)), 12)
        return both

    def _settled(self) -> pd.DataFrame:
        """For each invoice: the day from which the balance stays at or below zero."""
        paid = self.payments[~self.payments["is_orphan"] & self.payments["paid_on"].notna()]
        credit = self.invoices["is_credit"] & (self.invoices["chain"] != self.invoices["invoice_id"])
        credits = self.invoices[credit & self.invoices["voucher_on"].notna()]
        moved = pd.concat([
            paid[["invoice_id", "paid_on", "cents"]].set_axis(["invoice_id", "on", "cents"], axis=1),
            credits[["chain", "voucher_on", "cents"]].set_axis(["invoice_id", "on", "cents"], axis=1),
        ]).groupby(["invoice_id", "on"], as_index=False)[["cents"]].sum()  # fmt: skip
        owed = self.invoices.loc[~self.invoices["is_credit"], ["invoice_id", "cents", "voucher_on"]]
        moved = moved.merge(owed.rename(columns={"cents": "owed"}), on="invoice_id").sort_values(["invoice_id", "on"])
        moved["left"] = moved["owed"] - moved.groupby("invoice_id")["cents"].cumsum()
        last = moved[moved["left"] > 0].groupby("invoice_id", as_index=False)[["on"]].max()
        moved = moved.merge(last.rename(columns={"on": "last_owed"}), on="invoice_id", how="left")
        after = moved[moved["last_owed"].isna() | (moved["on"] > moved["last_owed"])]
        days = after.groupby("invoice_id", as_index=False)[["on"]].min().rename(columns={"on": "settled_on"})
        return owed[["invoice_id"]].merge(days, on="invoice_id", how="left")

    def _invoicing(self) -> pd.DataFrame:
        """For each invoice: through when `invoicing` keeps it."""
        plain = self.invoices[~self.invoices["is_credit"]].merge(self._settled(), on="invoice_id", how="left")
        limit = _plus(plain["due_on"].fillna(_plus(plain["issued_on"], 30)), 30)
        plain["invoicing"] = _least(plain["settled_on"], limit)
        plain["invoicing?"] = plain["invoicing"].isna()
        return plain[["invoice_id", "order_id", "customer_id", "invoicing", "invoicing?"]]

    def _archives(self) -> pd.DataFrame:
        """For each chain: 31 December of the seventh year after its last voucher's fiscal year ended."""
        last = pd.concat([
            self.invoices[["chain", "voucher_on"]].set_axis(["chain", "on"], axis=1),
            self.payments[["chain", "paid_on"]].set_axis(["chain", "on"], axis=1),
        ]).groupby("chain", as_index=False)[["on"]].max()  # fmt: skip
        years = self._csv("office", "fiscal_years", ["starts_on", "ends_on"]).apply(_date)
        days = last[["on"]].dropna().drop_duplicates().merge(years, how="cross")
        within = days[(days["on"] >= days["starts_on"]) & (days["on"] <= days["ends_on"])]
        ends = within.groupby("on", as_index=False)[["ends_on"]].max()
        last = last.merge(ends, on="on", how="left")
        year = _months(last["ends_on"].fillna(last["on"]), 84).dt.year
        last["accounting"] = pd.to_datetime(pd.DataFrame({"year": year, "month": 12, "day": 31}))
        last["accounting?"] = last["on"].isna()
        return last[["chain", "accounting", "accounting?"]]

    # -- records

    def records(self) -> dict[str, pd.DataFrame]:
        """Each record type with its claims: `PURPOSE` the last day, `PURPOSE?` whether a trigger is missing."""
        return {**self._heads(), **self._orders_and_below(), **self._money(), **self._mail_and_web()}

    def _marked(self, frame: pd.DataFrame, key: str) -> pd.DataFrame:
        """The key, whether the record is restricted by its customer, and its claims so far."""
        frame = frame.rename(columns={key: "record_key"})
        frame["restricted"] = frame["customer_id"].isin(self.restricted)
        return frame

    def _due(self, head: str) -> pd.DataFrame:
        return self.invoicing.groupby(head, as_index=False)[["invoicing", "invoicing?"]].max()

    def _heads(self) -> dict[str, pd.DataFrame]:
        relations = self._relations()
        people = relations.merge(self._due("customer_id"), on="customer_id", how="left")
        marketing = _least(people["natural"], people["word_on"])
        people["direct_marketing"] = marketing.where(people["is_person"])
        people["direct_marketing?"] = people["natural"].isna() & people["word_on"].isna()
        people["not_personal"] = ~people["is_person"]
        consents = self._read("crm", "consents", "consent_id", "customer_id", "contact_id")
        consents["customer_id"] = consents["customer_id"].where(consents["contact_id"].isna())
        return {
            "customer": self._marked(people.assign(key=people["customer_id"]), "key"),
            "contact": self._contacts(relations),
            "interaction": self._marked(self._cared(), "interaction_id"),
            "quote": self._marked(self.quotes, "quote_id"),
            "quote_document": self._below("crm", "quote_documents", "document_id", self.quotes, "quote_id"),
            "consent": self._marked(consents, "consent_id"),
        }

    def _contacts(self, relations: pd.DataFrame) -> pd.DataFrame:
        rows = self._read("crm", "contacts", "contact_id", "customer_id", on=["role_ended_at"])
        known = rows.merge(relations[["customer_id", "is_person", "natural", "exit_on"]], on="customer_id", how="left")
        cap = _plus(self._come(known["role_ended_at"]), 30)
        of_company = known["is_person"].eq(False)
        dated = known["natural"].notna() | known["exit_on"].notna()
        known["direct_marketing"] = _least(known["natural"], known["exit_on"], cap).where(of_company & dated)
        known["direct_marketing?"] = of_company & ~dated & (cap.isna() | (cap >= self.day))
        known["is_orphan"] = known["is_person"].isna()
        return known.rename(columns={"contact_id": "record_key"})

    def _cared(self) -> pd.DataFrame:
        asked = self._asked("erasure")[["customer_id", "received_at"]].rename(columns={"received_at": "on"})
        words = self.interactions.merge(pd.concat([self.exits, asked]), on="customer_id")
        words = words[words["occurred_at"].isna() | (words["on"] >= words["occurred_at"])]
        first = words.groupby("interaction_id", as_index=False)[["on"]].min()
        rows = self.interactions.merge(first, on="interaction_id", how="left")
        natural = _months(self._come(rows["case_closed_at"]).fillna(rows["occurred_at"]), 12)
        rows["customer_care"] = _least(natural, rows["on"])
        rows["customer_care?"] = natural.isna() & rows["on"].isna()
        return rows

    def _below(self, source: str, table: str, key: str, parents: pd.DataFrame, parent: str) -> pd.DataFrame:
        """Records that hang on an order or a quote."""
        rows = self._read(source, table, key, parent).merge(parents[[parent, "customer_id"]], on=parent, how="left")
        rows["is_orphan"] = ~rows[parent].isin(parents[parent])
        return self._marked(rows, key)

    def _orders_and_below(self) -> dict[str, pd.DataFrame]:
        is_credit = self.invoices["is_credit"]
        is_alone = is_credit & ~self.invoices["order_id"].isin(self.invoices.loc[~is_credit, "order_id"])
        invoiced = self.invoices.loc[~is_credit | is_alone, ["order_id", "chain"]].merge(self.archives, on="chain")
        archived = invoiced.groupby("order_id", as_index=False)[["accounting", "accounting?"]].max()
        lines = self._below("orders", "order_lines", "order_line_id", self.orders, "order_id")
        return {
            "order": self._marked(self.orders.merge(self._due("order_id"), on="order_id", how="left"), "order_id"),
            "delivery": self._below("orders", "deliveries", "delivery_id", self.orders, "order_id"),
            "order_line": lines.merge(archived, on="order_id", how="left"),
            "proof_approval": self._below("orders", "proof_approvals", "proof_id", self.orders, "order_id"),
            "complaint": self._below("orders", "complaints", "complaint_id", self.orders, "order_id"),
        }

    def _money(self) -> dict[str, pd.DataFrame]:
        due = self.invoicing[["invoice_id", "invoicing", "invoicing?"]]
        invoices = self.invoices.merge(self.archives, on="chain", how="left").merge(due, on="invoice_id", how="left")
        marked = self._marked(invoices, "invoice_id")
        marked["restricted"] |= marked["buyer"].isin(self.restricted)
        parents = marked[["record_key", "restricted"]].rename(columns={"record_key": "invoice_id"})
        payments = self.payments.merge(self.archives, on="chain", how="left").merge(due, on="invoice_id", how="left")
        payments = payments.merge(parents, on="invoice_id", how="left").rename(columns={"payment_id": "record_key"})
        events = self._read("orders", "claim_events", "claim_event_id", "invoice_id")
        events["is_orphan"] = ~events["invoice_id"].isin(parents["invoice_id"])
        events = events.merge(parents, on="invoice_id", how="left").rename(columns={"claim_event_id": "record_key"})
        return {"invoice": marked, "payment": payments, "claim_event": events}

    def _mail_and_web(self) -> dict[str, pd.DataFrame]:
        subscribers = self._subscribers()
        owners = subscribers[["record_key", "restricted"]].rename(columns={"record_key": "subscriber_id"})
        sends = self._read("mailing", "sends", "send_id", "subscriber_id")
        sends["is_orphan"] = ~sends["subscriber_id"].isin(owners["subscriber_id"])
        sends = sends.merge(owners, on="subscriber_id", how="left").rename(columns={"send_id": "record_key"})
        events = self._read("web", "events", "event_id", "customer_id", on=["occurred_at"])
        events["web_security"] = _plus(events["occurred_at"], 90)
        events["web_security?"] = events["occurred_at"].isna()
        return {"subscriber": subscribers, "send": sends, "web_event": self._marked(events, "event_id")}

    def _subscribers(self) -> pd.DataFrame:
        """A subscription that names nobody belongs to who has its address and name."""
        rows = self._csv("mailing", "subscribers", ["subscriber_id", "contact_id", "customer_id", "email", "name"])
        rows["email"], rows["name"] = _address(rows["email"]), _name(rows["name"])
        persons = self.customers[self.customers["is_person"]]
        marks = persons.groupby(["email", "name"], as_index=False)[["customer_id"]].min()
        rows = rows.merge(marks.rename(columns={"customer_id": "found"}), on=["email", "name"], how="left")
        rows["customer_id"] = rows["customer_id"].fillna(rows["found"]).where(rows["contact_id"].isna())
        return self._marked(rows, "subscriber_id")


def _local(instants: pd.Series) -> pd.Series:
    """Instants as days in Stockholm."""
    read = pd.to_datetime(instants, format="%Y-%m-%dT%H:%M:%SZ", utc=True, errors="coerce")
    return read.dt.tz_convert("Europe/Stockholm").dt.tz_localize(None).dt.normalize()


def _date(days: pd.Series) -> pd.Series:
    return pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")


def _amount(amounts: pd.Series) -> pd.Series:
    return (pd.to_numeric(amounts, errors="coerce") * 10_000).round()


def _address(emails: pd.Series) -> pd.Series:
    return emails.str.strip().str.lower()


def _name(names: pd.Series) -> pd.Series:
    return names.str.lower().str.split().str.join(" ")


def _category(task: Task, record_type: str, category: str, frame: pd.DataFrame) -> pd.DataFrame:
    """What the claims on a category add up to on the day, a row a record."""
    day = pd.Timestamp(task.as_of)
    decided = pd.Series("erase", index=frame.index, dtype="str")
    until = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]")
    doubts = _flag(frame, "is_orphan")
    claiming = task.claiming(record_type, category)
    for purpose in [*claiming["use"], *claiming["duty"]]:
        doubts |= _flag(frame, f"{purpose}?")
    decided[doubts] = "review"
    for disposition, purposes in (("restrict", claiming["duty"]), ("retain", claiming["use"])):
        for purpose in purposes:
            active = frame[purpose] >= day
            decided[active] = disposition
            until = pd.concat([until, frame[purpose].where(active)], axis=1).max(axis=1)
    restricted, not_personal = _flag(frame, "restricted"), _flag(frame, "not_personal")
    decided[restricted] = "restrict"
    decided[not_personal] = "not_personal"
    return pd.DataFrame({
        "record_type": pd.Series(record_type, index=frame.index, dtype="category"),
        "record_key": frame["record_key"],
        "data_category": pd.Series(category, index=frame.index, dtype="category"),
        "disposition": decided,
        "keep_until": until.mask(restricted | not_personal),
    })  # fmt: skip


def _flag(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        return pd.Series(data=False, index=frame.index)
    return frame[name].eq(True)
