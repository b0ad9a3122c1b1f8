"""The office's registers: what names a person in an entry that is closed, found when it has to go.

Holds what each register's entry waits for, and the SELECTs that leave the rest out; `assets.erasure.erasing` rewrites
the file with them. An address and a reason go as soon as their entry is closed, the keys a period later, when nobody
needs them any more: no word in them speaks on, no partner is still to be told. Whatever is not known to be over stays.
The entry itself stays too, with its number and its days. What went is named in the row's `withheld`, by which
`assets.ingest.merging` keeps it out when the office delivers the entry again. Of the journal goes of which records a
line is, and of the decisions on possible matches what nobody can ask for again. Changes nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from assets.contracts.contract import Contract, Contracts
from assets.erasure.taking_out import Change
from assets.ingest.merging import stored_while_open
from assets.ingest.projecting import LOCAL_ZONE
from assets.ingest.registers import KEYS, NAMED
from assets.ledger.states import among_items, ask_of_items
from assets.purpose_register import months_and_days
from assets.rights.readings import READINGS
from assets.warehouse import Warehouse, identifier, literal

_LAST = "add_months({}, $months) + cast($days as integer)"

#: Words that are over once they are answered. An objection, a withdrawal, a termination and an erasure request end what
#: would revive without them; a kind that is not known may be one of them.
_REQUESTS_OVER = f"""
    entry.kind in ('access', 'portability', 'rectification', 'restriction') and entry.received_at <= entry.answered_at
    and {_LAST.format("entry.answered_at")} < $as_of
"""
#: Holds that were released, and of which no claim runs on by the policy's own period.
_HOLDS_OVER = f"""
    coalesce(entry.placed_at <= entry.released_at, true) and {_LAST.format("entry.released_at")} < $as_of
    and not exists (
        select 1 from policy.periods as period where period.purpose = 'legal_hold' and period.clock = 'released'
            and add_months(entry.released_at, period.months) + period.days >= $as_of
    )
"""
#: Disclosures of a record that was known and has left its source, of which nothing is under way, and of which the
#: partner was told that every field has to go; an authority is told nothing, nor is it for an entry that was withdrawn.
_DISCLOSURES_OVER = """
    entry.row_id in (select row_id from temp.old_disclosures)
    and (lower(entry.record_type), entry.record_key) not in (select (record_type, record_key) from temp.under_way)
    and (
        not entry.in_source
        or exists (
            select 1 from raw.office_partners as partner
            where partner.partner_id = entry.partner_id and partner.role = 'authority'
        )
        or entry.row_id in (
            select disclosed.disclosure_row_id
            from manifest.disclosed_fields as disclosed
            left join manifest.notified_fields as notified
                on notified.partner_id = disclosed.partner_id and notified.record_type = disclosed.record_type
                and notified.record_key = disclosed.record_key and notified.field = disclosed.field
                and notified.as_of >= disclosed.disclosed_on
            group by disclosed.disclosure_row_id
            having count(*) = count(notified.field)
        )
        and (entry.partner_id, lower(entry.record_type), entry.record_key) not in (
            select (waiting.partner_id, waiting.record_type, waiting.record_key) from manifest.notice_fields as waiting
        )
    )
"""
#: Those that are old enough, and whose record has gone.
_OLD_DISCLOSURES = f"""
    select entry.row_id, record.record_type, record.record_key
    from raw.office_disclosures as entry
    inner join core.records as record
        on record.record_type = lower(entry.record_type) and record.record_key = entry.record_key
    where {_LAST.format("entry.disclosed_at")} < $as_of and not record.in_source
"""
_OVER = {"office_requests": _REQUESTS_OVER, "office_holds": _HOLDS_OVER, "office_disclosures": _DISCLOSURES_OVER}
#: What has to be there before anything can be known to be over.
_READ = {
    "office_holds": (("policy", "periods"),),
    "office_disclosures": (
        ("core", "records"), ("manifest", "items"), ("manifest", "disclosed_fields"), ("manifest", "notified_fields"),
        ("manifest", "notice_fields"), ("raw", "office_partners"),
    ),
}  # fmt: skip
#: Lines of the journal that name records by their keys; those of other registers name an entry, a report, a delivery.
_LINES_OVER = f"""
    select events.sequence
    from office.events as events
    where events.register in ('matches', '{READINGS}') and events.entry_id is not null
        and {_LAST.format(f"cast(timezone('{LOCAL_ZONE}', timezone('UTC', events.happened_at)) as date)")} < $as_of
