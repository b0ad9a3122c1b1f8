"""Rows that a full delivery brings again as they were: recognised by their digest, neither judged nor stored anew.

Reads the files of one table into a temporary table, in their order, with the text of those rows alone that nobody has
seen as they are. Whatever could make a recognised row's judgement another one (a second row of its key, other fields of
it ordered erased than before, another contract) leads back to looking at every row. Judges nothing itself and changes
no raw table.

A digest is made of a row's values too. Where some of them are ordered erased, a *mark* stands in its place: a keyed
hash (SHA-256) of the digest, with the names of the ordered fields mixed in, so that it holds under that order alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assets.contracts.contract import Contract
from assets.ingest.projecting import LARGEST_DIGEST, Scan, digest
from assets.warehouse import Warehouse, identifier, literal

#: The rows of the files: `_file`, `_place` in it, `_known`, the digest that recognised a row, else its `_texts`.
SEEN = "seen_rows"
#: The rows of the raw table that can be recognised: `row_id`, and the `mark` by which.
_KNOWN = "known_marks"
#: Those of them that came again: `row_id`.
_RECOGNISED = "recognised_rows"
TABLES = (SEEN, _KNOWN, _RECOGNISED)

_MARKED = f"cast({1 << 63} as ubigint)"
_PREFIX = "cast(pseudonym('what stands for the digest of a row of which fields are ordered erased') as varchar)"


@dataclass(frozen=True)
class Seen:
    """What was read: a scan of each file's rows that are not known as they are, and how many rows of it are known.

    `contradicted` when a row came twice as it was; `scans` is empty when every row is known.
    """

    scans: list[Scan]
    recognised: dict[int, int]
    contradicted: bool


def recognise(warehouse: Warehouse, contract: Contract, scans: Sequence[Scan], *, ordered: bool) -> Seen:
    """Read the files, and tell the rows that are not known as they are.

    Args:
        warehouse: in a transaction.
        contract: the table.
        scans: its files.
        ordered: whether a sealed manifest has ordered any field of such records erased.
    """
    warehouse.run(f"create or replace temp table {_KNOWN} as {_marks(contract, ordered)}")
    for number, scan in enumerate(scans, start=1):
        made = f"insert into {SEEN}" if number > 1 else f"create or replace temp table {SEEN} as"
        warehouse.run(f"{made} {_rows(scan.layout or contract, scan, number, ordered)}", scan.params)
    warehouse.run(
        f"create or replace temp table {_RECOGNISED} as select row_id from {_KNOWN} "
        f"where mark in (select _known from {SEEN} where _known is not null)"
    )
    found = warehouse.rows(
        f"select _file, count(*), count(_known), (select count(_known) > count(distinct _known) from {SEEN}) "
        f"from {SEEN} group by _file"
    )
    return Seen(
        scans=[_unknown(scan.layout or contract, scan, number) for number, scan in enumerate(scans, start=1)]
        if any(rows > known for _, rows, known, _ in found) else [],
        recognised={number: known for number, _, known, _ in found},
        contradicted=any(twice for *_, twice in found),
    )  # fmt: skip


def is_contradicted(warehouse: Warehouse, contract: Contract, staged: str) -> bool:
    """Whether another row of its key came beside a recognised row."""
    key = f"cast(old.{identifier(contract.key)} as varchar)"
    return bool(
        warehouse.value(
            f"select exists (select 1 from {staged} as new inner join raw.{identifier(contract.raw_table)} as old "
            f"on {key} = new._key where new._failure = 0 and {is_recognised('old')})"
        )
    )


def is_recognised(raw_alias: str) -> str:
    """The condition that a row of a raw table came again as it was."""
    return f"{raw_alias}.row_id in (select row_id from {_RECOGNISED})"


def came_again(files: Sequence[int]) -> str:
    """A SELECT of the `row_id` of the rows that came again as they were in some of the files, by their numbers."""
    numbers = ", ".join(map(str, files))
    return (
        f"select row_id from {_KNOWN} where mark in "
        f"(select _known from {SEEN} where _known is not null and _file in ({numbers}))"
    )


def ordered_of(contract: Contract, among: str | None = None) -> str:
    """A SELECT of the records of a contract with fields ordered erased: `record_key`, `fields`, their `signature`.

    Of all such records, or of those whose keys the SELECT `among` gives.
    """
    of_these = f" and record_key in ({among})" if among else ""
    return (
        "select record_key, list(field) as fields, bit_xor(hash(field)) as signature from manifest.ordered_fields "
        f"where record_type = {literal(contract.record_type or '')}{of_these} group by record_key"
    )


def mark(row_digest: str, signature: str) -> str:
    """What stands for a digest where the fields of a `signature` are ordered erased."""
    return f"xor({_keyed(row_digest)}, {signature} & {LARGEST_DIGEST})"


def mark_when_ordered(row_digest: str, signature: str, unchanged: str) -> str:
    """What a stored digest becomes when a row's values make way, the fields of a `signature` being ordered erased.

    A mark goes unless its row is `unchanged`: its order was another one, and may come back when the row is different.
    """
    return (
        f"case when {row_digest} <= {LARGEST_DIGEST} then {mark(row_digest, signature)} "
        f"when {unchanged} then {row_digest} end"
    )


def _keyed(row_digest: str) -> str:
    return f"(hash(sha256({_PREFIX} || cast({row_digest} as varchar))) & {LARGEST_DIGEST}) + {_MARKED}"


def _marks(contract: Contract, ordered: bool) -> str:
    """A digest holds as long as nothing is ordered, a mark as long as the same is; both are told free of the order."""
    raw = f"raw.{identifier(contract.raw_table)}"
    if not ordered:
        return f"select row_id, row_digest as mark from {raw} where row_digest <= {LARGEST_DIGEST}"
    return f"""
        select old.row_id, case when ordered.signature is null then old.row_digest
            else xor(old.row_digest, ordered.signature & {LARGEST_DIGEST}) end as mark
        from {raw} as old
        left join ({ordered_of(contract)}) as ordered
            on ordered.record_key = cast(old.{identifier(contract.key)} as varchar)
        where (old.row_digest > {LARGEST_DIGEST}) = (ordered.signature is not null)
    """


def _rows(contract: Contract, scan: Scan, number: int, ordered: bool) -> str:
    names = {name: identifier(f"file {name}") for name in _kept(contract, scan)}
    read = ", ".join(f"{scan.columns[name]} as {quoted}" for name, quoted in names.items())
    # a membership is asked for, no join: a join would keep the whole file in memory to look the table up in it
    looked_up = f"""
            select *, case when _digest in (select mark from {_KNOWN} where mark <= {LARGEST_DIGEST}) then _digest end
                as _known_digest
            from (
                select {read}, row_number() over () as _place, {digest(contract, scan)} as _digest,
                    {scan.malformed} as _malformed, case when {scan.malformed} then {scan.line_text} end as _text
                from {scan.relation}
            ) as read_rows
    """
    known = "_known_digest"
    if ordered:
        looked_up = f"""
            select *, case when _mark in (select mark from {_KNOWN} where mark > {LARGEST_DIGEST}) then _mark end
                as _known_mark
            from (
                select *, case when _known_digest is null then {_keyed("_digest")} end as _mark
                from ({looked_up}) as digested
            ) as marked
        """
        known = "coalesce(_known_digest, _known_mark)"
    return f"""
        select {number} as _file, _place, {known} as _known, _malformed, _text,
            case when {known} is null then list_value({", ".join(names.values())}) end as _texts
        from ({looked_up}) as looked_up
    """


def _kept(contract: Contract, scan: Scan) -> list[str]:
    """The file's columns of which a row that nobody knows is made, and by which it is the last of its key."""
    beside = contract.last_by.reads if contract.last_by else ()
    return [*contract.reads, *(name for name in beside if name in scan.columns and name not in contract.reads)]


def _unknown(contract: Contract, scan: Scan, number: int) -> Scan:
    texts = {name: identifier(f"text {name}") for name in _kept(contract, scan)}
    taken = "".join(f", _texts[{place}] as {as_}" for place, as_ in enumerate(texts.values(), start=1))
    return replace(
        scan,
        relation=f"(select *{taken} from {SEEN} where _known is null and _file = {number})",
        params={},
        columns=texts,
        malformed="_malformed",
        line_text="_text",
        place="_place",
    )
