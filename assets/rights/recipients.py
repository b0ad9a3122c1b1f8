"""Who has got what of chosen records: what the office wrote down, and the partners that deliveries went with.

One answer for the access report and for the timeline. Reads; tells keys, fields' names and days, no value.
"""

from __future__ import annotations

from typing import Any

from assets.rights.people import records_hanging_on
from assets.warehouse import Warehouse, identifier


def recipients(warehouse: Warehouse, chosen: str) -> list[dict[str, Any]]:
    """Each disclosure of a record: partner, role, record_type, record_key, fields, disclosed_on; the last two or null.

    Args:
        warehouse: evaluated.
        chosen: the temporary table of the records asked about (`record_type`, `row_id`).
    """
    return warehouse.records(_RECIPIENTS.format(chosen=identifier(chosen)))


def keys_hanging_on(warehouse: Warehouse, customer: str) -> list[tuple[str, str]]:
    """What hangs on a customer, as (record type, key), for the ledger's question who received it.

    Nothing, where no such customer has been delivered, or nothing was evaluated yet.
    """
    if not warehouse.exists("triggers", "customer_records"):
        return []
    found = warehouse.rows("select row_id from raw.crm_customers where customer_id = ?", [customer])
    records = [each for (row_id,) in found for each in records_hanging_on(warehouse, row_id)]
    keys = warehouse.rows(
        "select records.record_type, records.record_key from core.records as records inner join ("
        "select unnest(cast($types as varchar[])) as record_type, unnest(cast($rows as bigint[])) as row_id) as chosen "
        "on records.record_type = chosen.record_type and records.row_id = chosen.row_id order by all",
        {"types": [record_type for record_type, _ in records], "rows": [row_id for _, row_id in records]},
    )
    return [(record_type, key) for record_type, key in keys]


#: A partner has its copy still when the record has left its source, so those records count too (Art 15(1)(c)).
_RECIPIENTS = """
    with given as (
        select partner_id, lower(record_type) as record_type, record_key, fields, disclosed_at as disclosed_on
        from raw.office_disclosures
        where in_source
    ),
    delivered as (
        select delivery.partner_id, 'delivery' as record_type, delivery.delivery_id as record_key
        from raw.orders_deliveries as delivery
        where delivery.partner_id is not null and not exists (
            select 1 from given where given.record_type = 'delivery' and given.record_key = delivery.delivery_id
                and given.partner_id = delivery.partner_id
        )
    ),
    named as (from given union all by name from delivered)
    select coalesce(partner.name, named.partner_id) as partner, partner.role, records.record_type, records.record_key,
        named.fields, named.disclosed_on
    from named
    inner join core.records as records
        on named.record_type = records.record_type and named.record_key = records.record_key
    inner join {chosen} as chosen
        on records.record_type = chosen.record_type and records.row_id = chosen.row_id
    left join raw.office_partners as partner on named.partner_id = partner.partner_id
    order by all
"""
