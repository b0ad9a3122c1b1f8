"""The part of `core.*` that changed: what intake brought since `core.*` was last built, and all that it bears on.

`nights.core` remembers up to where `core.*` has read; it is written in the transaction of what it tells of, so that a
night cut short is read again. Whatever cannot be accounted for (another policy, another program, a register or a count
that does not agree) has everything built anew: `rebuild` decides that, and says whether it did. What was rebuilt and is
still to be evaluated stands in `nights.pending`, by number alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from assets.contracts.raw_tables import RAW_KEYS, RAW_LINKS
from assets.core.building import build
from assets.core.units import KIND, KINDS, REGISTERS, Kind, NotSpliceable, Shape, Stage, link_holds, shape_of, stage
from assets.core.units import naming_a_customer as _naming_a_customer
from assets.models import SQL, Model, Models
from assets.warehouse import Warehouse

#: The share of all records from which on building everything is cheaper than taking a part out and putting it back.
LARGEST_PART = 0.25
_PROGRAM = (
    "models.py", "warehouse.py", "policy.py", "purpose_register.py", "vocabulary.py", "contracts", "core",
    "retention/evaluation.py", "retention/incremental.py",
)  # fmt: skip
_CORE = "fingerprint varchar, key_check uuid, sequence bigint, deliveries bigint, rewrites bigint, fiscal_years varchar"
_TABLES = {
    "core": _CORE,
    "held": "hold_id bigint, kind varchar, row_id bigint",
    "registers": "register varchar, row_id bigint, digest varchar",
    "pending": "kind varchar, each bigint, hash uuid",
    "evaluated": "as_of date, fingerprint varchar",
}
_FINDINGS_OF_VALUES = ("personnummer_not_valid", "org_number_not_valid")
_WORD = re.compile(r"\w+")


class HasDigest(Protocol):
    """A policy, as far as this module is concerned."""

    @property
    def sha256(self) -> str:
        """A digest over everything that decides."""

    @property
    def purpose_models(self) -> tuple[Model, ...]:
        """The purposes' SQL."""


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuilding did: `whole` when everything was built anew, else how many records were."""

    whole: bool
    records: int


@dataclass(frozen=True)
class _Read:
    """Up to where the sources were read, and by which program."""

    fingerprint: str
    key_check: object
    sequence: int
    deliveries: int
    rewrites: int
    fiscal_years: str


def rebuild(
    warehouse: Warehouse, policy: HasDigest, *, full: bool = False, largest_part: float = LARGEST_PART
) -> Rebuilt:
    """Bring `core.*` up to what intake holds: whole where `full` or where it has to be, else the units that changed.

    `largest_part` is the share of all records from which on everything is built anew. Not inside a transaction.
    """
    now = _reading(warehouse, policy)
    since = None if full else _last_read(warehouse)
    shape = shape_of(warehouse)
    if since is None or not _follows(warehouse, shape, now, since) or not _is_shipped(policy):
        return _whole(warehouse, now)
    changed = _changed_sources(warehouse, since)
    if now == since and not _changed_entries(warehouse):
        return Rebuilt(False, 0)
    with stage(warehouse, shape=shape) as units:
        _want_changed(units, changed, rewritten=now.rewrites != since.rewrites)
        units.complete(rootless=KIND)
        if units.records() <= largest_part * count_records(warehouse):
            return _put_in(units, now)
    return _whole(warehouse, now)


def _whole(warehouse: Warehouse, now: _Read) -> Rebuilt:
    build(warehouse)
    with warehouse.transaction():
        _remember(warehouse, shape_of(warehouse), now)
    return Rebuilt(True, count_records(warehouse))


def _put_in(units: Stage, now: _Read) -> Rebuilt:
    """Build the units' part of `core.*` from `raw.*`, and put it in the old part's place; nothing where all is old."""
    warehouse = units.warehouse
    has_news = any(units.sizes.values())
    if has_news:
        models = Models.of("core").ordered
        units.copy_raw(raw_tables(models), words_of(models))
        build(units.part)
        units.name_rows()
    try:
        with warehouse.transaction():
            if has_news:
                units.splice(units.shape.tables(["core"]))
                _keep_pending(units)
            _remember(warehouse, units.shape, now)
            if not _accounts(warehouse):
                raise NotSpliceable("core")
    except NotSpliceable:
        return _whole(warehouse, now)
    return Rebuilt(False, units.records())


# -- where reading stands ----------------------------------------------------------------------------------------------


def prepare(warehouse: Warehouse) -> None:
    """Make the `nights.*` tables that are not there yet."""
    warehouse.run("create schema if not exists nights")
    for table, columns in _TABLES.items():
        warehouse.run(f"create table if not exists nights.{table} ({columns})")


def fingerprint(warehouse: Warehouse, policy: HasDigest) -> str:
    """A digest of all that decides how rows become dispositions: the policy, also as published, macros, program."""
    published = warehouse.value("select sha256 from policy.about") if warehouse.exists("policy", "about") else ""
    return sha256(f"{policy.sha256} {published} {_program_digest()}".encode()).hexdigest()


@cache
def _program_digest() -> str:
    assets = Path(__file__).resolve().parents[1]
    paths = [assets / name for name in _PROGRAM]
    files = [SQL / "macros.sql", *(each for path in paths for each in (path.glob("*.py") if path.is_dir() else [path]))]
    return sha256(b"".join(sha256(path.read_bytes()).digest() for path in sorted(files))).hexdigest()


def _reading(warehouse: Warehouse, policy: HasDigest) -> _Read:
    prepare(warehouse)
    sequence, deliveries = _loaded(warehouse)
    rewrites = 0
    if warehouse.exists("erasure", "rewrites"):
        rewrites = int(warehouse.value("select coalesce(max(sequence), 0) from erasure.rewrites"))
    years = warehouse.value(
        "select coalesce(string_agg(concat_ws(' ', row_id, starts_on, ends_on, in_source), ';' order by row_id), '') "
        "from raw.office_fiscal_years"
    )
    key_check = warehouse.value("select pseudonym('nights')")
    return _Read(fingerprint(warehouse, policy), key_check, sequence, deliveries, rewrites, str(years))


def _loaded(warehouse: Warehouse, up_to: int | None = None) -> tuple[int, int]:
    rows = warehouse.rows(
        "select coalesce(max(sequence), 0), count(*) from intake.deliveries "
        "where status = 'loaded' and sequence <= coalesce($up_to, sequence)",
        {"up_to": up_to},
    )
    return int(rows[0][0]), int(rows[0][1])


def _last_read(warehouse: Warehouse) -> _Read | None:
    rows = warehouse.rows("select * from nights.core")
    return _Read(*rows[0]) if len(rows) == 1 else None


def _follows(warehouse: Warehouse, shape: Shape, now: _Read, since: _Read) -> bool:
    """Whether what is known now is what was known then and deliveries after it, and all of it can be told apart."""
    return (
        (now.fingerprint, now.key_check, now.fiscal_years) == (since.fingerprint, since.key_check, since.fiscal_years)
        and now.sequence >= since.sequence
        and _loaded(warehouse, since.sequence) == (since.sequence, since.deliveries)
        and all("changed_in" in shape.columns("raw", kind.raw) for kind in KINDS)
    )


def _is_shipped(policy: HasDigest) -> bool:
    """Whether all purposes are the shipped ones: of another's SQL nobody has proved which rows it reads together."""
    shipped = SQL / "purposes"
    return all(
        (shipped / model.path.name).is_file()
        and Model(model.schema, model.path).statement == Model(model.schema, shipped / model.path.name).statement
        for model in policy.purpose_models
    )


