"""Rows that were set aside and that no full delivery has followed: the records that one of them may be, or may keep.

Works out the SQL; decides nothing. A row bears on the record of its own key, which was decided by the row before. By
what else it names (`intake.quarantined.refers_to`) it bears on

- what it names, and what that hangs on: an invoice on its order, and both on their customer;
- all that hangs on one of these, or on its own key: an order's lines while an invoice of it is not read. Of a customer
  or contact that it merely names, that is who else is named beside: contacts, subscribers, consents. What the customer
  did otherwise (another order) has purposes of its own;
- who has the e-mail address that it names, or that its own record had: whose a subscription is, and whom a person's
  word reaches, goes by that. Not who has the same number, and not the other records of a person of whom it names one.

It bears on nobody where it names nobody that can be read. Holds and requests are not looked at here: while one of them
is not read, everything waits (`assets.delivery.concerns`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from assets.contracts.contract import SUCCESSOR
from assets.contracts.raw_tables import RAW_LINKS
from assets.core.units import KIND, KINDS, REGISTERS, Kind
from assets.warehouse import Warehouse, identifier

#: The full deliveries that brought the table of some rows since: what was set aside in `deliveries` is read anew there.
FOLLOWED = """
    select 1
    from intake.files as brought
    inner join intake.deliveries as later
        on later.source = brought.source and later.delivery_id = brought.delivery_id
    where brought.source = {rows}.source and brought.table_name = {rows}.table_name and brought.status = 'loaded'
        and later.status = 'loaded' and later.mode = 'full' and later.sequence > deliveries.sequence
"""

_NAMED_BY_OTHERS = ("delivery", "invoice", "subscriber", "quote", "order", "contact", "customer")
#: The kinds of records, each after those that hang on it.
UPWARDS = (
    *(kind.name for kind in KINDS if kind.name not in (*REGISTERS, *_NAMED_BY_OTHERS)),
    *_NAMED_BY_OTHERS,
)
#: Who people are: of one whom a row merely names, no more than these beside.
_PEOPLE = ("customer", "contact")
_BESIDE = ("contact", "subscriber", "consent")

_SET_ASIDE = """
    select records.record_type, records.source, quarantined.record_key, {refers_to} as refers_to
    from intake.quarantined
    inner join policy.records as records
        on records.source = quarantined.source and records.table_name = quarantined.table_name
    inner join intake.deliveries as deliveries
        on deliveries.source = quarantined.source and deliveries.delivery_id = quarantined.delivery_id
    where deliveries.status = 'loaded' and not exists ({followed})
"""

_COUNTED = """
    select items.manifest_id,
        count(distinct (items.record_type, items.record_key)) filter (where concerned.is_own) as own,
        count(distinct (items.record_type, items.record_key)) filter (where not concerned.is_own) as named
    from manifest.items as items
    inner join ({concerned}) as concerned
        on concerned.record_type = items.record_type and concerned.record_key = items.record_key
        and concerned.source = items.system
    where list_contains(cast($ids as varchar[]), items.manifest_id) and items.action in ('erase', 'redact')
    group by items.manifest_id
"""


def count_unread(warehouse: Warehouse, manifests: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Of how many records that manifests erase or redact a row was set aside, and on how many others one bears.

    Args:
        warehouse: with what the ingest left.
        manifests: their ids.

    Returns:
        Both counts by manifest; a manifest without any is left out.
    """
    if not is_any_set_aside(warehouse):
        return {}
    rows = warehouse.rows(_COUNTED.format(concerned=concerned_records(warehouse)), {"ids": list(manifests)})
    return {manifest_id: (own, named) for manifest_id, own, named in rows}


def is_any_set_aside(warehouse: Warehouse) -> bool:
    """Whether any row is kept that was set aside: without one, none bears on anything."""
    return warehouse.exists("intake", "quarantined") and bool(
        warehouse.value("select count(*) from (select 1 from intake.quarantined limit 1)")
    )


def concerned_records(warehouse: Warehouse) -> str:
    """The SELECT of the records on which such rows bear: `record_type, source, record_key, is_own`, each once.

    `is_own`: a row of its own key was set aside.
    """
    steps = ", ".join(f"{name} as materialized ({select})" for name, select in _steps(warehouse))
    return f"with {steps} select * from concerned"


def _steps(warehouse: Warehouse) -> Iterator[tuple[str, str]]:
    """The named steps of the statement, the last one `concerned`: each record once, of its own row or by another's."""
    has_names = "refers_to" in warehouse.columns("intake", "quarantined")
    refers_to = "quarantined.refers_to" if has_names else "cast(null as map(varchar, varchar))"
    yield "set_aside", _SET_ASIDE.format(refers_to=refers_to, followed=FOLLOWED.format(rows="quarantined"))
    yield "own", "select distinct record_type, source, record_key from set_aside where record_key is not null"
    yield "named", _NAMED
    there = _there(warehouse)
    yield "hashes", _known_by(there)
    yield from _upwards(there)
    yield from _downwards(there)
    reached = " union all ".join(f"select '{name}' as record_type, each from down_{name}" for name in UPWARDS)
    beside = [("up", name) for name in _PEOPLE] + [("beside", name) for name in _BESIDE]
    people = " union all ".join(f"select '{name}' as record_type, each from {what}_{name}" for what, name in beside)
    yield "concerned", _CONCERNED.format(reached=f"{reached} union all {people}")


