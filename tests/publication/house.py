"""A hand-made warehouse for the tests of what is published: two customers, an order each, and the tables around them.

`CANARY` stands in every text that is personal. Only the tables and columns that publication reads are made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any

from assets.policy import fields_pattern
from assets.warehouse import Warehouse

CANARY = "kanariefågel"
AS_OF = date(2026, 11, 25)
KEY = b"k" * 32


@dataclass(frozen=True)
class StubPolicy:
    """What publication asks of a policy: two words, and which purposes are the company's own (none)."""

    sha256: str = "0" * 64
    version: str = "test"
    register: Any = field(default_factory=lambda: SimpleNamespace(purposes={}))


FIELDS = [
    ("customer", "crm", "customers", "name", "identity", 2),
    ("customer", "crm", "customers", "birth_date", "identity", 3),
    ("customer", "crm", "customers", "email", "email", 4),
    ("order", "orders", "orders", "buyer_name", "identity", 2),
    ("order_line", "orders", "order_lines", "product", "transaction", 3),
    ("order_line", "orders", "order_lines", "description", "transaction", 4),
]
RECORDS = [
    ("customer", "crm", "customers", "customer_id"),
    ("order", "orders", "orders", "order_id"),
    ("order_line", "orders", "order_lines", "order_line_id"),
]
CATEGORIES = [("customer", "identity"), ("customer", "email"), ("order", "identity"), ("order_line", "transaction")]
CLOCKS = {"accounting": "archive", "order_fulfilment": "while_open", "product_development": "followup"}
OPEN = date(9999, 12, 31)
PURPOSES = [
    ("order_fulfilment", 0, "use", "eu-gdpr:A6-1-b-contract-performance | eu-gdpr:A6-1-f-controller",
     "Leverera beställning", "Deliver the order", "dpv:CustomerOrderManagement", "GDPR Art 6(1)(b)", "law", ""),
    ("accounting", 1, "duty", "eu-gdpr:A6-1-c",
     "Bokföring", "Bookkeeping", "dpv:LegalCompliance", "BFL (1999:1078) 7 kap. 2 §", "law", ""),
    ("product_development", 2, "use", "eu-gdpr:A6-1-f-controller",
     "Utveckling", "Development", "dpv:ImproveExistingProductsAndServices", "GDPR Art 6(1)(f)", "company", ""),
]  # fmt: skip
ENDS = date(2033, 12, 31)
NEAR = date(2026, 12, 31)

