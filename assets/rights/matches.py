"""Rows that may be one person, for a person to look at: the evidence side by side, and what was decided, remembered.

Only the rules make two rows one person. A yes here changes nothing by itself: the source is where it is mended. What is
told is which attributes agree; no value of any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from assets.errors import BadInput, CheckFailed
from assets.models import SQL, Model
from assets.rights.registers import Entry, note, prepare
from assets.warehouse import Warehouse

POSSIBLE_MATCHES = Model("rights", SQL / "rights" / "possible_matches.sql")
_DECISIONS = "first_type", "first_key", "second_type", "second_key", "same", "decided_at"


@dataclass(frozen=True)
class Match:
    """Two rows that may be one person. Agreement is None where one of them has no value."""

    first_type: str
    first_key: str
    second_type: str
    second_key: str
    same_email: bool | None
    same_phone: bool | None
    same_birth_date: bool | None
    name_similarity: float | None
    decided: str | None

    @property
    def pair(self) -> str:
        """How the pair is named on the command line."""
        return f"{self.first_type}/{self.first_key}+{self.second_type}/{self.second_key}"


def matches(warehouse: Warehouse, *, every: bool = False) -> list[Match]:
    """The possible matches that nobody has decided yet; with `every`, the decided ones too.

    Raises:
        CheckFailed: nothing has been run yet.
    """
    if not warehouse.exists("core", "people"):
        raise CheckFailed("Nobody has been resolved yet: `gallring run` does it.")
    prepare(warehouse)
    rows = warehouse.rows(
        f"select found.*, case decided.same when true then 'yes' when false then 'no' end "
        f"from ({POSSIBLE_MATCHES.statement}) as found left join office.matches as decided "
        "on found.first_type = decided.first_type and found.first_key = decided.first_key "
        "and found.second_type = decided.second_type and found.second_key = decided.second_key "
        "order by found.same_email desc nulls last, found.similarity desc nulls last, found.first_type, "
        "found.first_key, found.second_type, found.second_key"
    )
    return [match for row in rows if (match := Match(*row)).decided is None or every]


def decide(warehouse: Warehouse, pair: str, *, same: bool, on: date, at: datetime) -> Match:
    """Remember what a person has found out about a pair, in the place of an earlier word.

    Raises:
        BadInput: there is no such pair.
    """
    found = next((match for match in matches(warehouse, every=True) if match.pair == pair), None)
    if found is None:
        raise BadInput(f"There is no possible match {pair!r}: `gallring people review` lists them.")
    sides = (found.first_type, found.first_key, found.second_type, found.second_key)
    with warehouse.transaction():
        warehouse.run(
            "delete from office.matches where first_type = ? and first_key = ? and second_type = ? and second_key = ?",
            sides,
        )
        warehouse.insert("office.matches", _DECISIONS, [(*sides, same, on)])
        note(warehouse, [Entry("matches", pair)], at, "decided", "same" if same else "different")
    return found
