"""From staged rows to a raw table: surrogates, what is remembered, what is kept out, who left the source.

Runs the SQL; reads no files and judges no rows. A full delivery replaces a table, a delta changes the rows it names.
"""

from __future__ import annotations

from dataclasses import dataclass

from assets.ingest.contracts import Column, Contract
from assets.ingest.projecting import literal
from assets.ingest.tables import raw_columns
from assets.warehouse import Warehouse, identifier

_KEY_TEXT = {
    "email": "normalised_email({})",
    "phone": "normalised_phone({})",
    "name": "normalised_name({})",
    "product": "normalised_name({})",
    "national_id": "personnummer({})",
    "org_number": "case new.customer_type when 'sole_trader' then personnummer({}) "
    "when 'company' then organisationsnummer({}) end",
}  # fmt: skip


@dataclass(frozen=True)
class Staging:
    """The rows of one table in one delivery, staged in a temporary table.

    Attributes:
        contract: the table.
        table: the temporary table.
        delivery_id: the delivery.
        full: whether it holds every row of the table.
        unidentified: whether a row that cannot be read might be anyone's: then nobody counts as gone.
    """

    contract: Contract
    table: str
    delivery_id: str
    full: bool
    unidentified: bool


def merge(warehouse: Warehouse, staging: Staging) -> None:
    """Bring the staged rows into the raw table. Runs inside the caller's transaction."""
    contract = staging.contract
    raw = f"raw.{identifier(contract.raw_table)}"
    columns = raw_columns(contract)
    _number_new_rows(warehouse, staging, raw)
    arrivals = _arrivals(staging, raw)
    params = {"delivery_id": staging.delivery_id}
    if staging.full:
        others = _others(staging, raw, "true")
        shape = ", ".join(f"cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in columns.items())
        warehouse.run(
            f"create or replace table {raw} as select {shape} from ({arrivals} union all by name {others})", params
        )
    else:
        others = _others(staging, raw, f"old._key in (select _key from {staging.table} where _deleted)")
        warehouse.run(f"create or replace temp table merged as {arrivals} union all by name {others}", params)
        warehouse.run(f"delete from {raw} where row_id in (select row_id from merged)")
        warehouse.run(f"insert into {raw} by name select * from merged")
        warehouse.run("drop table merged")
    warehouse.run("drop table new_rows")


def _key_of(raw_alias: str, contract: Contract) -> str:
    return f"cast({raw_alias}.{identifier(contract.key)} as varchar)"


def _number_new_rows(warehouse: Warehouse, staging: Staging, raw: str) -> None:
    """Rows never seen get the next surrogates in the order of their keys, whatever the order of the file."""
    warehouse.run(
        f"create or replace temp table new_rows as select key_text, "
        f"(select coalesce(max(row_id), 0) from {raw}) + row_number() over (order by key_text) as row_id from ("
        f"select _key as key_text from {staging.table} where _failure = 0 and not _deleted except "
        f"select {_key_of('old', staging.contract)} from {raw} as old)"
    )


def _arrivals(staging: Staging, raw: str) -> str:
    """The rows that came, each with the delivery that last changed a value of it: this one or the earlier one."""
    columns = raw_columns(staging.contract)
    same = " and ".join(
        f"{identifier(name)} is not distinct from {identifier('old ' + name)}" for name in _compared(staging.contract)
    )
    names = ", ".join(identifier(name) for name in columns if name != "changed_in")
    return f"""
        select {names}, case when {same} then _changed_in else $delivery_id end as changed_in
        from ({_arrived(staging, raw)}) as arrived
    """


def _compared(contract: Contract) -> list[str]:
    """What a row can change in: all it holds but its surrogate and the deliveries it came in."""
    return [name for name in raw_columns(contract) if name not in ("row_id", "in_delivery", "changed_in")]


def _arrived(staging: Staging, raw: str) -> str:
    """The rows that came, with what stays known of their earlier selves, and those beside them."""
    contract = staging.contract
    record_type = literal(contract.record_type or "")
    parts = [f"{_stored(contract, column)} as {identifier(column.name)}" for column in contract.columns]
    parts += [
        "coalesce(old.row_id, new_rows.row_id) as row_id", "true as in_source", "$delivery_id as in_delivery",
        f"{_withheld(contract)} as withheld",
    ]  # fmt: skip
    parts += [
        f"{_remembered(column, f'pseudonym({_key_text(column)})', f'{column.name}_key')}"
        for column in contract.columns if column.pseudonymised
    ]  # fmt: skip
    parts += [
        f"{_remembered(column, _memorable(column), f'known_{column.name}')}"
        for column in contract.columns if column.remembered
    ]  # fmt: skip
    parts += [f"old.{identifier(name)} as {identifier('old ' + name)}" for name in _compared(contract)]
    return f"""
        select {", ".join(parts)}, old.changed_in as _changed_in
        from {staging.table} as new
        left join {raw} as old on {_key_of("old", contract)} = new._key
        left join new_rows on new_rows.key_text = new._key
        left join (
            select record_key, list(field) as fields from manifest.ordered_fields
            where record_type = {record_type} group by record_key
        ) as ordered on ordered.record_key = new._key
        where new._failure = 0 and not new._deleted
    """


def _stored(contract: Contract, column: Column) -> str:
    """The value that is stored: none where a sealed manifest ordered the field erased, though the source has it still.

    An office register's address or reason is stored while its entry is open; after that its keyed hash, or its days,
    are enough.
    """
    value = f"new.{identifier(column.name)}"
    if column.category is not None and contract.record_type is not None:
        return f"case when {_is_ordered(column)} then null else {value} end"
    open_alone = stored_while_open(contract)
    if open_alone is not None and column.name == open_alone[0].name:
        return f"case when new.{identifier(open_alone[1])} is null then {value} end"
    return value


def stored_while_open(contract: Contract) -> tuple[Column, str] | None:
    """The personal column of an office register that is kept while an entry is open, and the day that closes one."""
    if contract.record_type is not None:
        return None
    columns = {column.name: column for column in contract.columns}
    if "answered_at" in columns:
        return next(((column, "answered_at") for column in contract.columns if column.pseudonymised), None)
    return (columns["reason"], "released_at") if {"reason", "released_at"} <= columns.keys() else None


def _memorable(column: Column) -> str:
    """What may be remembered of a value: of a text without a closed list a code of three letters (a currency) alone."""
    value = f"new.{identifier(column.name)}"
    if column.type != "text" or column.enum:
        return value
    return f"case when regexp_full_match({value}, '[A-Z]{{3}}') then {value} end"


def _withheld(contract: Contract) -> str:
    """The names of the fields that came with a value and are kept out; null where there are none."""
    names = ", ".join(
        f"case when new.{identifier(column.name)} is not null and {_is_ordered(column)} then {literal(column.name)} end"
        for column in contract.columns if column.category is not None
    )  # fmt: skip
    if not names or contract.record_type is None:
        return "cast(null as varchar[])"
    kept_out = f"list_filter([{names}], lambda field: field is not null)"
    return f"case when ordered.fields is not null and len({kept_out}) > 0 then {kept_out} end"


def _is_ordered(column: Column) -> str:
    return f"coalesce(list_contains(ordered.fields, {literal(column.name)}), false)"


def _key_text(column: Column) -> str:
    return _KEY_TEXT[column.name].replace("{}", f"new.{identifier(column.name)}")


def _remembered(column: Column, fresh: str, name: str) -> str:
    """A null is news unless a sealed manifest ordered the field erased: then the earlier value stays known."""
    ordered = f"new.{identifier(column.name)} is null and list_contains(ordered.fields, {literal(column.name)})"
    return f"case when {ordered} then old.{identifier(name)} else {fresh} end as {identifier(name)}"


def _others(staging: Staging, raw: str, condition: str) -> str:
    """The table's other rows: those that left lose their personal values, the rest stay as they are."""
    contract = staging.contract
    leaves = "_gone and old.in_source"
    parts = []
    for name in raw_columns(contract):
        column = next((column for column in contract.columns if column.name == name), None)
        quoted = identifier(name)
        if name == "in_source":
            parts.append("old.in_source and not _gone as in_source")
        elif name == "withheld":
            parts.append(f"case when not ({leaves}) then old.withheld end as withheld")
        elif name in ("in_delivery", "changed_in"):
            parts.append(f"case when {leaves} then $delivery_id else old.{name} end as {name}")
        elif column is not None and column.category is not None:
            parts.append(f"case when not ({leaves}) then old.{quoted} end as {quoted}")
        else:
            parts.append(f"old.{quoted}")
    return f"""
        select {", ".join(parts)}
        from (
            select each.*, {_key_of("each", contract)} as _key, {_gone(staging, contract)} as _gone from {raw} as each
        ) as old
        where {condition} and not exists (
            select 1 from {staging.table} as new where new._key = old._key and new._failure = 0 and not new._deleted
        )
    """


def _gone(staging: Staging, contract: Contract) -> str:
    """Whether a row that did not come has left: not while a row that broke a rule may be it."""
    if not staging.full:
        return "true"
    if staging.unidentified:
        return "false"
    key = _key_of("each", contract)
    return f"not exists (select 1 from {staging.table} as bad where bad._failure > 0 and bad._key = {key})"