_TABLES = {
    "policy.about": "policy varchar, version varchar, sha256 varchar, controller varchar",
    "policy.purposes": "purpose varchar, position integer, class varchar, legal_basis varchar, title_sv varchar, "
    "title_en varchar, dpv_purpose varchar, law varchar, decided_by varchar, erasure_exception varchar",
    "policy.periods": "purpose varchar, clock varchar, months integer, days integer",
    "policy.coverage": "purpose varchar, clock varchar, record_type varchar, data_category varchar, "
    "category_id integer, is_shared boolean",
    "policy.categories": "category_id integer, record_type varchar, data_category varchar",
    "policy.records": "record_type varchar, source varchar, table_name varchar, key_field varchar, "
    "fields_pattern varchar",
    "policy.fields": "record_type varchar, source varchar, table_name varchar, field varchar, data_category varchar, "
    "position integer",
    "intake.deliveries": "sequence bigint, source varchar, delivery_id varchar, mode varchar, extracted_at timestamp, "
    "digest varchar, status varchar, reason varchar",
    "intake.files": "source varchar, delivery_id varchar, table_name varchar, file_name varchar, sha256 varchar, "
    "rows_in bigint, rows_loaded bigint, rows_quarantined bigint, rows_out_of_scope bigint, status varchar, "
    "reason varchar",
    "intake.quarantined": "source varchar, delivery_id varchar, table_name varchar, file_name varchar, line bigint, "
    "rule varchar, column_name varchar, row_text varchar, record_key varchar",
    "intake.blocks": "source varchar, table_name varchar, reason varchar, detail varchar",
    "raw.crm_customers": "row_id bigint, in_source boolean, customer_id varchar, customer_type varchar, name varchar, "
    "birth_date date, email varchar, withheld varchar[]",
    "raw.orders_orders": "row_id bigint, in_source boolean, order_id varchar, customer_id varchar, "
    "purchase_capacity varchar, status varchar, placed_at date, closed_at date, buyer_name varchar, "
    "withheld varchar[]",
    "raw.orders_order_lines": "row_id bigint, in_source boolean, order_line_id varchar, order_id varchar, "
    "product varchar, description varchar, quantity decimal(18, 4), unit_price decimal(18, 4), product_key uuid, "
    "known_quantity decimal(18, 4), known_unit_price decimal(18, 4), withheld varchar[]",
    "raw.orders_invoices": "row_id bigint, in_source boolean, invoice_id varchar, customer_id varchar, kind varchar, "
    "issued_on date, booked_on date, amount decimal(18, 4), known_amount decimal(18, 4), currency varchar, "
    "buyer_name varchar, known_currency varchar, order_id varchar",
    "raw.office_holds": "row_id bigint, in_source boolean, hold_id varchar, record_type varchar, record_key varchar, "
    "fields varchar, placed_at date, released_at date, reason varchar",
    "office.holds": "hold_id varchar, review_on date",
    "office.requests": "request_id varchar, identity_asked_at date",
    "raw.office_requests": "row_id bigint, in_source boolean, request_id varchar, customer_id varchar, "
    "contact_id varchar, email varchar, email_key uuid, kind varchar, scope varchar, received_at date, "
    "identity_verified_at date, extended_at date, answered_at date",
    "retention.evaluation": "as_of date",
    "retention.records": "record_type varchar, source varchar, row_id bigint, record_key varchar, not_personal boolean",
    "retention.claims": "record_type varchar, row_id bigint, data_category varchar, purpose varchar, starts_on date, "
    "keep_until date, open_ended boolean, ended_by varchar, missing varchar, is_active boolean",
    "retention.purpose_claims": "purpose varchar, record_type varchar, row_id bigint, clock varchar, starts_on date, "
    "ends_on date, ended_by varchar, missing varchar, has_shared_clocks boolean",
    "retention.dispositions": "record_type varchar, row_id bigint, data_category varchar, disposition varchar, "
    "keep_until date, reasons varchar[]",
    "retention.findings": "finding varchar, record_type varchar, row_id bigint, detail varchar",
    "manifest.unheard_disclosures": "finding varchar, record_type varchar, row_id bigint, detail varchar",
    "raw.office_disclosures": "row_id bigint, in_source boolean, disclosure_id varchar, record_key varchar",
    "rights.free_text": "source varchar, record_type varchar, record_key varchar, field varchar, kind varchar, "
    "hits bigint",
}


def hand_made(key: bytes = KEY) -> Warehouse:
    """The warehouse. C1 is in ordinary use, C2 is to be erased; their orders and lines likewise."""
    warehouse = Warehouse.in_memory(pseudonym_key=key)
    for table, columns in _TABLES.items():
        warehouse.run(f"create schema if not exists {table.partition('.')[0]}")
        warehouse.run(f"create table {table} ({columns})")
    for table, rows in {**_policy(), **_intake(), **_raw(), **_decided()}.items():
        names = [column.split()[0] for column in _TABLES[table].replace("(18, 4)", "").split(", ")]
        warehouse.insert(table, names, rows)
    warehouse.run("create schema core")
    warehouse.run("create view core.records as select *, true as in_source from retention.records")
    return warehouse


def _policy() -> dict[str, list[tuple[object, ...]]]:
    return {
        "policy.about": [("Prov", "test", "0" * 64, "Prov AB")],
        "policy.purposes": list(PURPOSES),
        "policy.periods": [("accounting", "archive", 84, 0)],
        "policy.coverage": [
            ("accounting", "archive", "order_line", "transaction", 4, False),
            ("order_fulfilment", "while_open", "customer", "identity", 1, False),
            ("product_development", "followup", "order_line", "transaction", 4, False),
        ],
        "policy.categories": [(number, *each) for number, each in enumerate(CATEGORIES, 1)],
        "policy.records": [
            (*record, fields_pattern([name for kind, _, _, name, _, _ in FIELDS if kind == record[0]]))
            for record in RECORDS
        ],
        "policy.fields": list(FIELDS),
    }


def _intake() -> dict[str, list[tuple[object, ...]]]:
    return {
        "intake.deliveries": [
            (1, "crm", "D1", "full", "2026-11-24 02:00:00", "d", "loaded", None),
            (2, "orders", "D1", "full", "2026-11-24 02:00:00", "d", "rejected", "control total"),
            (0, "crm", "D0", "full", "2026-11-23 02:00:00", "d", "loaded", None),
        ],
        "intake.files": [
            ("crm", delivery, "customers", "customers.csv", "s", 4, 2, 2, 0, "loaded", None)
            for delivery in ("D1", "D0")
        ],
        "intake.quarantined": [
            ("crm", "D1", "customers", "customers.csv", line, "required", "customer_type", CANARY, None)
            for line in (3, 4)
        ],
        "intake.blocks": [("orders", None, "rejected", "D1")],
    }