def _remember(warehouse: Warehouse, shape: Shape, now: _Read) -> None:
    warehouse.run("delete from nights.core")
    warehouse.run(
        "insert into nights.core values (?, ?, ?, ?, ?, ?)",
        [now.fingerprint, now.key_check, now.sequence, now.deliveries, now.rewrites, now.fiscal_years],
    )
    link_holds(warehouse, shape)
    warehouse.run("delete from nights.registers")
    for name in REGISTERS:
        warehouse.run(f"insert into nights.registers select '{name}', row_id, digest from ({_entries(KIND[name])})")


def build_anew(warehouse: Warehouse) -> None:
    """Have the next rebuilding build everything: rows have left `raw.*` that no delivery tells of.

    What was evaluated stands until then: nothing that is in a source has changed.
    """
    warehouse.run("update nights.core set key_check = null")


def _keep_pending(units: Stage) -> None:
    """Remember what is to be evaluated: what was asked for, in the old links and the new."""
    wanted = [f"select '{name}', each, null from {units.wanted(name)}" for name in KIND if units.sizes[name]]
    wanted.append(f"select 'email', null, each from {units.wanted('email')}")
    units.warehouse.run(f"insert into nights.pending {' union all '.join(wanted)}")


def count_records(warehouse: Warehouse) -> int:
    """How many records there are, or once were."""
    counts = [f"(select count(*) from core.{kind.core})" for kind in KINDS if kind.name not in REGISTERS]
    return int(warehouse.value(f"select {' + '.join(counts)}"))


