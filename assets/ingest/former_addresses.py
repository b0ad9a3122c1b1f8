"""The addresses that people had before a source corrected or emptied them: `raw.former_addresses`.

A word that came by an address, or from its owner, is about whoever had the address then. The raw table of customers,
contacts, subscribers and consents holds the address of today alone, so that intake notes here what a delivery replaces:
the row, the keyed hash, and the day from which the source had it no longer. It goes with the office's registers, when
no word speaks of it.
"""

from __future__ import annotations

from datetime import datetime

from assets.contracts.contract import Contract
from assets.ingest.projecting import LOCAL_ZONE
from assets.warehouse import Warehouse, identifier

TABLE = "raw.former_addresses"
#: Record type -> the column in which its rows are named.
OWNERS = {
    "customer": "customer_id", "contact": "contact_id", "subscriber": "subscriber_id", "consent": "consent_id",
}  # fmt: skip
COLUMNS = (
    "row_id bigint, customer_id varchar, contact_id varchar, subscriber_id varchar, consent_id varchar, "
    "email_key uuid, replaced_on date, changed_in varchar"
)
_HELD = "held_addresses"


def prepare(warehouse: Warehouse) -> None:
    """Make the table where it is not there yet."""
    warehouse.run(f"create table if not exists {TABLE} ({COLUMNS})")


def hold(warehouse: Warehouse, contract: Contract) -> bool:
    """Keep aside the addresses of the rows that came again (`temp.met`), before they are written over.

    Returns:
        Whether `note` has anything to compare: not for a table of nobody's addresses.
    """
    if contract.record_type not in OWNERS or not any(column.name == "email" for column in contract.columns):
        return False
    warehouse.run(
        f"create or replace temp table {_HELD} as select row_id, email_key from raw.{identifier(contract.raw_table)} "
        "where email_key is not null and row_id in (select row_id from temp.met)"
    )
    return True


def note(warehouse: Warehouse, contract: Contract, delivery_id: str) -> None:
    """Note which of the addresses that were kept aside are no longer their rows'. Inside the caller's transaction."""
    column, raw = OWNERS[str(contract.record_type)], f"raw.{identifier(contract.raw_table)}"
    key = f"cast(now.{identifier(contract.key)} as varchar)"
    warehouse.run(
        f"insert into {TABLE} (row_id, {column}, email_key, changed_in) "
        f"select (select coalesce(max(row_id), 0) from {TABLE}) + row_number() over (order by {key}), {key}, "
        f"held.email_key, $delivery_id from temp.{_HELD} as held inner join {raw} as now on held.row_id = now.row_id "
        "where now.email_key is distinct from held.email_key",
        {"delivery_id": delivery_id},
    )
    warehouse.run(f"drop table temp.{_HELD}")


def date(warehouse: Warehouse, delivery_id: str, extracted_at: datetime | None) -> None:
    """Say from which day on the source no longer had what a delivery replaced: that of its extract, if it says one.

    Without a day a word of any day counts as one that came before: it is kept rather than lost.
    """
    warehouse.run(
        f"update {TABLE} set replaced_on = cast(timezone('{LOCAL_ZONE}', timezone('UTC', cast($at as timestamp))) as "
        "date) where changed_in = $delivery_id and replaced_on is null",
        {"at": extracted_at, "delivery_id": delivery_id},
    )
