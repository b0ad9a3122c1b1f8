"""From staged rows to a raw table: surrogates, what is remembered, what is kept out, who left the source.

Runs the SQL; reads no files and judges no rows. A full delivery replaces a table, a delta changes the rows it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from assets.contracts.contract import Column, Contract
from assets.contracts.raw_tables import raw_columns
from assets.ingest import former_addresses
from assets.ingest.projecting import has_digest
from assets.ingest.recognising import TABLES, is_recognised, mark, ordered_of
from assets.ingest.registers import KEYS, NAMED, Named
from assets.warehouse import Warehouse, identifier, literal

_KEY_TEXT = {
    "email": "normalised_email({})",
    "phone": "normalised_phone({})",
    "name": "normalised_name({})",
    "product": "normalised_name({})",
    "national_id": "personnummer({})",
    "org_number": "case new.customer_type when 'sole_trader' then personnummer({}) "
    "when 'company' then organisationsnummer({}) end",
}  # fmt: skip


#: How many staged rows of a first load are written at once. What they are joined to stays in memory, so no row spills.
_AT_ONCE = 4_000_000

#: Rows may be written in any order: that needs a fraction of the memory and two thirds of the time.
_IN_ANY_ORDER: Mapping[str, bool] = {"preserve_insertion_order": False}

#: The staged rows, which are wide, stream past the narrow tables that are joined to them; none is kept in memory. Left
#: to itself DuckDB takes the first load's staging table for the smaller side, and builds its hash table of that.
_JOINED_AS_WRITTEN: Mapping[str, str] = {"disabled_optimizers": "join_order,build_side_probe_side"}

#: Registers whose entry goes on though a full export no longer lists it: the partner has its copy still (Art 19).
_WITHDRAWN_BY_DELTA = frozenset({"office_disclosures"})

#: Columns whose values are few: each is hashed once.
_FEW_VALUES = frozenset({"product"})


@dataclass(frozen=True)
class Known:
    """What is known of a table before a delivery: whether it has rows, recognisable ones, fields ordered erased."""

    rows: bool
    digests: bool
    ordered: bool


@dataclass(frozen=True)
class Staging:
    """The rows of one table in one delivery, staged.

    Attributes:
        contract: the table.
        table: the table of the staged rows.
        delivery_id: the delivery.
        known: the raw table before it.
        full: whether it holds every row of the table.
        unidentified: whether a row that cannot be read might be anyone's: then nobody counts as gone.
        recognised: whether rows that came as they were are not staged, but were recognised.
        empty: whether no row that is staged is fit to be loaded.
        ranked: whether the rows have their surrogates already, by `rank`.
    """

    contract: Contract
    table: str
    delivery_id: str
    known: Known
    full: bool
    unidentified: bool
    recognised: bool
    empty: bool
    ranked: bool = False


def known_state(warehouse: Warehouse, contract: Contract) -> Known:
    """What the raw table of a contract holds."""
    raw = f"raw.{identifier(contract.raw_table)}"
    rows, digests, ordered = warehouse.rows(
        f"select exists (select 1 from {raw}), exists (select 1 from {raw} where row_digest is not null), "
        "exists (select 1 from manifest.ordered_fields where record_type = ?)",
        [contract.record_type],
    )[0]
    return Known(rows, digests and has_digest(contract), ordered)


def rank(warehouse: Warehouse, table: str) -> None:
    """Give the staged rows of a first, full load their surrogates: one sort, which shows too whether a key came twice.

    A row is `again` where its key is that of the row before it. It would be so, too, if rows came out of the sort in
    another order than that of their keys; then whoever looks at the keys themselves finds out.
    """
    warehouse.run(
        "create or replace temp table new_rows as select place, row_number() over () as row_id, "
        "_key <= lag(_key) over () as again "
        f"from (select rowid as place, _key from {table} where _failure = 0 order by _key) as in_order"
    )


#: Whether a key came twice among the rows that `rank` looked at.
IS_AGAIN = "select exists (select 1 from new_rows where again)"


def merge(warehouse: Warehouse, staging: Staging) -> None:
    """Bring the staged rows into the raw table. Runs inside the caller's transaction."""
    raw = f"raw.{identifier(staging.contract.raw_table)}"
    params = {"delivery_id": staging.delivery_id}
    is_leaving = _meet(warehouse, staging, raw)
    if is_leaving or not staging.empty:
        may_replace = staging.known.rows and former_addresses.hold(warehouse, staging.contract)
        with warehouse.settings(**_IN_ANY_ORDER) if staging.full else nullcontext():
            _write(warehouse, staging, raw)
        if may_replace:
            former_addresses.note(warehouse, staging.contract, staging.delivery_id)
    if staging.recognised:
        warehouse.run(f"update {raw} as old set in_delivery = $delivery_id where {is_recognised('old')}", params)
    for table in ("merged", "met", "leaving", "new_rows", *TABLES):
        warehouse.run(f"drop table if exists temp.{table}")
    warehouse.run(f"drop table if exists {staging.table}")