def _accounts(warehouse: Warehouse) -> bool:
    """Whether every raw row has its core row: a part that was put in must leave the whole in order."""
    disagreeing = [
        f"(select (count(*), sum(row_id)) from raw.{kind.raw}) is distinct from "
        f"(select (count(*), sum({kind.row})) from core.{kind.core})"
        for kind in KINDS
    ]
    return not warehouse.value(f"select {' or '.join(disagreeing)}")


# -- what changed ------------------------------------------------------------------------------------------------------


def _changed_sources(warehouse: Warehouse, since: _Read) -> dict[str, list[str]]:
    """The deliveries of each source that came after the last reading."""
    rows = warehouse.rows(
        "select source, list(delivery_id) from intake.deliveries where status = 'loaded' and sequence > ? group by 1",
        [since.sequence],
    )
    return dict(rows)


def _entries(kind: Kind) -> str:
    """The entries of a register, each with a digest of what the rules read of it."""
    columns = {
        "hold": ("hold_id", "record_type", "record_key", "fields", "placed_at", "released_at"),
        "request": ("request_id", "customer_id", "contact_id", "email_key", "kind", "scope", "received_at",
                    "identity_verified_at", "extended_at", "answered_at"),
        "former_address": ("customer_id", "contact_id", "subscriber_id", "consent_id", "email_key", "replaced_on"),
    }[kind.name]  # fmt: skip
    packed = ", ".join(f"coalesce(cast({name} as varchar), chr(1))" for name in columns)
    return f"select row_id, sha256(concat_ws(chr(0), {packed})) as digest from raw.{kind.raw}"


def _changed_entries(warehouse: Warehouse) -> bool:
    return any(warehouse.value(f"select count(*) from ({_entry_news(name)})") for name in REGISTERS)


def _entry_news(name: str) -> str:
    """The entries of a register that are new, different or gone."""
    known = f"select row_id, digest from nights.registers where register = '{name}'"
    now = _entries(KIND[name])
    return f"select row_id from (({now} except {known}) union ({known} except {now}))"


def _want_changed(units: Stage, changed: dict[str, list[str]], *, rewritten: bool) -> None:
    """Ask for the rows that changed and for what they name now; what they named before, `core.*` knows still."""
    for kind in KINDS:
        if kind.name in REGISTERS:
            rows = _entry_news(kind.name)
            params = None
        else:
            source = kind.raw.partition("_")[0]
            if source not in changed:
                continue
            rows = f"select row_id from raw.{kind.raw} where list_contains($deliveries, changed_in)"
            params = {"deliveries": changed[source]}
        units.warehouse.run(f"create or replace table night.wanted.news as {rows}", params)
        if units.want(kind.name, "select row_id from night.wanted.news"):
            _want_named(units, kind)
    if rewritten and units.warehouse.exists("retention", "findings"):
        for finding in _FINDINGS_OF_VALUES:  # they speak of values, which may have gone since
            units.want("customer", "select row_id from retention.findings where finding = ?", [finding])


def _want_named(units: Stage, kind: Kind) -> None:
    """Ask for what the news of a kind names, and for what names the news."""
    whole = units.warehouse
    columns = units.shape.columns("raw", kind.raw)
    news = f"select {{}} from raw.{kind.raw} where row_id in (select row_id from night.wanted.news)"
    for column, hashed in RAW_KEYS.items():
        if column in columns:
            units.want(hashed, news.format(column))
    for column, named in RAW_LINKS.items():
        if column in columns and column != kind.key:
            parent = KIND[named]
            units.want(named, f"select row_id from raw.{parent.raw} where {parent.key} in ({news.format(column)})")
    if kind.name == "hold":
        _want_held(units, news)
        return
    if kind.name == "former_address":
        return  # nothing names one, and what it names has news itself
    _want_holds_on(units, kind, columns, news)
    whole.run(
        f"create or replace table night.wanted.fresh as {news.format(kind.key + ' as key')} "
        f"and row_id not in (select {kind.row} from core.{kind.core})"
    )
    has_fresh = whole.value("select count(*) from night.wanted.fresh")
    for child, column in _naming(units.shape, kind):
        # What names a row that was not there before; of an invoice also what counted as none because of its kind.
        if column == "refers_to_invoice_id":
            keys = news.format(kind.key)
        elif has_fresh:
            keys = "select key from night.wanted.fresh"
        else:
            continue
        units.want(child.name, f"select row_id from raw.{child.raw} where {column} in ({keys})")


def _naming(shape: Shape, kind: Kind) -> Iterator[tuple[Kind, str]]:
    """The kinds whose raw rows name one of this kind, and the columns in which they do."""
    for child in KINDS:
        columns = shape.columns("raw", child.raw)
        for column, named in RAW_LINKS.items():
            if named == kind.name and column in columns and column != child.key:
                yield child, column