def _raw() -> dict[str, list[tuple[object, ...]]]:
    customers = [(1, True, "C1", "private"), (2, True, "C2", "private")]
    lines = [(1, True, "L1", "O1"), (2, True, "L2", "O2")]
    return {
        "raw.crm_customers": [(*row, CANARY, date(1970, 1, 1), CANARY) for row in customers],
        "raw.orders_orders": [
            (1, True, "O1", "C1", "private", "open", date(2026, 11, 1), None, CANARY),
            (2, True, "O2", "C2", "private", "closed", date(2020, 1, 1), date(2020, 2, 1), CANARY),
        ],
        "raw.orders_order_lines": [(*row, CANARY, CANARY, 2, 10) for row in lines],
        "raw.orders_invoices": [
            (1, True, "I1", "C1", "invoice", date(2026, 11, 2), None, 20, 20, "SEK", CANARY),
            (2, False, "I2", "C2", "invoice", date(2020, 1, 2), None, None, 20, None, None),
        ],
        "raw.office_holds": [
            (1, True, "H1", "Customer", "C1", "name; email;", date(2026, 1, 1), None, CANARY),
            (2, True, "H2", "customer", "C1", "name;unknown", date(2026, 12, 1), None, CANARY),
            (3, True, "H3", CANARY, CANARY, CANARY, date(2026, 1, 1), date(2026, 2, 1), CANARY),
            (4, True, "H4", "customer", "C1", "name;name", date(2026, 1, 1), date(2026, 2, 1), CANARY),
        ],
        "raw.office_requests": [
            (1, True, "R1", "C1", None, CANARY, None, "access", None, date(2026, 11, 1), None, None, None),
            (2, True, "R2", None, None, CANARY, None, CANARY, CANARY, date(2026, 11, 1), None, None, None),
        ],
    }


def _decided() -> dict[str, list[tuple[object, ...]]]:
    keys = {("customer", 1): "C1", ("customer", 2): "C2", ("order", 1): "O1", ("order", 2): "O2",
            ("order_line", 1): "L1", ("order_line", 2): "L2"}  # fmt: skip
    source = {record_type: source for record_type, source, *_ in RECORDS}
    return {
        "retention.evaluation": [(AS_OF,)],
        "retention.records": [(kind, source[kind], row_id, key, False) for (kind, row_id), key in keys.items()],
        "retention.claims": _claims(),
        "retention.purpose_claims": [
            (purpose, kind, row_id, CLOCKS[purpose], starts_on, OPEN if is_open else ends_on, ended_by, missing, False)
            for kind, row_id, _, purpose, starts_on, ends_on, is_open, ended_by, missing, _ in _claims()
        ],
        "retention.dispositions": [
            ("customer", 1, "identity", "retain", None, None),
            ("customer", 1, "email", "erase", None, None),
            ("customer", 2, "identity", "erase", None, None),
            ("customer", 2, "email", "erase", None, None),
            ("order", 1, "identity", "retain", None, None),
            ("order", 2, "identity", "erase", None, None),
            ("order_line", 1, "transaction", "retain", ENDS, None),
            ("order_line", 2, "transaction", "review", None, ["no_voucher"]),
        ],
        "retention.findings": [
            ("possible_match", "customer", 2, "email"),
            ("hold_without_record", "hold", 3, "record_key"),
        ],
        "manifest.unheard_disclosures": [("disclosure_without_partner", "disclosure", 1, "partner_id")],
        "raw.office_disclosures": [(1, True, "Y1", CANARY)],
        "rights.free_text": [("orders", "complaint", "Q1", "description", "phone_numbers", 2)],
    }  # fmt: skip


def _claims() -> list[tuple[Any, ...]]:
    return [
        ("customer", 1, "identity", "order_fulfilment", date(2026, 11, 1), None, True, None, None, True),
        ("customer", 2, "identity", "order_fulfilment", date(2020, 1, 1), date(2020, 2, 1), False, None, None, False),
        ("order_line", 1, "transaction", "accounting", date(2026, 11, 1), ENDS, False, None, None, True),
        ("order_line", 1, "transaction", "product_development", date(2026, 11, 1), NEAR, False, None, None, True),
        (
            "order_line",
            2,
            "transaction",
            "product_development",
            date(2020, 1, 1),
            date(2020, 6, 1),
            False,
            "exit",
            None,
            False,
        ),
        ("order_line", 2, "transaction", "accounting", date(2020, 1, 1), None, False, None, "no_voucher", False),
    ]
