"""The registers that the office keeps at the site itself: holds, requests, decisions on possible matches.

They stand in `office.*` of the encrypted warehouse, and are laid over `raw.office_holds` and `raw.office_requests` by
key: what is kept here goes before what the office's export says, column by column, and a row that was entered here
stays whatever an export leaves out. `merge` runs in the transaction of every office delivery and of every entry, so
that an evaluation never sees the one without the other. Of an address the keyed hash alone is kept. Decides nothing;
days and instants come in as arguments.

`office.events` is the journal, append-only: what was done with which entry, when; codes alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assets.errors import BadInput, NeedsPerson
from assets.warehouse import Warehouse, identifier

HOLDS = "holds"
REQUESTS = "requests"
_TABLES = {
    "holds": "hold_id varchar, hold_group varchar, own boolean, record_type varchar, record_key varchar, "
    "fields varchar, placed_at date, released_at date, reason varchar, reviewer varchar, review_on date",
    "requests": "request_id varchar, own boolean, customer_id varchar, contact_id varchar, email_key uuid, "
    "kind varchar, scope varchar, received_at date, identity_asked_at date, "
    "identity_verified_at date, extended_at date, answered_at date, notice_given_at date",
    "events": "sequence bigint, happened_at timestamp, register varchar, entry_id varchar, event varchar, code varchar",
    "matches": "first_type varchar, first_key varchar, second_type varchar, second_key varchar, same boolean, "
    "decided_at date",
}
#: The columns of the raw registers that an entry of the site goes before.
_LAID_OVER = {
    HOLDS: ("record_type", "record_key", "fields", "placed_at", "released_at"),
    REQUESTS: ("customer_id", "contact_id", "email_key", "kind", "scope", "received_at", "identity_verified_at",
               "extended_at", "answered_at"),
}  # fmt: skip
KEYS = {HOLDS: "hold_id", REQUESTS: "request_id"}


@dataclass(frozen=True)
class Named:
    """What names somebody in a register's entry, and what says whether that is needed still.

    Attributes:
        names: columns of the raw register.
        kept: those of them that the site keeps of an entry itself.
        says: columns of the raw register: when one of them is another, the question is a new one.
    """

    names: tuple[str, ...]
    kept: tuple[str, ...]
    says: tuple[str, ...]


NAMED = {
    HOLDS: Named(("record_key", "reason"), ("record_key",), ("placed_at", "released_at")),
    REQUESTS: Named(("customer_id", "contact_id", "email", "email_key"), ("customer_id", "contact_id", "email_key"),
                    ("kind", "received_at", "answered_at")),
    "disclosures": Named(("record_key", "fields"), (), ("partner_id", "record_type", "disclosed_at")),
}  # fmt: skip
_PREFIX = {HOLDS: "site-h", REQUESTS: "site-r"}


@dataclass(frozen=True)
class Entry:
    """Which register an entry stands in, and its number there."""

    register: str
    entry_id: str


def prepare(warehouse: Warehouse) -> None:
    """Make the `office.*` tables that are not there yet."""
    warehouse.once(_make)


def _make(warehouse: Warehouse) -> None:
    warehouse.run("create schema if not exists office")
    for name, columns in _TABLES.items():
        warehouse.run(f"create table if not exists office.{name} ({columns})")


def merge(warehouse: Warehouse) -> None:
    """Lay what the site keeps over the office's exports. Doing it again changes nothing."""
    with warehouse.transaction():
        prepare(warehouse)
        for register in (HOLDS, REQUESTS):
            if warehouse.exists("raw", f"office_{register}"):
                _lay_over(warehouse, register)