def _want_held(units: Stage, news: str) -> None:
    """Ask for the records that the holds among the news are about, and for what names an unknown customer."""
    whole = units.warehouse
    for kind in KINDS:
        if kind.name in REGISTERS:
            continue
        keys = f"{news.format('record_key')} and lower(record_type) = '{kind.name}'"
        if whole.value(f"select count(*) from ({keys})"):
            units.want(kind.name, f"select row_id from raw.{kind.raw} where {kind.key} in ({keys})")
    keys = f"{news.format('record_key')} and lower(record_type) = 'customer'"
    if whole.value(f"select count(*) from ({keys}) as held(key) where key not in (select customer_id from "
                   "raw.crm_customers)"):  # fmt: skip
        for kind in _naming_a_customer(units.shape):
            units.want(kind.name, f"select row_id from raw.{kind.raw} where customer_id in ({keys})")


def _want_holds_on(units: Stage, kind: Kind, columns: Iterable[str], news: str) -> None:
    """Ask for the holds that are about the news, or about the customer that they name."""
    keys = news.format(kind.key)
    units.want(
        "hold",
        f"select row_id from raw.office_holds where lower(record_type) = '{kind.name}' and record_key in ({keys})",
    )
    if "customer_id" in columns and kind.name != "customer":
        units.want(
            "hold",
            "select row_id from raw.office_holds where lower(record_type) = 'customer' "
            f"and record_key in ({news.format('customer_id')})",
        )


# -- what models read --------------------------------------------------------------------------------------------------


def raw_tables(models: Sequence[Model]) -> list[str]:
    """The raw tables that models read."""
    return sorted(
        {name.removeprefix("raw.") for model in models for name in model.references if name.startswith("raw.")}
    )


def words_of(models: Sequence[Model]) -> frozenset[str]:
    """Every word of the models' SQL: all the columns that they may read, and more."""
    return frozenset(word for model in models for word in _WORD.findall(model.statement))


# -- for the evaluation ------------------------------------------------------------------------------------------------


def is_read(warehouse: Warehouse, policy: HasDigest) -> bool:
    """Whether `core.*` stands as this policy and program built it, and a night may go on from there."""
    return is_built(warehouse, policy) and _is_shipped(policy)


def is_built(warehouse: Warehouse, policy: HasDigest) -> bool:
    """Whether `core.*` stands as this policy and program built it."""
    prepare(warehouse)
    since = _last_read(warehouse)
    return since is not None and since.fingerprint == fingerprint(warehouse, policy)


def is_behind(warehouse: Warehouse, policy: HasDigest) -> bool:
    """Whether the last evaluation has not looked at all that was taken in and entered, or is another policy's.

    So it is where a rebuilding was cut short, before it could remember what it has read. False only where no night ever
    remembered anything (`core.*` was built by itself): there is nothing to compare with.
    """
    if not warehouse.exists("nights", "core"):
        return False
    since = _last_read(warehouse)
    if (
        since is None
        or _loaded(warehouse) != (since.sequence, since.deliveries)
        or any(warehouse.value(f"select count(*) from ({_open_news(name)})") for name in REGISTERS)
    ):
        return True
    is_pending = warehouse.value("select exists (select 1 from nights.pending)")
    return bool(is_pending) or last_evaluated(warehouse, policy) is None


def _open_news(name: str) -> str:
    """The news of a register but for entries that were closed so long ago that they have lost whom they name."""
    is_open = "" if name == "former_address" else " where withheld is null"
    return f"from ({_entry_news(name)}) where row_id in (select row_id from raw.{KIND[name].raw}{is_open})"


def look_again(warehouse: Warehouse, records: Iterable[tuple[str, int]]) -> None:
    """Have the next evaluation look at records anew, because what it reads of them beside `core.*` is another.

    Args:
        warehouse: where up to now no night need have been remembered; then everything is evaluated anyway.
        records: their record types and surrogates.
    """
    if warehouse.exists("nights", "pending"):
        warehouse.insert("nights.pending", ("kind", "each"), [list(record) for record in records])


def last_evaluated(warehouse: Warehouse, policy: HasDigest) -> date | None:
    """The day of the evaluation that stands, where this policy and program made it; else None."""
    rows = warehouse.rows("select as_of from nights.evaluated where fingerprint = ?", [fingerprint(warehouse, policy)])
    return rows[0][0] if len(rows) == 1 else None


def remember_evaluation(warehouse: Warehouse, policy: HasDigest, as_of: date) -> None:
    """Remember the day of the evaluation that stands, and that nothing is pending. In the transaction that made it."""
    warehouse.run("delete from nights.pending")
    warehouse.run("delete from nights.evaluated")
    warehouse.run("insert into nights.evaluated values (?, ?)", [as_of, fingerprint(warehouse, policy)])