"""
#: Decisions on two people of whom no source has a row any more, and who are not asked about for an address they share.
_DECISIONS_OVER = f"""
    with rows_of_people as (
        select record.record_type, record.record_key, record.in_source, person.person_id, node.email_key
        from core.people as person
        inner join core.person_nodes as node on node.node_id = person.node_id
        inner join core.records as record on record.record_type = person.node_type and record.row_id = person.row_id
    ),
    gone as (
        select person_id, list(distinct email_key) filter (where email_key is not null) as addresses
        from rows_of_people group by person_id having not bool_or(in_source)
    )
    select decision.first_type, decision.first_key, decision.second_type, decision.second_key
    from office.matches as decision
    inner join rows_of_people as first_row
        on first_row.record_type = decision.first_type and first_row.record_key = decision.first_key
    inner join rows_of_people as second_row
        on second_row.record_type = decision.second_type and second_row.record_key = decision.second_key
    inner join gone as first_person on first_person.person_id = first_row.person_id
    inner join gone as second_person on second_person.person_id = second_row.person_id
    where {_LAST.format("decision.decided_at")} < $as_of
        and not coalesce(list_has_any(first_person.addresses, second_person.addresses), false)
"""
#: Former addresses about which no word came: by the address, of its owner, or of a row that had it.
_ADDRESSES_OVER = f"""
    select former.row_id
    from raw.former_addresses as former
    where {_LAST.format("former.replaced_on")} < $as_of
        and not exists (select 1 from raw.office_requests as request where request.email_key = former.email_key)
        and not exists (select 1 from raw.crm_consents as consent where consent.email_key = former.email_key)
        and not exists (
            select 1 from raw.mailing_subscribers as subscriber
            where subscriber.email_key = former.email_key and subscriber.unsubscribed_at is not null
        )
        and former.email_key not in (
            select other.email_key from raw.former_addresses as other
            where other.consent_id is not null or other.subscriber_id in (
                select subscriber.subscriber_id from raw.mailing_subscribers as subscriber
                where subscriber.unsubscribed_at is not null
            )
        )
        and former.row_id not in (
            select known.former_address_id from core.former_addresses as known
            inner join core.people as person on known.node_id = person.node_id
            inner join triggers.request_people as request on person.person_id = request.person_id
            where request.kind = 'objection'
        )
