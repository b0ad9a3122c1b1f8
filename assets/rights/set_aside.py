"""Rows about a person that were set aside: kept in the quarantine until their day, and no part of any record.

What is kept there is held (Art 15), so an answer that leaves it out says too little. A row is found by its own key, by
what else it names (`intake.quarantined.refers_to`: keys of other records, the hash of an address), and by hanging on a
row that was found. Tells tables, rules, numbers and days: no key and no value, for what a row holds may be about
somebody else, and a person looks at it first. A line that could not be split into columns names nobody, and is not
found.
"""

from __future__ import annotations

from typing import Any

from assets.contracts.contract import SUCCESSOR
from assets.contracts.raw_tables import RAW_LINKS
from assets.ingest.projecting import LOCAL_ZONE
from assets.purpose_register import months_and_days
from assets.rights.people import Person
from assets.warehouse import Warehouse


def rows_about(warehouse: Warehouse, person: Person, chosen: str, period: str) -> list[dict[str, Any]]:
    """The rows that are, or may be, about a person, counted: source, record_type, rule, column, rows, kept_through.

    Args:
        warehouse: evaluated.
        person: whom.
        chosen: the temporary table of the person's records (`record_type`, `row_id`).
        period: how long such rows are kept after their extract, as ISO 8601.
    """
    if not _prepare(warehouse, period):
        return []
    warehouse.run(
        "insert into set_aside_keys select known.record_type, known.record_key from core.records as known "
        f"inner join {chosen} as chosen on known.record_type = chosen.record_type and known.row_id = chosen.row_id"
    )
    warehouse.run(
        "insert into set_aside_keys select distinct 'email', cast(node.email_key as varchar) "
        "from core.people as person inner join core.person_nodes as node on person.node_id = node.node_id "
        "where person.person_id = ? and node.email_key is not null",
        [person.person_id],
    )
    return _found(warehouse)


def rows_of_unknown(
    warehouse: Warehouse, period: str, *, customer: str | None = None, contact: str | None = None,
    email: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The rows about somebody who is no person of any record that was taken in, counted as by `rows_about`.

    Nothing where the customer or contact has been delivered.
    """
    if not _prepare(warehouse, period):
        return []
    warehouse.run(
        "insert into set_aside_keys select kind, each from (values ('customer', $customer), ('contact', $contact), "
        "('email', cast(pseudonym(normalised_email($email)) as varchar))) as named(kind, each) "
        "where each is not null and not exists (select 1 from core.records as known "
        "where known.record_type = named.kind and known.record_key = named.each)",
        {"customer": customer, "contact": contact, "email": email},
    )
    return _found(warehouse)


def _prepare(warehouse: Warehouse, period: str) -> bool:
    """Lay out the rows and what each names, for the asking; whether there are any."""
    if not warehouse.exists("intake", "quarantined") or not warehouse.exists("core", "records"):
        return False
    months, days = months_and_days(period)
    warehouse.run(f"create or replace temp table set_aside_rows as {_ROWS}", {"months": months, "days": days})
    warehouse.run(f"create or replace temp table set_aside_names as {_NAMES}")
    warehouse.run("create or replace temp table set_aside_keys (kind varchar, each varchar)")
    warehouse.run("create or replace temp table set_aside_found (place bigint)")
    return bool(warehouse.value("select count(*) from set_aside_rows"))


def _found(warehouse: Warehouse) -> list[dict[str, Any]]:
    """What names one of the keys, and what hangs on that in turn."""
    found = -1
    while (now := int(warehouse.value("select count(*) from set_aside_found"))) > found:
        found = now
        warehouse.run(_FIND)
        warehouse.run(_HANG)
    return warehouse.records(_COUNTED)


#: Each row that is kept with what it holds, and its last day. One whose text an order erased holds nothing any more.
_ROWS = f"""
    select row_number() over () as place, row.source, described.record_type, row.record_key, row.refers_to, row.rule,
        row.column_name,
        add_months(cast(timezone('{LOCAL_ZONE}', timezone('UTC', delivery.extracted_at)) as date), $months) + $days
            as kept_through
    from intake.quarantined as row
    inner join intake.deliveries as delivery
        on row.source = delivery.source and row.delivery_id = delivery.delivery_id and delivery.status = 'loaded'
    inner join policy.records as described
        on row.source = described.source and row.table_name = described.table_name
    where row.row_text is not null
"""
#: What each row names. A private customer's contacts are other people, and so is who has the same address but is known.
_NAMES = f"""
    select place, record_type as kind, record_key as each, false as by_address
    from set_aside_rows where record_key is not null
    union all
    select place, kind, each, kind = 'email'
    from (
        select named.place, named.record_type, named.entry.value as each,
            case named.entry.key {" ".join(f"when '{column}' then '{kind}'" for column, kind in RAW_LINKS.items())}
                when '{SUCCESSOR}' then named.record_type when 'email_key' then 'email' end as kind
        from (select place, record_type, unnest(map_entries(refers_to)) as entry from set_aside_rows) as named
    )
    where kind is not null and not (record_type = 'contact' and kind = 'customer')
"""
_FIND = """
    insert into set_aside_found
    select distinct row.place
    from set_aside_names as named
    inner join set_aside_keys as wanted on named.kind = wanted.kind and named.each = wanted.each
    inner join set_aside_rows as row on named.place = row.place
    left join core.records as known on row.record_type = known.record_type and row.record_key = known.record_key
    where (not named.by_address or known.row_id is null)
        and not exists (select 1 from set_aside_found as found where found.place = row.place)
"""
_HANG = """
    insert into set_aside_keys
    select distinct row.record_type, row.record_key
    from set_aside_rows as row
    inner join set_aside_found as found on row.place = found.place
    where row.record_key is not null and not exists (
        select 1 from set_aside_keys as wanted where wanted.kind = row.record_type and wanted.each = row.record_key
    )
"""
_COUNTED = """
    select row.source, row.record_type, row.rule, row.column_name as "column", count(*) as rows,
        max(row.kept_through) as kept_through
    from set_aside_rows as row
    inner join set_aside_found as found on row.place = found.place
    group by all
    order by all
"""
