"""Rows that a full delivery brings again as they were: recognised by their digest, neither judged nor stored anew.

Reads the files of one table into a temporary table, in their order, with the text of those rows alone that nobody has
seen as they are. Whatever could make a recognised row's judgement another one (a second row of its key, a field of it
ordered erased, another contract) leads back to looking at every row. Judges nothing itself and changes no raw table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assets.ingest.contracts import Contract
from assets.ingest.projecting import Scan, digest, literal
from assets.warehouse import Warehouse, identifier

#: The rows of the files: `_file`, `_place` in it, `_known`, the digest that recognised a row, else its `_texts`.
SEEN = "seen_rows"


def recognise(warehouse: Warehouse, contract: Contract, scans: Sequence[Scan], *, ordered: bool) -> list[Scan]:
    """Read the files, and return a scan each of the rows that are not known as they are.

    Args:
        warehouse: in a transaction.
        contract: the table.
        scans: its files.
        ordered: whether a sealed manifest has ordered any field of such records erased.
    """
    for number, scan in enumerate(scans, start=1):
        made = f"insert into {SEEN}" if number > 1 else f"create or replace temp table {SEEN} as"
        warehouse.run(f"{made} {_rows(contract, scan, number, ordered)}", scan.params)
    return [_unknown(contract, scan, number) for number, scan in enumerate(scans, start=1)]


def is_contradicted(warehouse: Warehouse, contract: Contract, staged: str) -> bool:
    """Whether a recognised row came twice, or another row of its key came beside it."""
    key = f"cast(old.{identifier(contract.key)} as varchar)"
    return bool(
        warehouse.value(
            f"select (select count(_known) > count(distinct _known) from {SEEN}) or exists ("
            f"select 1 from {staged} as new inner join raw.{identifier(contract.raw_table)} as old "
            f"on {key} = new._key where new._failure = 0 and {is_recognised('old')})"
        )
    )


def is_recognised(raw_alias: str) -> str:
    """The condition that a row of a raw table came again as it was."""
    return f"coalesce({raw_alias}.row_digest in (select _known from {SEEN} where _known is not null), false)"


def _rows(contract: Contract, scan: Scan, number: int, ordered: bool) -> str:
    names = {name: identifier(f"file {name}") for name in contract.reads}
    read = ", ".join(f"{scan.columns[name]} as {quoted}" for name, quoted in names.items())
    unless = (
        f" and cast({identifier(contract.key)} as varchar) not in (select record_key from manifest.ordered_fields "
        f"where record_type = {literal(contract.record_type or '')})"
    )
    # a membership is asked for, no join: a join would keep the whole file in memory to look the table up in it
    return f"""
        select {number} as _file, _place, case when _is_known then _digest end as _known, _malformed, _text,
            case when not _is_known then list_value({", ".join(names.values())}) end as _texts
        from (
            select *, _digest in (
                select row_digest from raw.{identifier(contract.raw_table)}
                where row_digest is not null{unless if ordered else ""}
            ) as _is_known
            from (
                select {read}, row_number() over () as _place, {digest(contract, scan)} as _digest,
                    {scan.malformed} as _malformed, case when {scan.malformed} then {scan.line_text} end as _text
                from {scan.relation}
            ) as read_rows
        ) as looked_up
    """


def _unknown(contract: Contract, scan: Scan, number: int) -> Scan:
    return replace(
        scan,
        relation=f"(select * from {SEEN} where _known is null and _file = {number})",
        params={},
        columns={name: f"_texts[{number}]" for number, name in enumerate(contract.reads, start=1)},
        malformed="_malformed",
        line_text="_text",
        place="_place",
    )
