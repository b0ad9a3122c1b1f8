"""Records that left every source long ago: their keys and keyed hashes have a last day too.

What stays of an erased record (`docs/own-copies.md`) stays because decisions about others rest on it. Where all that
hangs together with it has left its sources, longer ago than manifests are kept, and no item, hold, disclosure or word
that speaks on names any of it, it bears on nobody: its rows go, and what the ledger remembers of them (rules.md,
*Disposition*: the product's hashes, P5Y after an item settled). Orders, lines and invoices keep the numbers that sums
are made of, under keys that nobody has. What hangs together, `assets.core.units` knows; it is known of the shipped
purposes alone, so that under a company's own SQL nothing goes. Writes no file: `assets.erasure.erasing` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from assets.contracts.raw_tables import RAW_LINKS
from assets.core.changing import HasDigest, build_anew, is_behind, is_read
from assets.core.units import KIND, KINDS, REGISTERS, Kind, Stage, stage
from assets.ingest.projecting import LOCAL_ZONE
from assets.ledger.issued import forget_records
from assets.purpose_register import months_and_days
from assets.warehouse import RewriteFailed, Warehouse, identifier, literal

_KINDS = tuple(kind for kind in KINDS if kind.name not in REGISTERS)
_FOUND, _ASKED, _LINKED, _NAMED_ANEW = "departed", "departed_asked", "departed_linked", "departed_named"
#: How many of them are looked at at once, with all that hangs together with them.
AT_ONCE = 50_000
#: What sums rest on, and by whom it is grouped (`sql/analytics/sales.*`). The keys are replaced, all else goes.
_SUMMED = {
    "order": ("order_id", "customer_id"),
    "order_line": (
        "order_line_id", "order_id", "product_key", "quantity", "unit_price", "known_quantity", "known_unit_price",
    ),
    "invoice": (
        "invoice_id", "order_id", "customer_id", "kind", "issued_on", "booked_on", "currency", "known_currency",
        "amount", "known_amount",
    ),
}  # fmt: skip
_SURROUNDING = ("row_id", "in_source", "in_delivery", "changed_in")
#: The key of a row that was forgotten: of its number, so that the same rows are made of the same.
_NAMELESS = "'forgotten ' || cast({} as varchar)"

#: Words that speak on, in rows of the sources, as the rules read them: who returns under another key is reached through
#: them.
_SPEAKS_ON = {
    "consent": "select consent_id from core.consents where withdrawn_on is not null",
    "subscriber": "select subscriber_id from core.subscribers where unsubscribed_on is not null",
}
_NAMING = " ".join(f"when '{column}' then '{kind}'" for column, kind in RAW_LINKS.items())
#: What still names a record, where its table is there: nothing of what hangs together with that goes.
_NAMED_BY = {
    "manifest.items": "select cast(record_type as varchar), record_key from manifest.items",
    "manifest.notice_fields": "select record_type, record_key from manifest.notice_fields",
    "raw.office_disclosures": "select lower(record_type), record_key from raw.office_disclosures",
    "office.matches": "select first_type, first_key from office.matches "
    "union all select second_type, second_key from office.matches",
    "intake.quarantined": "select records.record_type, quarantined.record_key from intake.quarantined as quarantined "
    "inner join policy.records as records on records.source = quarantined.source "
    "and records.table_name = quarantined.table_name "
    f"union all select case entry.key {_NAMING} "
    "end, entry.value from (select unnest(map_entries(refers_to)) as entry from intake.quarantined)",
}
#: Who has an address that a row names which was set aside.
_ADDRESSED = """
    select node.node_type, node.row_id from core.person_nodes as node
    where cast(node.email_key as varchar) in (
        select entry.value from (select unnest(map_entries(refers_to)) as entry from intake.quarantined)
        where entry.key = 'email_key'
    )
"""
#: By whom sums are grouped: the rows that name one customer or order, also one that no source ever delivered.
_GROUPS = """
    select 'customer' as what, customer_id as named, 'order' as record_type, row_id from raw.orders_orders
    union all select 'customer', customer_id, 'invoice', row_id from raw.orders_invoices
    union all select 'order', order_id, 'invoice', row_id from raw.orders_invoices
    union all select 'order', order_id, 'order_line', row_id from raw.orders_order_lines