def _lay_over(warehouse: Warehouse, register: str) -> None:
    raw, key, columns = f"raw.office_{register}", KEYS[register], _LAID_OVER[register]
    news = ", ".join(f"{name} = coalesce(kept.{name}, known.{name})" for name in columns)
    same = " and ".join(f"coalesce(kept.{name}, known.{name}) is not distinct from known.{name}" for name in columns)
    same += " and (known.in_source or kept.own) = known.in_source"
    warehouse.run(
        f"update {raw} as known set {news}, in_source = known.in_source or kept.own, "
        f"changed_in = case when {same} then known.changed_in else 'site' end "
        f"from office.{register} as kept where known.{key} = kept.{key}"
    )
    names = ", ".join(columns)
    warehouse.run(
        f"insert into {raw} ({key}, {names}, row_id, in_source, in_delivery, changed_in) "
        f"select kept.{key}, {', '.join(f'kept.{name}' for name in columns)}, "
        f"(select coalesce(max(row_id), 0) from {raw}) + row_number() over (order by kept.{key}), true, 'site', 'site' "
        f"from office.{register} as kept where kept.own "
        f"and not exists (select 1 from {raw} as known where known.{key} = kept.{key})"
    )


def next_id(warehouse: Warehouse, register: str) -> str:
    """A number that no entry of the register has had, made here or delivered."""
    prefix, key = _PREFIX[register], KEYS[register]
    pattern = f"^{prefix}([0-9]+)"
    highest = warehouse.value(
        f"select max(try_cast(regexp_extract(id, $pattern, 1) as bigint)) from ("
        f"select {key} as id from office.{register} union all select {key} from raw.office_{register} "
        "union all select entry_id from office.events where register = $register)",
        {"pattern": pattern, "register": register},
    )
    return f"{prefix}{(highest or 0) + 1}"


def enter(warehouse: Warehouse, register: str, rows: Sequence[dict[str, Any]], at: datetime, event: str) -> None:
    """Add new entries of the site's own, all of the same columns, with a line each in the journal."""
    names = list(rows[0])
    with warehouse.transaction():
        warehouse.insert(f"office.{register}", [*names, "own"], [[*row.values(), True] for row in rows])
        note(warehouse, [Entry(register, row[KEYS[register]]) for row in rows], at, event, None)
        merge(warehouse)


def amend(
    warehouse: Warehouse, entry: Entry, changes: dict[str, Any], at: datetime, event: str, code: str | None = None
) -> None:
    """Say something more about an entry, whether it was made here or delivered.

    Raises:
        BadInput: there is no such entry.
    """
    key = KEYS[entry.register]
    if not warehouse.value(f"select count(*) from raw.office_{entry.register} where {key} = ?", [entry.entry_id]):
        raise BadInput(f"There is no entry {entry.entry_id!r} in the register of {entry.register}: list shows them.")
    with warehouse.transaction():
        if not warehouse.value(f"select count(*) from office.{entry.register} where {key} = ?", [entry.entry_id]):
            warehouse.insert(f"office.{entry.register}", [key, "own"], [[entry.entry_id, False]])
        for column, value in changes.items():
            warehouse.run(
                f"update office.{entry.register} set {identifier(column)} = ? where {key} = ?", [value, entry.entry_id]
            )
        note(warehouse, [entry], at, event, code)
        merge(warehouse)


@dataclass(frozen=True)
class Forgotten:
    """A line of the journal that is known of, though what was entered then is not there any more.

    `entry` is None where the entry was delivered by the office's own system, or is about two people.
    """

    register: str
    entry: str | None
    event: str
    happened_at: str


