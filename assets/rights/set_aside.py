"""Rows about a person that were set aside: kept in the quarantine until their day, and no part of any record.

What is kept there is held (Art 15), so an answer that leaves it out says too little. A row is found by its own key, by
what else it names (`intake.quarantined.refers_to`: keys of other records, the hash of an address), and by hanging on a
row that was found. Tells tables, rules, numbers and days: no key and no value, for what a row holds may be about
somebody else, and a person looks at it first. A line that could not be split into columns names nobody, and is not
found.

What was taken in and hangs on such a row (the order of a customer who was set aside) is nobody's record as long as that
is not known, and is told by its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assets.contracts.contract import SUCCESSOR
from assets.contracts.raw_tables import RAW_LINKS
from assets.core.units import KIND, KINDS, REGISTERS
from assets.ingest.projecting import LOCAL_ZONE
from assets.purpose_register import months_and_days
from assets.rights.people import Person
from assets.warehouse import Warehouse, identifier


@dataclass(frozen=True)
class SetAside:
    """What was set aside of a person, or may be, and what hangs on it.

    Attributes:
        rows: counted: source, record_type, rule, column, rows, kept_through, and delivered_since: whether the record
            has come whole since, and is among the person's.
        orphans: what was taken in and hangs on a row whose own record is not known: source, record_type, record_key.
    """

    rows: tuple[Mapping[str, Any], ...] = ()
    orphans: tuple[Mapping[str, str], ...] = ()

    @property
    def missing(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of which no record of the person's holds what they say."""
        return tuple(each for each in self.rows if not each["delivered_since"])


NO_ROWS = SetAside()


def rows_about(warehouse: Warehouse, people: Sequence[Person], chosen: str, period: str) -> SetAside:
    """The rows that are, or may be, about a person, or about one of several: each once.

    Args:
        warehouse: evaluated.
        people: whom.
        chosen: the temporary table of their records (`record_type`, `row_id`).
        period: how long such rows are kept after their extract, as ISO 8601.
    """
    if not _prepare(warehouse, period):
        return NO_ROWS
    warehouse.run(
        "insert into set_aside_keys select known.record_type, known.record_key from core.records as known "
        f"inner join {chosen} as chosen on known.record_type = chosen.record_type and known.row_id = chosen.row_id"
    )
    warehouse.run(
        "insert into set_aside_keys select distinct 'email', cast(node.email_key as varchar) "
        "from core.people as person inner join core.person_nodes as node on person.node_id = node.node_id "
        "where list_contains(?, person.person_id) and node.email_key is not null",
        [[person.person_id for person in people]],
    )
    return _found(warehouse, chosen)


def rows_of_unknown(
    warehouse: Warehouse, period: str, *, customer: str | None = None, contact: str | None = None,
    email: str | None = None, email_key: str | None = None,
) -> SetAside:  # fmt: skip
    """The rows about somebody who is no person of any record that was taken in.

    Nothing where the customer or contact has been delivered. `email_key` is an address by its keyed hash.
    """
    if not _prepare(warehouse, period):
        return NO_ROWS
    warehouse.run(
        "insert into set_aside_keys select kind, each from (values ('customer', $customer), ('contact', $contact), "
        "('email', coalesce(cast(pseudonym(normalised_email($email)) as varchar), $email_key))) as named(kind, each) "
        "where each is not null and not exists (select 1 from core.records as known "
        "where known.record_type = named.kind and known.record_key = named.each)",
        {"customer": customer, "contact": contact, "email": email, "email_key": email_key},
    )
    warehouse.run("create or replace temp table set_aside_nobodys (record_type varchar, row_id bigint)")
    return _found(warehouse, "set_aside_nobodys")


def _prepare(warehouse: Warehouse, period: str) -> bool:
    """Lay out the rows and what each names, for the asking; whether there are any."""
    if not warehouse.exists("intake", "quarantined") or not warehouse.exists("core", "records"):
        return False
    months, days = months_and_days(period)
    warehouse.run(f"create or replace temp table set_aside_rows as {_ROWS}", {"months": months, "days": days})
    warehouse.run(f"create or replace temp table set_aside_names as {_NAMES}")
    warehouse.run("create or replace temp table set_aside_keys (kind varchar, each varchar)")
    warehouse.run("create or replace temp table set_aside_found (place bigint)")
    warehouse.run("create or replace temp table set_aside_delivered (place bigint)")
    warehouse.run(
        "create or replace temp table set_aside_orphans (source varchar, record_type varchar, record_key varchar)"
    )
    return bool(warehouse.value("select count(*) from set_aside_rows"))