"""
_PAIR = "first_type, first_key, second_type, second_key"


@dataclass(frozen=True)
class DueEntries:
    """What has to go of the office's registers.

    Attributes:
        changes: what each table concerned loses.
        answered: addresses and reasons of entries that are closed.
        over: values that name a person in entries that were closed longer ago than the period.
        entries: how many entries are concerned.
    """

    changes: Mapping[str, Change]
    answered: int
    over: int
    entries: int


def find_due(warehouse: Warehouse, contracts: Contracts, as_of: date, period: str) -> DueEntries:
    """Find what has to go of every register. `discard` the temporary tables when the SELECTs are no longer needed.

    Args:
        warehouse: with `raw.*`, `office.*` and the sealed state.
        contracts: the policy's.
        as_of: the day.
        period: how long an entry names a person after it was closed.
    """
    months, days = months_and_days(period)
    changes: dict[str, Change] = {}
    answered = over = entries = 0
    for contract in contracts.values():
        if contract.raw_table not in _OVER:
            continue
        _pick(warehouse, contract, {"as_of": as_of, "months": months, "days": days})
        found = warehouse.rows(
            f"select coalesce(sum(answered), 0), coalesce(sum(over), 0), count(*) from {_due(contract)}"
        )[0]
        answered, over, entries = answered + int(found[0]), over + int(found[1]), entries + int(found[2])
        if found[2]:
            changes |= _changes(warehouse, contract)
    lines, decisions, addresses = _pick_kept_here(warehouse, {"as_of": as_of, "months": months, "days": days})
    changes |= _changes_kept_here(warehouse, lines, decisions, addresses)
    kept_here = lines + decisions + addresses
    return DueEntries(changes, answered, over + kept_here + decisions, entries + kept_here)


def discard(warehouse: Warehouse, contracts: Contracts) -> None:
    """Drop what `find_due` made."""
    for contract in contracts.values():
        if contract.raw_table in _OVER:
            warehouse.run(f"drop table if exists {_due(contract)}")
    for table in ("old_disclosures", "under_way", "asked_items", "due_lines", "due_decisions", "due_addresses"):
        warehouse.run(f"drop table if exists temp.{table}")


def _due(contract: Contract) -> str:
    """The temporary table of the entries that must change: `row_id`, `entry_id`, `answered`, `over`, `is_over`."""
    return f"temp.{identifier(f'due_{contract.raw_table}')}"


def _register(contract: Contract) -> str:
    return contract.raw_table.removeprefix("office_")


def _is_over(warehouse: Warehouse, contract: Contract, params: Mapping[str, object]) -> str:
    """Whether an entry was closed long enough ago, and nobody needs to know any more whom it names."""
    if not all(warehouse.exists(*table) for table in _READ.get(contract.raw_table, ())):
        return "false"
    if contract.raw_table == "office_disclosures" and not _find_old_disclosures(warehouse, params):
        return "false"
    return f"coalesce({_OVER[contract.raw_table]}, false)"


def _find_old_disclosures(warehouse: Warehouse, params: Mapping[str, object]) -> bool:
    """Write down the disclosures that may be over, and of which records something is under way; whether there are any.

    Where items stand is looked up for these records alone: of all years' items that is work.
    """
    warehouse.run(f"create or replace temp table old_disclosures as {_OLD_DISCLOSURES}", dict(params))
    if not warehouse.value("select exists (from temp.old_disclosures)"):
        return False
    ask_of_items(
        warehouse,
        "select items.item_id from manifest.items as items inner join temp.old_disclosures as old "
        "on items.record_type = old.record_type and items.record_key = old.record_key",
    )
    warehouse.run(
        "create or replace temp table under_way as select distinct states.record_type, states.record_key "
        f"from ({among_items()}) as states where states.is_open"
    )
    return True


def _pick(warehouse: Warehouse, contract: Contract, params: Mapping[str, object]) -> None:
    """Write down the entries of a register that must change."""
    register, open_alone = _register(contract), stored_while_open(contract)
    is_over = _is_over(warehouse, contract, params)
    names = [f"entry.{identifier(name)}" for name in NAMED[register].names]
    here = ""
    if register in KEYS:
        key = KEYS[register]
        here = f"left join office.{register} as kept on kept.{key} = entry.{key}"
        names += [f"kept.{name}" for name in NAMED[register].kept]
    closed = "0"
    if open_alone is not None:
        column, closed_on = open_alone
        closed = (
            f"cast(entry.{identifier(closed_on)} is not null and entry.{identifier(column.name)} is not null as int)"
        )
    held = " + ".join(f"cast({name} is not null as int)" for name in names)
    warehouse.run(
        f"create or replace temp table {_due(contract).removeprefix('temp.')} as select * from ("
        f"select row_id, entry_id, case when not is_over then answered else 0 end as answered, "
        f"case when is_over then held else 0 end as over, is_over from ("
        f"select entry.row_id, entry.{identifier(contract.key)} as entry_id, {closed} as answered, {held} as held, "
        f"{is_over} as is_over from raw.{identifier(contract.raw_table)} as entry {here}"
        f")) where answered + over > 0",
        {name: value for name, value in params.items() if f"${name}" in is_over},
    )


def _changes(warehouse: Warehouse, contract: Contract) -> dict[str, Change]:
    """What the register loses, and what the site keeps of it itself."""
    register, named = _register(contract), NAMED[_register(contract)]
    due, open_alone = _due(contract), stored_while_open(contract)
    over = f"(select row_id from {due} where is_over)"
    parts = {name: f"case when row_id not in {over} then {identifier(name)} end" for name in named.names}
    if open_alone is not None:
        name = open_alone[0].name
        parts[name] = f"case when row_id not in (select row_id from {due}) then {identifier(name)} end"
    names = f"[{', '.join(map(literal, named.names))}]"
    parts["withheld"] = f"case when row_id in {over} then cast({names} as varchar[]) else withheld end"
    is_due = f"row_id in (select row_id from {due})"
    found = {f"raw.{contract.raw_table}": _change(warehouse, f"raw.{contract.raw_table}", parts, is_due)}
    if register in KEYS and warehouse.value(f"select exists {over}"):
        gone = f"{KEYS[register]} in (select entry_id from {due} where is_over)"
        kept = {name: f"case when not coalesce({gone}, false) then {name} end" for name in named.kept}
        found[f"office.{register}"] = _change(warehouse, f"office.{register}", kept, gone)
    return found


def _change(warehouse: Warehouse, table: str, parts: Mapping[str, str], rows: str) -> Change:
    """A table with other `parts` in the place of columns; of `rows`, all others are what they were."""
    schema, name = table.split(".")
    columns = warehouse.columns(schema, name)
    selected = ", ".join(
        f"{parts[each]} as {identifier(each)}" if each in parts else identifier(each) for each in columns
    )
    full = f"{schema}.{identifier(name)}"
    return Change(
        selects=[f"select {selected} from {full}"],
        instead=f"select {selected} from {full} where {rows}",
        rows=rows,
        stays=tuple(each for each in columns if each not in parts),
        count=int(warehouse.value(f"select count(*) from {full} where {rows}")),
    )


# -- what the site alone keeps -----------------------------------------------------------------------------------------


def _pick_kept_here(warehouse: Warehouse, params: Mapping[str, object]) -> tuple[int, int, int]:
    """Write down what is over: lines of the journal, decisions on matches, former addresses; how many of each."""
    found = []
    for name, over, read in (
        ("due_lines", _LINES_OVER, (("office", "events"),)),
        ("due_decisions", _DECISIONS_OVER,
         (("office", "matches"), ("core", "people"), ("core", "person_nodes"), ("core", "records"))),
        ("due_addresses", _ADDRESSES_OVER, (("core", "former_addresses"), ("triggers", "request_people"))),
    ):  # fmt: skip
        warehouse.run(f"drop table if exists temp.{name}")
        if all(warehouse.exists(*table) for table in read):
            warehouse.run(f"create temp table {name} as {over}", dict(params))
            found.append(int(warehouse.value(f"select count(*) from temp.{name}")))
        else:
            found.append(0)
    return found[0], found[1], found[2]


def _changes_kept_here(warehouse: Warehouse, lines: int, decisions: int, addresses: int) -> dict[str, Change]:
    """A line of the journal loses of whom it is, as the evidence has it; of decisions and addresses nothing is left."""
    found = {}
    if lines:
        due = "sequence in (select sequence from temp.due_lines)"
        parts = {"entry_id": f"case when not coalesce({due}, false) then entry_id end"}
        found["office.events"] = _change(warehouse, "office.events", parts, due)
    if decisions:
        due = f"({_PAIR}) in (select ({_PAIR}) from temp.due_decisions)"
        found["office.matches"] = _without(warehouse, "office.matches", due)
    if addresses:
        due = "row_id in (select row_id from temp.due_addresses)"
        found["raw.former_addresses"] = _without(warehouse, "raw.former_addresses", due)
    return found


def _without(warehouse: Warehouse, table: str, due: str) -> Change:
    """A table of which the rows that are due go whole."""
    return replace(
        _change(warehouse, table, {}, due),
        selects=[f"from {table} where not coalesce({due}, false)"],
        instead=f"from {table} where false",
        gone="true",
    )
