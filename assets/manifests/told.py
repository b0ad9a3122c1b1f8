"""What each source was last told about a record's fields: the one table of the ledger that intake reads too.

Declared here once. Filled by `sealing`, taken back by `ledger`, and proved by `assets.delivery.settling`.
"""

from __future__ import annotations

from assets.warehouse import Warehouse

_SEALED_FIELDS = (
    "record_type varchar, record_key varchar, field varchar, state varchar, item_id varchar, as_of date, action varchar"
)


def prepare(warehouse: Warehouse) -> None:
    """Make `manifest.sealed_fields` and the view `manifest.ordered_fields` where they are not there yet."""
    warehouse.run("create schema if not exists manifest")
    warehouse.run(f"create table if not exists manifest.sealed_fields ({_SEALED_FIELDS})")
    warehouse.run(
        "create view if not exists manifest.ordered_fields as "
        "select sealed.record_type, sealed.record_key, sealed.field, sealed.item_id, sealed.as_of "
        "from manifest.sealed_fields as sealed where sealed.state = 'erase'"
    )
