"""Rows that may be one person, for a person to look at: the evidence side by side, and what was decided, remembered.

Only the rules make two rows one person. A yes here changes nothing by itself: the source is where it is mended. What a
list tells is which attributes agree; the values of one pair are read when they are asked for (`side_by_side`), and that
is a reading which the evidence tells of (`readings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from assets.core.changing import look_again
from assets.errors import BadInput, CheckFailed
from assets.ingest.registers import Entry, note
from assets.models import SQL, Model
from assets.rights.matching import LEAST_WEIGHT, compared, levels
from assets.rights.people import Person
from assets.rights.readings import records_named
from assets.warehouse import Warehouse, identifier

#: A row by its record type and its source's own key.
Side = tuple[str, str]
POSSIBLE_MATCHES = Model("rights", SQL / "rights" / "possible_matches.sql")
_DECISIONS = "first_type", "first_key", "second_type", "second_key", "same", "decided_at"
#: From which weight a pair is called so; below the last: an address alone.
STRENGTHS = ((12.0, "very likely"), (6.0, "likely"), (LEAST_WEIGHT, "possible"))
#: What a level of a comparison says, in words: for one person, or against.
_SPEAKS_FOR = {
    ("given_name", "same"): "same given name", ("given_name", "alike"): "given names alike",
    ("given_name", "swapped"): "names swapped", ("family_name", "same"): "same family name",
    ("family_name", "alike"): "family names alike", ("born", "same"): "born the same day",
    ("born", "alike"): "birth dates a digit apart", ("home", "household"): "same household",
    ("home", "phone_and_address"): "same phone and address", ("home", "phone"): "same phone",
    ("home", "address"): "same address", ("home", "address_alike"): "addresses alike",
    ("home", "street"): "same street", ("home", "postal_code"): "same postal code",
    ("email", "same"): "same e-mail", ("national_id", "same"): "same personnummer",
    ("organisation", "same"): "same company",
}  # fmt: skip
_SPEAKS_AGAINST = {
    "given_name": "other given name", "family_name": "other family name", "born": "born another day",
    "home": "no phone or address in common", "email": "other e-mail", "national_id": "other personnummer",
    "organisation": "other company",
}  # fmt: skip
#: In which order the attributes are told.
_ORDER = ("email", "home", "national_id", "given_name", "family_name", "born", "organisation")
#: What is read of a row when a pair is shown; a personal number only as far as the two agree.
_SHOWN = {
    "customer": ("crm", "customers", ("name", "birth_date", "email", "phone", "street", "postal_code", "city")),
    "contact": ("crm", "contacts", ("name", "email", "phone", "job_title", "customer_id")),
    "subscriber": ("mailing", "subscribers", ("name", "email")),
}


@dataclass(frozen=True)
class Match:
    """Two rows that may be one person.

    `weight`: the base-2 logarithm of the odds that they are. `agreement`: of each comparison the level that the rows
    come to, `unknown` where one of them has no value.
    """

    first_type: str
    first_key: str
    second_type: str
    second_key: str
    weight: float
    agreement: Mapping[str, str]
    decided: str | None

    @property
    def pair(self) -> str:
        """How the pair is named on the command line."""
        return f"{self.first_type}/{self.first_key}+{self.second_type}/{self.second_key}"

    @property
    def strength(self) -> str:
        """What the weight comes to in words."""
        return next((word for least, word in STRENGTHS if self.weight >= least), "same e-mail alone")

    @property
    def speaks_for(self) -> tuple[str, ...]:
        """What speaks for one person, in words."""
        found = [_SPEAKS_FOR.get((name, self.agreement[name])) for name in _ORDER]
        if "same given name" in found and "same family name" in found:
            found = ["same name" if word == "same given name" else word for word in found if word != "same family name"]
        return tuple(word for word in found if word is not None)

    @property
    def speaks_against(self) -> tuple[str, ...]:
        """What speaks against it, in words."""
        return tuple(_SPEAKS_AGAINST[name] for name in _ORDER if self.agreement[name] == "other")


def matches(warehouse: Warehouse, *, every: bool = False, pair: str | None = None) -> list[Match]:
    """The possible matches that nobody has decided yet, the likeliest first; with `every`, the decided ones too.

    Args:
        warehouse: evaluated.
        every: the decided ones too.
        pair: look at no other pair.

    Raises:
        CheckFailed: nothing has been run yet.
    """
    if not warehouse.exists("retention", "decided_people"):
        raise CheckFailed("Nobody has been resolved yet: `gallring run` does it.")
    with compared(warehouse, pair):
        rows = warehouse.records(POSSIBLE_MATCHES.statement, {"pair": pair, "least": LEAST_WEIGHT})
    return [match for row in rows if (match := _match(row)).decided is None or every]


def _match(row: Mapping[str, Any]) -> Match:
    numbers = {name: row[f"gamma_{name}"] for name in levels()}
    agreement = {name: "unknown" if number == -1 else levels()[name][number] for name, number in numbers.items()}
    sides = (row["first_type"], row["first_key"], row["second_type"], row["second_key"])
    return Match(*sides, row["weight"], agreement, row["decided"])


def find_match(warehouse: Warehouse, pair: str) -> Match:
    """The possible match of that name, decided or not; also one by address alone that no list compares any more.

    That is so where a row has left its source, or more than fifty rows share the address. Each is a possible match by
    the rules all the same (Same person), drafts warn of it, and what they warn of can be settled.

    Raises:
        BadInput: there is none.
    """
    found = matches(warehouse, every=True, pair=pair)
    if found:
        return found[0]
    named = warehouse.rows(_ADDRESS_ALONE, {"pair": pair})
    if not named:
        raise BadInput(f"There is no possible match {pair!r}: `gallring people review` lists them.")
    first_type, first_key, second_type, second_key, decided = named[0]
    agreement = {name: "same" if name == "email" else "unknown" for name in levels()}
    # nothing was compared: any weight below the least says that the address is all
    return Match(first_type, first_key, second_type, second_key, LEAST_WEIGHT - 1, agreement, decided)


def undecided_pairs(warehouse: Warehouse, people: Iterable[Person]) -> list[str]:
    """The pairs, by key, of these people with others that have the same address, which nobody has decided on yet.

    Compares nothing: what else may be a match, `matches` finds. None before anybody has been resolved.
    """
    if not warehouse.exists("retention", "decided_people"):
        return []
    found = {pair for person in people for (pair,) in warehouse.rows(_SAME_ADDRESS, {"person": person.person_id})}
    return sorted(found)


#: Every row that is a person, those that have left their source too, with its address.
_RESOLVED = """
    with keyed as (
        select 'customer' as record_type, row_id, customer_id as record_key from raw.crm_customers
        union all
        select 'contact', row_id, contact_id from raw.crm_contacts
        union all
        select 'subscriber', row_id, subscriber_id from raw.mailing_subscribers
    ),
    resolved as (
        select keyed.record_type, keyed.record_key, keyed.record_type || '/' || keyed.record_key as name,
            person.person_id, node.email_key
        from keyed
        inner join core.person_nodes as node on keyed.record_type = node.node_type and keyed.row_id = node.row_id
        inner join core.people as person on node.node_id = person.node_id
    )
