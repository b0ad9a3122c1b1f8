"""What must be true of orders after every night, worked out from the rules and from what was written and read outside.

`Model` knows what each source delivered, remembers what the rules read (rules.md, Dates 6), lets the row-by-row oracle
decide, and keeps its own account of what each source was told, from the lines of the sealed manifests. Of the product
it takes nothing but which manifests and steps it says there were; what it decided and holds is compared, never used.

An order that is told anew is closed, and yet it was never taken back: its system has it, and what it let go of on it
the new item does not name. So its word counts here too. Else a purpose or a name that went on an order would be news,
an unknown, though the rules remember it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from tests.lifecycle.sources import BROKEN_ROW, KEYS, KINDS, Export, Named, Row, fields_of, held
from tests.oracle.evaluator import TABLES, Decision, evaluate

Field = tuple[str, str, str]
#: What a source's copy is in, by what it was last told of it.
WORDS = {"erase": "erase", "redact": "erase", "restrict": "restrict", "lift": "retain"}
UNDELIVERED = ("issued", "approved")


@dataclass
class Item:
    """A line of a sealed manifest, and what became of it."""

    manifest_id: str
    item_id: str
    system: str
    sequence: int
    record: Named
    action: str
    fields: frozenset[str]
    sealed_on: date
    state: str = "issued"
    #: It was closed because its order is told anew: its system has it still.
    told_anew: bool = False
    #: Its delivery was begun, and nothing says how that ended.
    may_have_arrived: bool = False
    #: Something came back after it was verified: the order was carried out, and is told anew where it is to stand.
    returned: bool = False

    @property
    def stands(self) -> bool:
        return self.state != "cancelled"

    @property
    def is_heard(self) -> bool:
        """Whether its system goes by it: also by an order that is told anew, until the new one has come.

        So may it by an order that was taken back after its delivery was cut off.
        """
        return self.stands or (self.told_anew and self.action not in ("lift", "notify")) or self.is_recalled

    @property
    def is_recalled(self) -> bool:
        """Whether it is an order or a restriction that was taken back and that its system may have."""
        return self.state == "cancelled" and self.may_have_arrived and self.action in ("erase", "redact", "restrict")

    @property
    def says(self) -> str:
        """What its source was told of its fields."""
        return WORDS[self.action]


@dataclass
class Delivered:
    """What the product has taken in, as the model reads it."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    there: dict[str, dict[str, Row]] = field(default_factory=dict)
    said_at: dict[Named, datetime] = field(default_factory=dict)
    full_at: dict[str, datetime] = field(default_factory=dict)
    full: dict[str, dict[str, Row]] = field(default_factory=dict)
    loaded: dict[str, Export] = field(default_factory=dict)