_CONCERNED = """
    select record_type, source, record_key, bool_or(is_own) as is_own
    from (
        select record_type, source, record_key, true as is_own from own
        union all
        select reached.record_type, records.source, reached.each as record_key, false as is_own
        from ({reached}) as reached
        inner join policy.records as records on records.record_type = reached.record_type
    )
    group by record_type, source, record_key
"""

#: What rows name besides their own key: a kind of record, or `email`, and its key.
_NAMED = f"""
    select distinct
        case entry.key {" ".join(f"when '{column}' then '{kind}'" for column, kind in RAW_LINKS.items())}
            when '{SUCCESSOR}' then record_type when 'email_key' then 'email' end as kind,
        entry.value as each
    from (select record_type, unnest(map_entries(refers_to)) as entry from set_aside)
    where entry.value is not null
"""


def _there(warehouse: Warehouse) -> Mapping[str, frozenset[str]]:
    """The columns of each kind's raw table; none of one that is not there, or has no key."""
    found: dict[str, set[str]] = {}
    for table, column in warehouse.rows(
        "select table_name, column_name from duckdb_columns() where database_name = ? and schema_name = 'raw'",
        [warehouse.catalog],
    ):
        found.setdefault(table, set()).add(column)
    columns = {name: frozenset(found.get(KIND[name].raw, ())) for name in UPWARDS}
    return {name: names if KIND[name].key in names else frozenset() for name, names in columns.items()}


def _hashes(name: str, there: Mapping[str, frozenset[str]]) -> list[str]:
    """The columns by which a row about somebody says who that is, but for numbers."""
    return sorted(there[name] & {"email_key"}) if name in (*_PEOPLE, *_BESIDE) else []


def _known_by(there: Mapping[str, frozenset[str]]) -> str:
    """Hashes: the addresses that rows name, and those that were known of their own records."""
    known = [
        f"select {column} from raw.{KIND[name].raw} where {column} is not null "
        f"and {_key(KIND[name])} in (select record_key from own where record_type = '{name}')"
        for name in UPWARDS for column in _hashes(name, there)
    ]  # fmt: skip
    return " union ".join(["select try_cast(each as uuid) as each from named where kind = 'email'", *known])


def _links(name: str, there: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    """The columns by which a kind's rows hang on others, and the kind that each names: those further up alone."""
    further = UPWARDS[UPWARDS.index(name) :]
    for column in sorted(there[name] & RAW_LINKS.keys()):
        if column != KIND[name].key and RAW_LINKS[column] in further:
            yield column, RAW_LINKS[column]


def _upwards(there: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    """`up_<kind>(each)`: the keys that rows have or name, and of those that these hang on.

    The rows of those keys are read once a table (`rows_<kind>`): all that they name is in a few of them.
    """
    parents: dict[str, list[str]] = {name: [] for name in UPWARDS}
    for name in UPWARDS:
        kind = KIND[name]
        first = [
            f"select record_key as each from own where record_type = '{name}'",
            f"select each from named where kind = '{name}'",
            *parents[name],
        ]
        for column in _hashes(name, there):
            first.append(f"select {_key(kind)} from raw.{kind.raw} where {column} in (select each from hashes)")
        links = dict(_links(name, there))
        own = [column for column, what in links.items() if what == name]
        yield f"{'first' if own else 'up'}_{name}", " union ".join(first)
        if own:
            hung = _named_by(kind, own, f"first_{name}")
            named = [f"select {identifier(each)} from ({hung}) where {identifier(each)} is not null" for each in own]
            yield f"up_{name}", " union ".join([f"select each from first_{name}", *named])
        if links:
            yield f"rows_{name}", _named_by(kind, links, f"up_{name}")
        for column, what in links.items():
            parents[what].append(f"select {identifier(column)} from rows_{name} where {identifier(column)} is not null")


def _downwards(there: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    """`down_<kind>(each)`: all that hangs on what was reached; `beside_<kind>`: on people who are merely named."""
    for name in reversed(UPWARDS):
        kind = KIND[name]
        links = list(_links(name, there))
        parts = [
            f"select record_key as each from own where record_type = '{name}'"
            if name in _PEOPLE else f"select each from up_{name}"
        ]  # fmt: skip
        parts += [_hanging_on(kind, column, f"down_{what}") for column, what in links if what != name]
        if name in _BESIDE:
            beside = [_hanging_on(kind, column, f"up_{what}") for column, what in links if what in _PEOPLE]
            yield f"beside_{name}", " union ".join(["select record_key as each from own where false", *beside])
        own = [column for column, what in links if what == name]
        yield f"{'before' if own else 'down'}_{name}", " union ".join(parts)
        if own:
            hung = [_hanging_on(kind, column, f"before_{name}") for column in own]
            yield f"down_{name}", " union ".join([f"select each from before_{name}", *hung])


def _key(kind: Kind) -> str:
    return f"cast({identifier(kind.key)} as varchar)"


def _named_by(kind: Kind, columns: Iterable[str], of: str) -> str:
    """What the rows of some keys of a raw table name in columns."""
    named = ", ".join(f"cast({identifier(column)} as varchar) as {identifier(column)}" for column in columns)
    return f"select distinct {named} from raw.{kind.raw} where {_key(kind)} in (select each from {of})"


def _hanging_on(kind: Kind, column: str, of: str) -> str:
    """The rows of a raw table that name one of some keys in a column."""
    named = f"cast({identifier(column)} as varchar)"
    return f"select {_key(kind)} from raw.{kind.raw} where {named} in (select each from {of})"
