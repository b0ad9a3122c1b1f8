"""What a table of `raw.*` looks like: its columns and their types, and which of them name another record.

A raw table is the contract's columns and what surrounds them. `assets.ingest.tables` makes them.
"""

from __future__ import annotations

from assets.contracts.contract import SURROUNDINGS, ColumnType, Contract

SQL_TYPES: dict[ColumnType, str] = {
    "text": "varchar", "date": "date", "instant": "date", "decimal": "decimal(18, 4)", "boolean": "boolean",
}  # fmt: skip

#: Columns in which a row names a record, by its source's key, and the type of that record.
RAW_LINKS = {
    "customer_id": "customer",
    "contact_id": "contact",
    "subscriber_id": "subscriber",
    "consent_id": "consent",
    "quote_id": "quote",
    "order_id": "order",
    "delivery_id": "delivery",
    "invoice_id": "invoice",
    "refers_to_invoice_id": "invoice",
}
#: Keyed hashes by which rows are met without a key, and what they are hashes of.
RAW_KEYS = {"email_key": "email", "national_id_key": "number", "org_number_key": "number"}


def raw_columns(contract: Contract) -> dict[str, str]:
    """The columns of a raw table and their SQL types: the contract's, the surroundings, keys, what is remembered."""
    columns = {column.name: SQL_TYPES[column.type] for column in contract.columns}
    columns.update(SURROUNDINGS)
    columns.update({f"{column.name}_key": "uuid" for column in contract.columns if column.pseudonymised})
    columns.update({f"known_{column.name}": SQL_TYPES[column.type] for column in contract.columns if column.remembered})
    return columns


def names_rows(contract: Contract) -> set[str]:
    """The columns whose texts name a row each, of this table or another: nearly every one is another text."""
    return {column.name for column in contract.columns if column.type == "text" and column.name.endswith("_id")}