"""
#: A pair of rows with one address for each other person who has it, but for those of whom somebody has said something.
_SAME_ADDRESS = f"""
    {_RESOLVED}
    select min(least(own.name, other.name) || '+' || greatest(own.name, other.name)) as pair
    from resolved as own
    inner join resolved as other on own.email_key = other.email_key
    where own.person_id = $person and other.person_id <> $person
        and not exists (
            select 1 from retention.decided_people as decided
            where decided.person_id = $person and decided.other_id = other.person_id
        )
    group by other.person_id
"""
#: The two rows that a pair names, where they are two people with one address, and what was said of them.
_ADDRESS_ALONE = f"""
    {_RESOLVED}
    select first.record_type, first.record_key, second.record_type, second.record_key,
        case when decided.same then 'yes' when not decided.same then 'no' end
    from resolved as first
    inner join resolved as second on first.email_key = second.email_key and first.person_id <> second.person_id
    left join retention.decided_people as decided
        on first.person_id = decided.person_id and second.person_id = decided.other_id
    where contains($pair, first.name) and contains($pair, second.name) and first.name || '+' || second.name = $pair
"""


def decide(warehouse: Warehouse, pair: str, *, same: bool, on: date, at: datetime) -> Match:
    """Remember what a person has found out about a pair, in the place of an earlier word; the match with it.

    Raises:
        BadInput: there is no such pair.
    """
    found = find_match(warehouse, pair)
    with warehouse.transaction():
        remember(
            warehouse, (found.first_type, found.first_key), (found.second_type, found.second_key), same=same, on=on
        )
        note(warehouse, [Entry("matches", pair)], at, "decided", "same" if same else "different")
    return replace(found, decided="yes" if same else "no")


def remember(warehouse: Warehouse, first: Side, second: Side, *, same: bool, on: date) -> None:
    """Remember what was said of two rows, and have the next evaluation, whose findings tell of them, look again."""
    for one, other in ((first, second), (second, first)):
        warehouse.run(
            "delete from office.matches where first_type = ? and first_key = ? and second_type = ? and second_key = ?",
            [*one, *other],
        )
    warehouse.insert("office.matches", _DECISIONS, [(*first, *second, same, on)])
    look_again(warehouse, records_named(warehouse, [first, second]))


def side_by_side(warehouse: Warehouse, match: Match) -> list[tuple[str, str | None, str | None]]:
    """What the two rows of a match hold, attribute by attribute: personal data, for the one who decides."""
    first = _values(warehouse, match.first_type, match.first_key)
    second = _values(warehouse, match.second_type, match.second_key)
    return [(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]


def _values(warehouse: Warehouse, record_type: str, key: str) -> dict[str, str | None]:
    source, table, fields = _SHOWN[record_type]
    found = warehouse.records(
        f"select {', '.join(f'cast({field} as varchar) as {field}' for field in fields)} "
        f"from raw.{identifier(f'{source}_{table}')} where {identifier(f'{record_type}_id')} = ?",
        [key],
    )
    return found[0]
