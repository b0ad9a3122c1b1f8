"""What a source was told, written down without a manifest: for tests of what reads it."""

from __future__ import annotations

from datetime import date

from assets.ledger import told
from assets.warehouse import Warehouse


def order_erased(
    warehouse: Warehouse, record_type: str, key: str, *fields: str, action: str = "erase", item: str | None = None,
    as_of: date | None = None,
) -> None:  # fmt: skip
    """A sealed manifest has ordered these fields of a record erased, with the whole record or (`redact`) alone."""
    told.prepare(warehouse)
    warehouse.run("create or replace temp table listed (record_type varchar, field varchar, position integer)")
    warehouse.insert("listed", ["record_type", "field", "position"], [(record_type, name, 0) for name in fields])
    told.number(warehouse, "from listed")
    words = (
        "select listed.record_type, wanted.record_key, 'erase' as state, bit_or(numbers.bit) as named, wanted.item_id, "
        "wanted.as_of, wanted.action from listed inner join manifest.field_numbers as numbers "
        "on numbers.record_type = listed.record_type and numbers.field = listed.field cross join wanted group by all"
    )
    warehouse.run(
        "create or replace temp table wanted (record_key varchar, item_id varchar, as_of date, action varchar)"
    )
    warehouse.insert("wanted", ["record_key", "item_id", "as_of", "action"], [(key, item, as_of, action)])
    told.tell(warehouse, words)
