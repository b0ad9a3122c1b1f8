"""The job one person at a time: a few queries fetch a customer's rows, and plain Python decides them (`tests.oracle`).

Decides by the whole shipped policy. Measured on a sample of customers, and scaled to all of them by who prints it.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

from assets.contracts.declarations import canonical
from assets.warehouse import Warehouse, identifier
from tests.benchmarks.jobs.cycle import cpu_seconds
from tests.oracle.evaluator import FIELDS, evaluate

#: What does not parse is left out, as the product does.
VALID = {
    ("crm", "customers"): "customer_id <> '' and customer_type in ('private', 'sole_trader', 'company') "
    "and (customer_since is null or try_cast(customer_since as date) is not null)",
    ("orders", "orders"): "placed_at is null or try_cast(placed_at as timestamptz) is not null",
    ("orders", "invoices"): "try_cast(amount as decimal(18, 4)) is not null",
    ("orders", "payments"): "try_cast(amount as decimal(18, 4)) is not null",
}
#: Table -> the column by which a person's rows are found, and whose keys to look for. In the order they are fetched.
STEPS = {
    ("crm", "customers"): ("customer_id", "customer"),
    ("crm", "contacts"): ("customer_id", "customer"),
    ("crm", "interactions"): ("customer_id", "customer"),
    ("crm", "quotes"): ("customer_id", "customer"),
    ("crm", "quote_documents"): ("quote_id", "quote"),
    ("crm", "consents"): ("customer_id", "customer"),
    ("orders", "orders"): ("customer_id", "customer"),
    ("orders", "deliveries"): ("order_id", "order"),
    ("orders", "order_lines"): ("order_id", "order"),
    ("orders", "proof_approvals"): ("order_id", "order"),
    ("orders", "complaints"): ("order_id", "order"),
    ("orders", "invoices"): ("customer_id", "customer"),
    ("orders", "payments"): ("invoice_id", "invoice"),
    ("orders", "claim_events"): ("invoice_id", "invoice"),
    ("mailing", "sends"): ("subscriber_id", "subscriber"),
    ("web", "events"): ("customer_id", "customer"),
    ("office", "requests"): ("customer_id", "customer"),
    ("office", "holds"): ("record_key", "customer"),
}
OWNERS = {"quotes": "quote", "orders": "order", "invoices": "invoice"}


def run(inbox: str, as_of: str, out: str, sample: int = 200) -> dict[str, Any]:
    """Decide a sample of customers and write them as CSV; tell what loading cost, and each customer."""
    day = date.fromisoformat(as_of)
    began = cpu_seconds()
    with Warehouse.in_memory(threads=1) as warehouse:
        _load(warehouse, Path(inbox))
        loading = cpu_seconds() - began
        customers = warehouse.value("select count(*) from crm_customers")
        chosen = [key for (key,) in warehouse.rows(
            "select customer_id from crm_customers order by hash(customer_id), customer_id limit ?", [sample]
        )]  # fmt: skip
        began = cpu_seconds()
        decided = [evaluate(_rows_of(warehouse, key), day) for key in chosen]
        each = (cpu_seconds() - began) / len(chosen)
    rows = _write(Path(out), decided)
    scaled = loading + each * customers
    return {"dispositions": rows, "sampled": len(chosen), "customers": customers, "parts": {"work": scaled}}


def _load(warehouse: Warehouse, inbox: Path) -> None:
    for source, table in canonical():
        (path,) = inbox.glob(f"{source}/*/{table}.csv")
        where = VALID.get((source, table), "true")
        name = identifier(f"{source}_{table}")
        warehouse.run(
            f"create table {name} as select * from read_csv('{path}', all_varchar = true, header = true) where {where}"
        )
        if (source, table) in STEPS:
            warehouse.run(f"create index {identifier(f'by_{table}')} on {name} ({STEPS[source, table][0]})")
    for column in ("customer_id", "contact_id", "email"):
        warehouse.run(f"create index {identifier('subscribers_' + column)} on mailing_subscribers ({column})")


def _rows_of(warehouse: Warehouse, customer: str) -> dict[str, list[dict[str, Any]]]:
    """Everything that may decide about a customer, its contacts and their subscriptions."""
    exports = {"office/fiscal_years": warehouse.records("select * from office_fiscal_years")}
    keys = {"customer": [customer]}
    for (source, table), (column, owner) in STEPS.items():
        if table == "sends":
            found = _subscribers(warehouse, customer, exports)
            exports["mailing/subscribers"] = found
            keys["subscriber"] = [row["subscriber_id"] for row in found]
        rows = _rows(warehouse, f"{source}_{table}", column, keys[owner])
        exports[f"{source}/{table}"] = rows
        if table in OWNERS:
            keys[OWNERS[table]] = [row[f"{OWNERS[table]}_id"] for row in rows]
    return exports


def _rows(warehouse: Warehouse, table: str, column: str, keys: list[str]) -> list[dict[str, Any]]:
    """The rows of a few keys, by the index on their column."""
    if not keys:
        return []
    listed = ", ".join("?" for _ in keys)
    return warehouse.records(f"select * from {identifier(table)} where {column} in ({listed})", keys)


def _subscribers(warehouse: Warehouse, customer: str, exports: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    contacts = exports["crm/contacts"]
    addresses = sorted({row["email"] for row in [*exports["crm/customers"], *contacts] if row["email"]})
    found = [
        *_rows(warehouse, "mailing_subscribers", "customer_id", [customer]),
        *_rows(warehouse, "mailing_subscribers", "contact_id", [row["contact_id"] for row in contacts]),
        *_rows(warehouse, "mailing_subscribers", "email", addresses),
    ]
    return list({row["subscriber_id"]: row for row in found}.values())


def _write(out: Path, decided: list[dict[tuple[str, str, str], Any]]) -> int:
    rows = set()
    for each in decided:
        for (record_type, key, name), decision in each.items():
            category = next(category for category, fields in FIELDS[record_type].items() if name in fields)
            rows.add((record_type, key, category, decision.disposition, decision.keep_until))
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["record_type", "record_key", "data_category", "disposition", "keep_until"])
        writer.writerows(sorted(rows, key=str))
    return len(rows)