"""
#: The new name of each customer and order: of a row that stays, whose number is given to no other.
_NEW_NAMES = f"""
    select groups.what, groups.named, coalesce(
        {_NAMELESS.format("min(parent.row_id)")},
        'forgotten ' || groups.what || ' of ' || min(groups.record_type || ' ' || cast(groups.row_id as varchar))
    ) as new_name
    from ({_GROUPS}) as groups
    inner join temp.{_FOUND} as gone on groups.record_type = gone.record_type and groups.row_id = gone.row_id
    left join temp.{_FOUND} as parent
        on groups.what = 'order' and parent.record_type = 'order' and parent.record_key = groups.named
    where groups.named is not null
    group by groups.what, groups.named
"""
#: Requests whose word does not reach who comes later under another key, answered long ago.
_REQUEST_IS_OVER = "coalesce(kind in ('termination', 'erasure') and {over} < $day, false)"


def is_due(warehouse: Warehouse, policy: HasDigest, day: date) -> bool:
    """Whether it has not been looked this month or later, and it is known what hangs together and what was entered.

    Once a month: in a site of many years much has left its source and hangs together with what has not, and each look
    follows all of that.
    """
    if not warehouse.exists("nights", "core"):  # asking on would make the tables
        return False
    if not is_read(warehouse, policy) or is_behind(warehouse, policy):
        return False
    warehouse.run("create table if not exists erasure.departures (as_of date, records bigint)")
    looked = warehouse.value("select max(as_of) from erasure.departures")
    return looked is None or (looked.year, looked.month) < (day.year, day.month)


def find(warehouse: Warehouse, day: date, period: str) -> int:
    """Write down the records that can be forgotten (`temp.departed`); how many. Not inside a transaction.

    Args:
        warehouse: with `raw.*`, `core.*` built of it, the ledger and `office.*`.
        day: the day by which it is told what has been kept for long enough.
        period: how long a record is remembered after it left its source, and after what was told of it was settled:
            so long are the items of manifests in the ledger.
    """
    _pick(warehouse, day, period)
    for table, named in _NAMED_BY.items():
        if warehouse.exists(*table.split(".")):
            warehouse.run(f"delete from temp.{_FOUND} where (record_type, record_key) in ({named})")
    if warehouse.exists("intake", "quarantined"):
        warehouse.run(f"delete from temp.{_FOUND} where (record_type, row_id) in ({_ADDRESSED})")
    warehouse.run(f"alter table temp.{_FOUND} add column stays boolean")
    while warehouse.value(f"select exists (select 1 from temp.{_FOUND} where stays is null)"):
        _look_at_some(warehouse, day, period)
    while _keep_groups(warehouse):
        pass
    warehouse.run(f"delete from temp.{_FOUND} where stays")
    return int(warehouse.value(f"select count(*) from temp.{_FOUND}"))


def take_out(warehouse: Warehouse, day: date, found: int) -> None:
    """Take the records that `find` found out of the tables, and prove that nothing else went.

    Runs inside the caller's transaction.

    Raises:
        RewriteFailed: a table did not hold what was to stay. The caller's transaction is to be taken back.
    """
    warehouse.run(f"create or replace temp table {_NAMED_ANEW} as {_NEW_NAMES}")
    for kind in _KINDS:
        leaving = int(warehouse.value(f"select count(*) from temp.{_FOUND} where record_type = '{kind.name}'"))
        if leaving:
            _count_by_delivery(warehouse, kind)
            _take_out(warehouse, kind, leaving)
    forget_records(warehouse, f"select record_type, record_key from temp.{_FOUND}")
    warehouse.run("insert into erasure.departures values (?, ?)", [day, found])
    for table in (_FOUND, _NAMED_ANEW):
        warehouse.run(f"drop table temp.{table}")
    if found:
        build_anew(warehouse)


# -- which -------------------------------------------------------------------------------------------------------------


def _pick(warehouse: Warehouse, day: date, period: str) -> None:
    """The records that left their source so long ago, and say nothing that speaks on."""
    warehouse.run(f"create or replace temp table {_FOUND} (record_type varchar, row_id bigint, record_key varchar)")
    local_day = f"cast(timezone('{LOCAL_ZONE}', timezone('UTC', extracted_at)) as date)"
    deliveries = dict(
        warehouse.rows(
            f"select source, list(delivery_id order by delivery_id) from intake.deliveries "
            f"where {_over(local_day, period)} < $day group by source",
            {"day": day},
        )
    )
    for kind in _KINDS:
        old = deliveries.get(kind.raw.partition("_")[0])
        if not old or "changed_in" not in warehouse.columns("raw", kind.raw):
            continue
        key = f"cast({identifier(kind.key)} as varchar)"
        warehouse.run(
            f"insert into temp.{_FOUND} select '{kind.name}', row_id, {key} from raw.{identifier(kind.raw)} "
            "where not in_source and changed_in in (select unnest(cast($deliveries as varchar[]))) "
            f"and {key} <> {_NAMELESS.format('row_id')}",
            {"deliveries": old},
        )
    for record_type, speaking in _SPEAKS_ON.items():
        warehouse.run(f"delete from temp.{_FOUND} where record_type = '{record_type}' and row_id in ({speaking})")


def _over(day: str, period: str) -> str:
    months, days = months_and_days(period)
    return f"add_months({day}, {months}) + {days}"


def _look_at_some(warehouse: Warehouse, day: date, period: str) -> None:
    """Tell of some records, and of all that hang together with them, whether they stay, as what they are linked to.

    What stays is a row that is there, one that left later, one that a word or a register names, and whatever is linked
    to any of these.
    """
    warehouse.run(
        f"create or replace temp table {_ASKED} as select record_type, row_id from temp.{_FOUND} "
        f"where stays is null order by record_type, row_id limit {AT_ONCE}"
    )
    is_over = _REQUEST_IS_OVER.format(over=_over("answered_on", period))
    warehouse.run(f"create or replace temp table {_LINKED} (record_type varchar, row_id bigint)")
    with stage(warehouse) as units:
        _follow(units, _ASKED)
        for kind in KINDS:
            there = f"{units.catalog}.core.{kind.core}"
            these = f"select row_id from temp.{_FOUND} where record_type = '{kind.name}'"
            stays = f"not {is_over}" if kind.name == "request" else f"{kind.row} not in ({these})"
            warehouse.run(
                f"insert into temp.{_LINKED} select '{kind.name}', {kind.row} from {there} where {stays}",
                {"day": day} if kind.name == "request" else None,
            )
            _tell(warehouse, kind, there, stays=False)
    _keep_linked(warehouse)
    warehouse.run(  # of which `core.*` knows nothing
        f"update temp.{_FOUND} set stays = true where stays is null "
        f"and (record_type, row_id) in (select record_type, row_id from temp.{_ASKED})"
    )
    for table in (_ASKED, _LINKED):
        warehouse.run(f"drop table if exists temp.{table}")


def _keep_linked(warehouse: Warehouse) -> None:
    """Tell of all that is linked to the rows in `temp.departed_linked` that it stays."""
    with stage(warehouse) as units:
        _follow(units, _LINKED)
        for kind in _KINDS:
            _tell(warehouse, kind, f"{units.catalog}.core.{kind.core}", stays=True)


def _keep_groups(warehouse: Warehouse) -> bool:
    """Keep what is counted as one customer or order whole; whether anything more stays by it.

    Half of a group under another key would count as one more, and amounts of too few would be told.
    """
    leaving = f"(record_type, row_id) in (select record_type, row_id from temp.{_FOUND} where not stays)"
    warehouse.run(
        f"create or replace temp table {_LINKED} as "
        f"with groups as (select * from ({_GROUPS}) where named is not null), "
        f"leaving as (select * from groups where {leaving}) "
        "select distinct leaving.record_type, leaving.row_id from leaving inner join groups "
        "on leaving.what = groups.what and leaving.named = groups.named "
        f"where (groups.record_type, groups.row_id) not in "
        f"(select record_type, row_id from temp.{_FOUND} where not stays)"
    )
    is_split = bool(warehouse.value(f"select exists (from temp.{_LINKED})"))
    if is_split:
        _keep_linked(warehouse)
    warehouse.run(f"drop table temp.{_LINKED}")
    return is_split


def _tell(warehouse: Warehouse, kind: Kind, there: str, *, stays: bool) -> None:
    warehouse.run(
        f"update temp.{_FOUND} set stays = {stays} "
        f"where record_type = '{kind.name}' and row_id in (select {kind.row} from {there})"
    )


def _follow(units: Stage, table: str) -> None:
    for kind in KINDS:
        units.want(kind.name, f"select row_id from temp.{table} where record_type = '{kind.name}'")
    units.complete(rootless=KIND)


def _count_by_delivery(warehouse: Warehouse, kind: Kind) -> None:
    """Keep by which deliveries rows left, and how many had been ordered: a table that lost them shrank rightly.

    Rows whose numbers stay are there to be counted still.
    """
    source, _, table = kind.raw.partition("_")
    gone = "0" if kind.name in _SUMMED else "count(*)"
    ordered = "select record_key from manifest.told where record_type = $kind and state = 'erase' and action = 'erase'"
    warehouse.run(
        f"insert into intake.departed select $source, $table, source_row.in_delivery, {gone}, "
        f"count(*) filter (where found.record_key in ({ordered})) from raw.{identifier(kind.raw)} as source_row "
        f"inner join temp.{_FOUND} as found on found.record_type = $kind and found.row_id = source_row.row_id "
        "group by source_row.in_delivery",
        {"source": source, "table": table, "kind": kind.name},
    )


# -- out of the tables -------------------------------------------------------------------------------------------------


def _take_out(warehouse: Warehouse, kind: Kind, leaving: int) -> None:
    """Take a kind's rows out of its raw table, or, where sums rest on them, all but what those are made of."""
    table = f"raw.{identifier(kind.raw)}"
    these = f"row_id in (select row_id from temp.{_FOUND} where record_type = '{kind.name}')"
    is_summed = kind.name in _SUMMED
    numbers = [name for name in _SUMMED.get(kind.name, ()) if not name.endswith(("_id", "_key"))]
    everything = ", ".join(map(identifier, warehouse.columns("raw", kind.raw)))
    others = f"select count(*), coalesce(sum(hash({everything})), 0) from {table} where not {these}"
    stays = f"select count(*), coalesce(sum(hash({', '.join(('row_id', *numbers))})), 0) from {table} where {these}"
    before = warehouse.rows(others), warehouse.rows(stays) if is_summed else [(0, 0)]
    if is_summed:
        warehouse.run(f"create or replace temp table nameless as {_without_names(warehouse, kind, these)}")
    warehouse.run(f"delete from {table} where {these}")
    if is_summed:
        warehouse.run(f"insert into {table} by name from temp.nameless")
        warehouse.run("drop table temp.nameless")
    found = warehouse.rows(others), warehouse.rows(stays)
    if found != before or (is_summed and found[1][0][0] != leaving):
        raise RewriteFailed(
            f"Table {table} would not hold what was to stay: nothing was changed. Look for a failing disk; "
            "`gallring restore` brings back the last backup."
        )