def _found(warehouse: Warehouse, chosen: str) -> SetAside:
    """What names one of the keys, and what hangs on that in turn."""
    found = -1
    while (now := int(warehouse.value("select count(*) from set_aside_found"))) > found:
        found = now
        warehouse.run(_FIND)
        warehouse.run(_HANG)
    for (record_type,) in warehouse.rows(_TYPES):
        kind = KIND[record_type]
        delivered = _DELIVERED.format(raw=identifier(kind.raw), key=identifier(kind.key), chosen=chosen)
        warehouse.run(delivered, {"record_type": record_type})
    if warehouse.value(f"select count(*) from ({_UNKNOWN})"):
        _find_orphans(warehouse, chosen)
    orphans = warehouse.records("from set_aside_orphans order by all")
    return SetAside(tuple(warehouse.records(_COUNTED)), tuple(orphans))


def _find_orphans(warehouse: Warehouse, chosen: str) -> None:
    """What hangs on a row whose record is not known, and on that in turn; `KINDS` has what hangs after what it names.

    A customer's contacts are other people, as in what is set aside itself.
    """
    for kind in KINDS:
        if kind.name in REGISTERS:
            continue
        for column in sorted(RAW_LINKS.keys() & set(warehouse.columns("raw", kind.raw)) - {kind.key}):
            if (kind.name, column) != ("contact", "customer_id"):
                hanging = _ORPHANS.format(
                    raw=identifier(kind.raw), key=identifier(kind.key), column=identifier(column), chosen=chosen
                )
                warehouse.run(hanging, {"record_type": kind.name, "named": RAW_LINKS[column]})


#: Each row that is kept with what it holds, and its last day. One whose text an order erased holds nothing any more.
_ROWS = f"""
    select row_number() over () as place, row.source, described.record_type, row.record_key, row.refers_to, row.rule,
        row.column_name, delivery.sequence,
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
_TYPES = """
    select distinct row.record_type from set_aside_rows as row
    inner join set_aside_found as found on row.place = found.place
    where row.record_key is not null order by all
"""
#: Rows whose record a later delivery brought, so that it says what they say as its source has it since.
_DELIVERED = """
    insert into set_aside_delivered
    select row.place
    from set_aside_rows as row
    inner join set_aside_found as found on row.place = found.place
    inner join raw.{raw} as known on cast(known.{key} as varchar) = row.record_key
    inner join {chosen} as chosen on chosen.record_type = row.record_type and chosen.row_id = known.row_id
    inner join intake.deliveries as later
        on later.source = row.source and later.delivery_id = known.in_delivery and later.status = 'loaded'
    where row.record_type = $record_type and known.in_source and later.sequence > row.sequence
"""
_UNKNOWN = """
    select distinct row.record_type as kind, row.record_key as each
    from set_aside_rows as row
    inner join set_aside_found as found on row.place = found.place
    where row.record_key is not null and not exists (
        select 1 from core.records as known
        where known.record_type = row.record_type and known.record_key = row.record_key
    )
"""
_ORPHANS = f"""
    insert into set_aside_orphans
    select distinct described.source, described.record_type, cast(known.{{key}} as varchar)
    from raw.{{raw}} as known
    inner join policy.records as described on described.record_type = $record_type
    where known.in_source and cast(known.{{column}} as varchar) in (
            select each from ({_UNKNOWN}) where kind = $named
            union all
            select record_key from set_aside_orphans where record_type = $named
        )
        and not exists (
            select 1 from {{chosen}} as chosen
            where chosen.record_type = $record_type and chosen.row_id = known.row_id
        )
        and not exists (
            select 1 from set_aside_orphans as there
            where there.record_type = $record_type and there.record_key = cast(known.{{key}} as varchar)
        )
"""
_COUNTED = """
    select row.source, row.record_type, row.rule, row.column_name as "column", count(*) as rows,
        max(row.kept_through) as kept_through, delivered.place is not null as delivered_since
    from set_aside_rows as row
    inner join set_aside_found as found on row.place = found.place
    left join set_aside_delivered as delivered on row.place = delivered.place
    group by all
    order by all
"""