def journal(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The journal's lines, in the form in which the evidence tells them; an entry of the site's own by its number."""
    if not warehouse.exists("office", "events"):
        return []
    return warehouse.records(
        "select sequence, strftime(happened_at, '%Y-%m-%dT%H:%M:%SZ') as happened_at, register, event, code, "
        "case when regexp_full_match(entry_id, 'site-[hr][0-9]+([.][0-9]+)?') then entry_id end as entry "
        "from office.events order by sequence"
    )


@dataclass(frozen=True)
class Entered:
    """Everything that a site keeps itself: the journal's lines, as `journal` has them, and each table whole.

    Attributes:
        journal: the lines, oldest first.
        tables: of each table of `office.*` its columns and its rows.
    """

    journal: Sequence[Mapping[str, Any]] = ()
    tables: Mapping[str, tuple[Sequence[str], Sequence[tuple[Any, ...]]]] = field(default_factory=dict)


#: Of a warehouse that nobody has, or that cannot be read.
NOTHING_ENTERED = Entered()


def entered(warehouse: Warehouse) -> Entered:
    """What is kept here, for a warehouse of the same site that takes this one's place."""
    tables = {}
    for (name,) in warehouse.rows(
        "select table_name from duckdb_tables() where database_name = $catalog and schema_name = 'office' order by all",
        {"catalog": warehouse.catalog},
    ):
        columns = warehouse.columns("office", name)
        listed = ", ".join(identifier(column) for column in columns)
        tables[name] = (columns, warehouse.rows(f"select {listed} from office.{identifier(name)} order by all"))
    return Entered(journal(warehouse), tables)


def take_over(warehouse: Warehouse, later: Entered) -> int:
    """Put what another warehouse of the site keeps in the place of what this one does, where it went on from here.

    It did where its journal begins with this one's, step for step. Returns how many steps came since; 0 where there
    were none, or the other has a history of its own: then nothing is changed. Of each table come the columns that both
    know: another version may have had others, in which nothing stands.

    Raises:
        NeedsPerson: something stands in a column, or a table, that only one of the two knows; the message names it.
    """
    prepare(warehouse)
    here, there = _steps(journal(warehouse)), _steps(later.journal)
    if there[: len(here)] != here or len(there) == len(here):
        return 0
    kept = entered(warehouse)
    _require_known(later, kept)
    with warehouse.transaction():
        for name, (columns, rows) in later.tables.items():
            known, _ = kept.tables.get(name, ((), ()))
            places = [place for place, column in enumerate(columns) if column in known]
            if places:
                warehouse.run(f"delete from office.{identifier(name)}")
                warehouse.insert(f"office.{identifier(name)}", [columns[place] for place in places],
                                 [[row[place] for place in places] for row in rows])  # fmt: skip
        merge(warehouse)
    return len(there) - len(here)


def _require_known(later: Entered, kept: Entered) -> None:
    """Refuse to leave behind what stands where only one of two warehouses has a place for it."""
    for holder, other, who in ((later, kept, "warehouse that makes way"), (kept, later, "backup")):
        lost = [
            f"office.{name}.{column}"
            for name, (columns, rows) in holder.tables.items()
            for place, column in enumerate(columns)
            if column not in other.tables.get(name, ((), ()))[0] and any(row[place] is not None for row in rows)
        ]
        if lost:
            raise NeedsPerson(
                f"The {who} holds values in {', '.join(lost)}, which the other does not know, and they would be lost: "
                "nothing was restored. Restore a backup that the same version of Gallring has written; or, where there "
                "is none, move warehouse.duckdb away first, and enter again what is then named."
            )


def _steps(lines: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """The journal's lines without whom they are about: one place may have forgotten them, and the other not yet."""
    return [tuple(line[name] for name in ("sequence", "happened_at", "register", "event", "code")) for line in lines]


def go_on_from(warehouse: Warehouse, known: Sequence[Mapping[str, Any]]) -> list[Forgotten]:
    """Take lines that come after its last one up into the journal, as `journal` has them; what was lost with them.

    No number of an entry that was lost is given again. Lines about readings are whole by themselves.
    """
    prepare(warehouse)
    last = int(warehouse.value("select coalesce(max(sequence), 0) from office.events"))
    later = [dict(line) for line in known if int(line["sequence"]) > last]
    warehouse.insert(
        "office.events",
        ("sequence", "happened_at", "register", "entry_id", "event", "code"),
        [(line["sequence"], line["happened_at"].removesuffix("Z"), line["register"], line["entry"], line["event"],
          line["code"]) for line in later],
    )  # fmt: skip
    return [
        Forgotten(line["register"], line["entry"], line["event"], line["happened_at"])
        for line in later
        if line["register"] in (*KEYS, "matches")
    ]


def note(warehouse: Warehouse, entries: Sequence[Entry], at: datetime, event: str, code: str | None) -> None:
    """Write lines into the journal: entries, what was done with them, and a code; no names."""
    first = int(warehouse.value("select coalesce(max(sequence), 0) + 1 from office.events"))
    warehouse.insert(
        "office.events",
        ("sequence", "happened_at", "register", "entry_id", "event", "code"),
        [(first + place, at.replace(tzinfo=None), entry.register, entry.entry_id, event, code)
         for place, entry in enumerate(entries)],
    )  # fmt: skip