class Model:
    """See the module."""

    def __init__(self) -> None:
        self.delivered = Delivered()
        self.written: list[Export] = []
        self.items: dict[str, Item] = {}
        self.decided: dict[Field, Decision] = {}
        #: The records of which nothing is ordered erased yet, because of a row that was not read.
        self.left_out: set[Named] = set()

    # -- what came ------------------------------------------------------------------------------------------------

    def waiting(self) -> list[Export]:
        """The exports that may be taken in now, oldest extract first; none that is behind what is known."""
        found: list[Export] = []
        latest: dict[str, tuple[datetime, str]] = {}
        for export in self.delivered.loaded.values():
            for table in export.tables:
                latest[table] = max(latest.get(table, (export.extracted_at, "")),
                                    (export.extracted_at, export.delivery_id))  # fmt: skip
        for export in sorted(self.written, key=lambda each: (each.extracted_at, each.source, each.delivery_id)):
            mark = (export.extracted_at, export.delivery_id)
            if export.delivery_id in self.delivered.loaded or any(
                latest.get(table, mark) > mark for table in export.tables
            ):
                continue
            latest |= dict.fromkeys(export.tables, mark)
            found.append(export)
        return found

    def take_in(self, loaded: Collection[str]) -> None:
        """The product says that it has loaded these deliveries: read them too."""
        for export in self.waiting():
            if export.delivery_id in loaded:
                self.delivered.loaded[export.delivery_id] = export
                for table, rows in export.tables.items():
                    self._take_table(export, table, rows)

    def _take_table(self, export: Export, table: str, rows: list[Row]) -> None:
        there = self.delivered.there.setdefault(table, {})
        if export.mode == "full":
            for key in sorted(there.keys() - {row[KEYS[table]] for row in rows if row.get(BROKEN_ROW)}):
                self.delivered.said_at[table, key] = export.extracted_at
                del there[key]
            self.delivered.full_at[table] = export.extracted_at
            self.delivered.full[table] = {row[KEYS[table]]: row for row in rows}
        for row in rows:
            key = row[KEYS[table]]
            if row.get(BROKEN_ROW):
                continue  # set aside: it says nothing, and what was known stays
            self.delivered.said_at[table, key] = export.extracted_at
            if row.get("_deleted"):
                there.pop(key, None)
                continue
            there[key] = dict(row)
            known = self.delivered.rows.setdefault(table, {})
            known[key] = self._remembered(table, key, known.get(key), row)

    def _remembered(self, table: str, key: str, before: Row | None, row: Row) -> Row:
        """What the rules read of a row: a value that was ordered erased and has gone is no news."""
        kind = KINDS.get(table)
        if before is None or kind is None:
            return dict(row)
        words = self.words((kind, key))
        gone = {name for name in fields_of(kind) if words.get(name) == "erase"} - held(row, kind)
        return {**row, **{name: before.get(name) for name in gone}}

    # -- what was told --------------------------------------------------------------------------------------------

    def words(self, record: Named) -> dict[str, str]:
        """What the record's source was last told of each field."""
        return {name: item.says for name, item in self.last_items(record).items()}

    def last_items(self, record: Named, *, before: int | None = None) -> dict[str, Item]:
        """The last item about each field of a record; `before` a manifest of the chain.

        Where the item that told an order anew was taken back, the order is the last word again (docs/decisions.md,
        "Told anew is a new item").
        """
        last: dict[str, Item] = {}
        for item in sorted((each for each in self.items.values() if each.record == record), key=_sequence):
            if item.is_heard and item.action != "notify" and (before is None or item.sequence < before):
                last |= dict.fromkeys(item.fields, item)
        return last

    def decide(self, day: date) -> None:
        """What the rules say of every record, by the oracle."""
        exports = {table: [dict(row) for row in rows.values()] for table, rows in self.delivered.rows.items()}
        self.decided = evaluate(exports, day)

    def there(self) -> Iterator[tuple[Named, Row]]:
        """The records that their source has delivered and not taken away."""
        for kind, (table, _) in TABLES.items():
            for key, row in self.delivered.there.get(table, {}).items():
                yield (kind, key), row

    def row(self, record: Named) -> Row | None:
        """What the source delivered last of a record; None where it is not there."""
        return self.delivered.there.get(TABLES[record[0]][0], {}).get(record[1])

    def says(self, record: Named, name: str) -> str:
        """The decision about a field today."""
        return self.decided[record[0], record[1], name].disposition

    def remember(self) -> Delivered:
        """What a backup of the warehouse of this night knows."""
        return copy.deepcopy(self.delivered)

    # -- what must be true ----------------------------------------------------------------------------------------

    def amiss_in_orders(self, sealed: Iterable[Item]) -> Iterator[str]:
        """Of items sealed tonight: each is decided so today, is news, and is no order that waits for a row."""
        sealed = list(sealed)
        for item in sealed:
            if item.record in self.left_out and item.action not in ("restrict", "lift"):
                yield f"{item.record} is left out, and told to {item.action}"
            if item.action == "notify":
                continue
            row = self.row(item.record)
            if row is None:
                yield f"{item.record} is not in its source, and is told of: {item.action}"
                continue
            if not item.fields <= held(row, item.record[0]):
                yield f"{item.record} {item.action}: names fields without a value {sorted(item.fields)}"
            names = fields_of(item.record[0]) if item.action == "erase" else sorted(item.fields)
            unlike = {name: self.says(item.record, name) for name in names
                      if self.says(item.record, name) != WORDS[item.action]}  # fmt: skip
            if unlike:
                yield f"{item.record} is told to {item.action}, decided is {unlike}"
            whole = any(each.stands and each.action == "erase" and not each.returned and each.sequence < item.sequence
                        for each in self.items.values() if each.record == item.record)  # fmt: skip
            last = self.last_items(item.record, before=item.sequence)
            news = {
                name
                for name in item.fields
                if self._is_news(last.get(name), WORDS[item.action]) or self._may_be_lifted(last.get(name))
            }
            if not (news if item.action == "erase" else news == item.fields) and not (
                item.action == "erase" and not whole
            ):
                yield f"{item.record} is told again what it was told: {item.action} {sorted(item.fields - news)}"

    @staticmethod
    def _is_news(last: Item | None, word: str) -> bool:
        """Whether a word on a field is news after the last item about it: of one that is closed, each word is.

        So is each of one whose record was there again.
        """
        if last is None:
            return word != "retain"
        return not last.stands or last.returned or last.says != word

    def _may_be_lifted(self, last: Item | None) -> bool:
        """Whether what an item told may have been let go of: a lift of it was cut off, and taken back.

        An order may have been so by a restriction too.
        """
        lifts = {"erase": ("lift", "restrict"), "restrict": ("lift",)}
        return last is not None and any(
            each.action in lifts.get(WORDS[last.action], ()) and each.state == "cancelled" and each.may_have_arrived
            and each.record == last.record and each.sequence > last.sequence
            and any(before.get(name) is last for name in each.fields)
            for each in self.items.values()
            for before in (self.last_items(last.record, before=each.sequence),)
        )  # fmt: skip

    def amiss_in_words(self) -> Iterator[str]:
        """After an unblocked night: what each source was told is what the rules say, of every field with a value."""
        for record, row in self.there():
            words, last = self.words(record), self.last_items(record)
            for name in sorted(held(row, record[0])):
                decided, told = self.says(record, name), words.get(name, "retain")
                if decided == "erase" and record in self.left_out:
                    continue  # told once the row was read
                if decided in ("erase", "restrict", "retain") and told != decided:
                    yield f"{record} {name}: decided {decided}, its source was last told {told}"
                closed = name in last and not last[name].stands
                if closed and told == decided and (last[name].is_recalled or not self._is_otherwise(last[name])):
                    yield f"{record} {name}: its order was closed to be told anew, and is not"
                if decided == told == "erase" and last[name].returned:
                    yield f"{record} {name}: it is there again after it was verified, and is not told anew"
                if decided == told and told in ("erase", "restrict") and self._may_be_lifted(last.get(name)):
                    yield f"{record} {name}: a lift of what was told may have come, and it is not told anew"

    def _is_otherwise(self, closed: Item) -> bool:
        """Whether something else is decided of a closed item's record, or is said of it and not yet acknowledged."""
        row, last = self.row(closed.record), self.last_items(closed.record)
        return any(
            each.record == closed.record and each.sequence > closed.sequence and each.action != "notify"
            and WORDS[each.action] != WORDS[closed.action] and each.state not in ("done", "already_absent", "cancelled")
            for each in self.items.values()
        ) or any(
            last.get(name) is closed and self.says(closed.record, name) != WORDS[closed.action]
            for name in held(row, closed.record[0])
        )  # fmt: skip

    def amiss_in_waiting(self, delivered: Collection[str]) -> Iterator[str]:
        """What may still leave, or left tonight, stands by today's decisions."""
        for item in self.items.values():
            if item.action == "notify" or not (item.state in UNDELIVERED or item.manifest_id in delivered):
                continue
            row = self.row(item.record)
            if row is None or not item.stands:
                continue
            wanted = WORDS[item.action]
            names = fields_of(item.record[0]) if item.action == "erase" else item.fields
            for name in names:
                decided = self.says(item.record, name)
                if wanted == "erase" and decided != "erase" and decided != "not_personal":
                    yield f"{item.record} {name}: {decided}, and {item.action} is {item.state} ({item.manifest_id[:6]})"
                elif wanted == "retain" and decided not in ("retain", "review") and item.state in UNDELIVERED:
                    yield f"{item.record} {name}: {decided}, and a lift is {item.state}"

    def amiss_at_the_source(self, heard: dict[Named, dict[str, tuple[str, str]]]) -> Iterator[str]:
        """An order that truly came to a source, about what the rules keep, is followed by another word."""
        for record, words in heard.items():
            row = self.row(record)
            for name, (word, item_id) in words.items():
                if word != "erase" or row is None or name not in held(row, record[0]):
                    continue
                if self.says(record, name) not in ("retain", "restrict"):
                    continue
                heard_at = self.items[item_id].sequence if item_id in self.items else -1
                later = [each for each in self.items.values() if each.record == record and each.stands
                         and each.sequence > heard_at and name in each.fields]  # fmt: skip
                if not any(WORDS[each.action] != "erase" for each in later if each.action != "notify"):
                    yield (f"{record} {name} is to be kept ({self.says(record, name)}); its source has an order to "
                           f"erase it ({item_id[:6]}), and no other word is under way")  # fmt: skip

    def amiss_in_proofs(self, proved: Iterable[tuple[str, str]], delivered_at: dict[str, datetime]) -> Iterator[str]:
        """Of proofs given tonight: verified is what an export has shown, returned what is there again.

        A field of which something else was told since is none of its order's any more.
        """
        for item_id, outcome in proved:
            item = self.items[item_id]
            table = TABLES[item.record[0]][0]
            row = self.row(item.record)
            last = self.last_items(item.record)
            still = {name for name in held(row, item.record[0]) & item.fields if last.get(name) is item}
            at = delivered_at.get(item.manifest_id)
            if outcome in ("verified", "discrepancy") and (at is None or self.delivered.full_at[table] <= at):
                yield f"{item.record} {outcome}: no export was extracted after its order was delivered"
            shown = self.delivered.full.get(table, {}).get(item.record[1])
            if outcome == "verified" and shown is not None and held(shown, item.record[0]) & item.fields & set(
                name for name, each in last.items() if each is item
            ):  # fmt: skip
                yield f"{item.record} is verified, and the last full export of its source has it as before"
            if outcome == "verified" and still:
                yield f"{item.record} is verified, and its source delivers {sorted(still)}"
            if outcome in ("returned", "discrepancy") and not still:
                yield f"{item.record} is {outcome}, and its source delivers nothing of it"

    def amiss_in_copies(self, raw: dict[str, dict[str, tuple[Row, list[str]]]]) -> Iterator[str]:
        """The warehouse's own copies: none gone without an order, none left after it."""
        for kind, (table, _) in TABLES.items():
            there = self.delivered.there.get(table, {})
            stored = raw[kind]
            for key in there.keys() ^ stored.keys():
                yield f"{kind} {key}: {'not taken in' if key in there else 'in raw, and not in its source'}"
            for key in there.keys() & stored.keys():
                yield from self._amiss_in_copy((kind, key), there[key], *stored[key])

    def _amiss_in_copy(self, record: Named, row: Row, copied: Row, withheld: Collection[str]) -> Iterator[str]:
        words, delivered = self.words(record), held(row, record[0])
        for name in fields_of(record[0]):
            has = copied.get(name) is not None
            if has and (words.get(name) == "erase" or name not in delivered):
                yield f"{record} {name}: ordered erased or never delivered, and still here"
            if name in delivered and not has and name not in withheld:
                yield f"{record} {name}: gone from here without being kept out"
            if name in withheld and name not in delivered:
                yield f"{record} {name}: said to be kept out, and its source has it no more"


def _sequence(item: Item) -> int:
    return item.sequence