def _write(warehouse: Warehouse, staging: Staging, raw: str) -> None:
    params = {"delivery_id": staging.delivery_id}
    if not staging.known.rows:
        begin, end = warehouse.rows(f"select min(rowid), max(rowid) + 1 from {staging.table}")[0]
        with warehouse.settings(**_JOINED_AS_WRITTEN):
            for first in range(begin, end, _AT_ONCE):
                these = params | {"first": first, "last": first + _AT_ONCE - 1}
                warehouse.run(f"insert into {raw} by name {_arrivals(staging, raw)}", these)
    elif staging.full and not staging.recognised:
        _replace(warehouse, staging, raw)
    else:
        warehouse.run(
            f"create or replace temp table merged as {_arrivals(staging, raw)} "
            f"union all by name {_others(staging, raw, 'old.row_id in (select row_id from leaving)')}",
            params,
        )
        warehouse.run(f"delete from {raw} where row_id in (select row_id from merged)")
        warehouse.run(f"insert into {raw} by name select * from merged")


def _replace(warehouse: Warehouse, staging: Staging, raw: str) -> None:
    """A raw table written anew, with the staged rows and all others: when most rows may have changed."""
    columns = raw_columns(staging.contract)
    shape = ", ".join(f"cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in columns.items())
    others = _others(staging, raw, "old.row_id not in (select row_id from met)")
    warehouse.run(
        f"create or replace table {raw} as select {shape} from ({_arrivals(staging, raw)} union all by name {others})",
        {"delivery_id": staging.delivery_id},
    )


def _key_of(raw_alias: str, contract: Contract) -> str:
    return f"cast({raw_alias}.{identifier(contract.key)} as varchar)"


def _meet(warehouse: Warehouse, staging: Staging, raw: str) -> bool:
    """Tell which staged row is which row of the table, which are new, and which rows of the table are leaving.

    Rows never seen get the next surrogates in the order of their keys, whatever the order of the file. Returns whether
    any row is leaving.
    """
    base, unmet, is_leaving = "0", "", False
    if staging.known.rows:
        warehouse.run(
            f"create or replace temp table met as select new.rowid as place, old.row_id from {staging.table} as new "
            f"inner join {raw} as old on {_key_of('old', staging.contract)} = new._key "
            "where new._failure = 0 and not new._deleted"
        )
        warehouse.run(
            f"create or replace temp table leaving as select old.row_id from {raw} as old "
            f"where old.in_source and {_is_leaving(staging)} and old.row_id not in (select row_id from met)"
        )
        is_leaving = bool(warehouse.value("select exists (select 1 from leaving)"))
        base, unmet = f"(select max(row_id) from {raw})", "and new.rowid not in (select place from met)"
    if not staging.ranked and (is_leaving or not staging.empty):
        warehouse.run(
            f"create or replace temp table new_rows as select place, {base} + row_number() over (order by _key) as "
            f"row_id from (select new.rowid as place, new._key from {staging.table} as new "
            f"where new._failure = 0 and not new._deleted {unmet})"
        )
    return is_leaving


def _is_leaving(staging: Staging) -> str:
    """Whether a row that did not come has left: not while a row that broke a rule may be it.

    In a delta it has if it is said to be deleted; a disclosure in a delta alone. One that came out of scope may be
    another table's in the same file, under the same number: what it was is known until a full delivery.
    """
    key = _key_of("old", staging.contract)
    if not staging.full:
        return f"{key} in (select _key from {staging.table} where _failure = 0 and _deleted)"
    if staging.contract.raw_table in _WITHDRAWN_BY_DELTA:
        return "false"
    if staging.unidentified:
        return "false"
    recognised = f"not {is_recognised('old')} and "
    bad = f"{key} not in (select _key from {staging.table} where _failure > 0 and _key is not null)"
    return (recognised if staging.recognised else "") + bad


# -- the rows that came ------------------------------------------------------------------------------------------------


def _arrivals(staging: Staging, raw: str) -> str:
    """The rows that came, each with the delivery that last changed a value of it: this one or the earlier one.

    Of a first load those from `$first` to `$last`.
    """
    if not staging.known.rows:
        return _arrived(staging, raw)
    names = [name for name in raw_columns(staging.contract) if name not in ("changed_in", "row_digest")]
    same = " and ".join(
        f"{identifier(name)} is not distinct from {identifier('old ' + name)}" for name in _compared(staging.contract)
    )
    return f"""
        select {", ".join(map(identifier, names))}, row_digest,
            case when {same} then _changed_in else $delivery_id end as changed_in
        from ({_arrived(staging, raw)}) as arrived
    """


def _compared(contract: Contract) -> list[str]:
    """What a row can change in: all it holds but its surrogate, its digest and the deliveries it came in."""
    beside = ("row_id", "in_delivery", "changed_in", "row_digest")
    return [name for name in raw_columns(contract) if name not in beside]


def _arrived(staging: Staging, raw: str) -> str:
    """The rows that came, with what stays known of their earlier selves, and those beside them."""
    contract, known = staging.contract, staging.known
    parts = [f"{_stored(staging, column)} as {identifier(column.name)}" for column in contract.columns]
    parts += [
        "true as in_source", "$delivery_id as in_delivery", f"{_withheld(staging)} as withheld",
        f"{_digest(known)} as row_digest",
    ]  # fmt: skip
    parts += [_key(staging, column) for column in contract.columns if column.pseudonymised]
    parts += [
        _remembered(staging, column, _memorable(column), f"known_{column.name}")
        for column in contract.columns if column.remembered
    ]  # fmt: skip
    if known.rows:
        parts += [f"old.{identifier(name)} as {identifier('old ' + name)}" for name in _compared(contract)]
        parts += ["old.changed_in as _changed_in", "coalesce(met.row_id, new_rows.row_id) as row_id"]
    else:
        parts += ["$delivery_id as changed_in", "new_rows.row_id"]
    return f"""
        select {", ".join(parts)}
        from {staging.table} as new
        {"".join(_joins(staging, raw))}
        where new._failure = 0 and not new._deleted {_part(staging, "and new.rowid")}
    """


def _part(staging: Staging, place: str) -> str:
    """The rows whose `place` is among those that are being written: of a first load, else all."""
    return "" if staging.known.rows else f"{place} between $first and $last"


def _digest(known: Known) -> str:
    """By what a row is recognised when it comes again: its digest, or what stands for it where fields are ordered."""
    if not known.ordered:
        return "new._digest"
    return f"case when ordered.fields is null then new._digest else {mark('new._digest', 'ordered.signature')} end"


def _joins(staging: Staging, raw: str) -> Iterator[str]:
    contract = staging.contract
    if staging.known.rows:
        yield f" left join met on met.place = new.rowid left join {raw} as old on old.row_id = met.row_id"
    part = _part(staging, "where place")
    kind = "left" if staging.known.rows else "inner"  # of a first load every row is new
    yield f" {kind} join (select place, row_id from new_rows {part}) as new_rows on new_rows.place = new.rowid"
    if staging.known.ordered:
        these = ordered_of(contract, f"select _key from {staging.table}")
        yield f" left join ({these}) as ordered on ordered.record_key = new._key"
    if _named(staging) is not None and _register(contract) in KEYS:  # the site's own word goes before the office's
        key = KEYS[_register(contract)]
        yield f" left join office.{_register(contract)} as kept on kept.{key} = new._key"
    for column in contract.columns:
        if column.pseudonymised and column.name in _FEW_VALUES:
            name = identifier(column.name)
            yield (
                f" left join (select value, pseudonym({_KEY_TEXT[column.name].replace('{}', 'value')}) as value_key "
                f"from (select distinct {name} as value from {staging.table} "
                f"{_part(staging, 'where rowid')})) as {identifier('few ' + column.name)} "
                f"on {identifier('few ' + column.name)}.value = new.{name}"
            )


def _key(staging: Staging, column: Column) -> str:
    if column.name in _FEW_VALUES:
        fresh = f"{identifier('few ' + column.name)}.value_key"
    else:
        text = _KEY_TEXT[column.name].replace("{}", f"new.{identifier(column.name)}")
        fresh = _unless_closed(staging, f"{column.name}_key", f"pseudonym({text})")
    return _remembered(staging, column, fresh, f"{column.name}_key")


def _stored(staging: Staging, column: Column) -> str:
    """The value that is stored: none where a sealed manifest ordered the field erased, though the source has it still.

    An office register's address or reason is stored while its entry is open; after that its keyed hash, or its days,
    are enough.
    """
    contract, value = staging.contract, f"new.{identifier(column.name)}"
    if column.category is not None and contract.record_type is not None:
        return f"case when {_is_ordered(column)} then null else {value} end" if staging.known.ordered else value
    open_alone = stored_while_open(contract)
    if open_alone is not None and column.name == open_alone[0].name:
        value = f"case when {_said(staging, open_alone[1])} is null then {value} end"
    return _unless_closed(staging, column.name, value)


def stored_while_open(contract: Contract) -> tuple[Column, str] | None:
    """The personal column of an office register that is kept while an entry is open, and the day that closes one."""
    if contract.record_type is not None:
        return None
    columns = {column.name: column for column in contract.columns}
    if "answered_at" in columns:
        return next(((column, "answered_at") for column in contract.columns if column.pseudonymised), None)
    return (columns["reason"], "released_at") if {"reason", "released_at"} <= columns.keys() else None


def _named(staging: Staging) -> Named | None:
    """What names somebody in a register of the office that is known already; None for any other table."""
    contract = staging.contract
    return NAMED.get(_register(contract)) if contract.source == "office" and staging.known.rows else None


def _register(contract: Contract) -> str:
    return contract.raw_table.removeprefix("office_")


def _unless_closed(staging: Staging, name: str, value: str) -> str:
    """A value of an office register, but not what names somebody in an entry from which that has gone."""
    named = _named(staging)
    if named is None or name not in named.names:
        return value
    return f"case when not {_was_closed(staging, named)} then {value} end"


def _was_closed(staging: Staging, named: Named) -> str:
    """Whether the names have gone from an entry, and it says what it said then: else it is judged anew."""
    same = [f"{_said(staging, name)} is not distinct from old.{identifier(name)}" for name in named.says]
    return f"(old.withheld is not null and {' and '.join(same)})"


def _said(staging: Staging, name: str) -> str:
    """What an entry of the office says: the site's own word goes before the export's."""
    known_here = _named(staging) is not None and _register(staging.contract) in KEYS
    quoted = identifier(name)
    return f"coalesce(kept.{quoted}, new.{quoted})" if known_here else f"new.{quoted}"


def _memorable(column: Column) -> str:
    """What may be remembered of a value: of a text without a closed list a code of three letters (a currency) alone."""
    value = f"new.{identifier(column.name)}"
    if column.type != "text" or column.enum:
        return value
    return f"case when regexp_full_match({value}, '[A-Z]{{3}}') then {value} end"


def _withheld(staging: Staging) -> str:
    """The names of the fields that came with a value and are kept out; null where there are none."""
    named = _named(staging)
    if named is not None:
        return f"case when {_was_closed(staging, named)} then old.withheld end"
    names = ", ".join(
        f"case when new.{identifier(column.name)} is not null and {_is_ordered(column)} then {literal(column.name)} end"
        for column in staging.contract.columns if column.category is not None
    )  # fmt: skip
    if not names or not staging.known.ordered:
        return "cast(null as varchar[])"
    kept_out = f"list_filter([{names}], lambda field: field is not null)"
    return f"case when ordered.fields is not null and len({kept_out}) > 0 then {kept_out} end"


def _is_ordered(column: Column) -> str:
    return f"coalesce(list_contains(ordered.fields, {literal(column.name)}), false)"


def _remembered(staging: Staging, column: Column, fresh: str, name: str) -> str:
    """A null is news unless a sealed manifest ordered the field erased: then the earlier value stays known."""
    if not staging.known.ordered:
        return f"{fresh} as {identifier(name)}"
    ordered = f"new.{identifier(column.name)} is null and list_contains(ordered.fields, {literal(column.name)})"
    earlier = f"old.{identifier(name)}" if staging.known.rows else "null"
    return f"case when {ordered} then {earlier} else {fresh} end as {identifier(name)}"


# -- the rows that did not come ----------------------------------------------------------------------------------------


def _others(staging: Staging, raw: str, condition: str) -> str:
    """Rows of the table that did not come: those that are leaving lose their personal values, the rest stay."""
    personal = {column.name for column in staging.contract.columns if column.category is not None}
    parts = []
    for name in raw_columns(staging.contract):
        quoted = identifier(name)
        if name == "in_source":
            parts.append("old.in_source and not _leaves as in_source")
        elif name in ("in_delivery", "changed_in"):
            parts.append(f"case when _leaves then $delivery_id else old.{name} end as {name}")
        elif name in ("withheld", "row_digest") and staging.contract.source == "office":
            parts.append(f"old.{quoted}")  # a register's entry stays known when it has left the office's export
        elif name in ("withheld", "row_digest") or name in personal:
            parts.append(f"case when not _leaves then old.{quoted} end as {quoted}")
        else:
            parts.append(f"old.{quoted}")
    return f"""
        select {", ".join(parts)}
        from (select each.*, each.row_id in (select row_id from leaving) as _leaves from {raw} as each) as old
        where {condition}
    """