def _without_names(warehouse: Warehouse, kind: Kind, these: str) -> str:
    """The rows of a kind with what sums are made of alone, under keys of their numbers."""
    return f"select {', '.join(_parts(warehouse, kind))} from raw.{identifier(kind.raw)} as source_row where {these}"


def _parts(warehouse: Warehouse, kind: Kind) -> Iterator[str]:
    table = f"raw.{identifier(kind.raw)}"
    for name in warehouse.columns("raw", kind.raw):
        if name == kind.key:
            yield f"{_NAMELESS.format('source_row.row_id')} as {name}"
        elif name in _SURROUNDING:
            yield f"source_row.{name}"
        elif name not in _SUMMED[kind.name]:
            yield f"null as {identifier(name)}"
        elif name in ("customer_id", "order_id"):
            yield (
                f"(select anew.new_name from temp.{_NAMED_ANEW} as anew where anew.what = "
                f"{literal(name.removesuffix('_id'))} and anew.named = source_row.{name}) as {name}"
            )
        elif name == "product_key":  # a product that is still somebody's names nobody
            others = (
                f"select other.product_key from {table} as other where other.product_key is not null and other.row_id "
                f"not in (select row_id from temp.{_FOUND} where record_type = '{kind.name}')"
            )
            yield f"case when source_row.product_key in ({others}) then source_row.product_key end as product_key"
        else:
            yield f"source_row.{name}"
