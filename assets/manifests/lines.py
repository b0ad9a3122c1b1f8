"""`being_sealed`: one system's items with their ids, in the order of their lines, in the memory that there is.

The order is that of `documents.LINE_ORDER`. Where the memory does not hold all of a system's items at once, they are
put there by parts that stand in this order themselves: record types, and ranges of one type's keys. Each part is sorted
by itself and written behind the one before, so that no sort is larger than a part. Which keys bound the ranges changes
nothing of what comes of it. Writes no file and nothing that is kept: what is done with the table is `sealing`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from assets.manifests import documents
from assets.vocabulary import ACTIONS
from assets.warehouse import Warehouse, literal
from expectations.parts import at_once

#: The bytes of the memory limit for an item that is put in its place: what is sorted, what it is joined with, and what
#: is being written.
BYTES_EACH = 2_048
#: And for an id that is told from others.
BYTES_EACH_ID = 64
#: Parts of so many items on average are shared out among threads: each thread has its own share of what is held.
_WORTH_SHARING = 1_000_000
#: How many keys are looked at for each range, to find where it should end.
_LOOKED_AT = 200

#: The order of `documents.LINE_ORDER` with small numbers instead of words: the key is what has to be compared.
_PLACE_OF_ACTION = "case action {} end".format(
    " ".join(f"when '{action}' then cast({place} as tinyint)" for place, action in enumerate(sorted(ACTIONS)))
)


@dataclass(frozen=True)
class _Part:
    """Items that stand side by side: of some record types, or of one with keys from `low` (included) up to `high`.

    No record types: all. Without a `low` or a `high` the range is open; items without a key belong to the last.
    """

    record_types: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None

    @property
    def condition(self) -> str:
        """What is true of the part's rows, in `manifest.proposed` and in `manifest.changed_items`."""
        if not self.record_types:
            return "true"
        said = [f"record_type in ({', '.join(map(literal, self.record_types))})"]
        if self.high is not None:
            said.append("record_key < $high")
        if self.low is not None:
            said.append("record_key >= $low" if self.high is not None else "(record_key >= $low or record_key is null)")
        return " and ".join(said)

    @property
    def bounds(self) -> dict[str, str]:
        """The values that `condition` names."""
        named = {"low": self.low, "high": self.high}
        return {name: key for name, key in named.items() if key is not None}


def proposed(warehouse: Warehouse, told: str) -> dict[str, dict[str | None, int]]:
    """How many items each system has in `manifest.proposed`, by their record types, in the order of their lines.

    Args:
        warehouse: with the proposal.
        told: the condition that is true of the items that are told now.
    """
    found: dict[str, dict[str | None, int]] = {}
    for system, record_type, items in warehouse.rows(
        f"select system, record_type, count(*) from manifest.proposed where {told} group by all order by all"
    ):
        found.setdefault(system, {})[record_type] = items
    return found


def put_in_order(warehouse: Warehouse, types: Mapping[str | None, int], values: Mapping[str, Any], told: str) -> None:
    """Make the temporary table `being_sealed` of a system's items in `manifest.proposed`.

    Besides the columns of `manifest.items`: `named`, with a bit per field of the record that is told about. A part
    finds its changes by their keys too: the gate refuses an item that has another key than what was decided.

    Args:
        warehouse: with the proposal.
        types: how many items each record type has, in their order (`proposed`).
        values: `system`, `previous`, `as_of` and `respond_by`, of which ids are made.
        told: the condition that is true of the items that are told now.
    """
    parts = list(_parts(warehouse, types, {"system": values["system"]}))
    alone = len(parts) > 1 and sum(types.values()) < len(parts) * _WORTH_SHARING
    into = "create or replace temp table being_sealed as"
    with warehouse.one_thread() if alone else nullcontext():
        for part in parts:
            items = _ITEMS.replace("$part", part.condition).replace("$told", told)
            warehouse.run(f"{into} {items}", {**values, **part.bounds})
            into = "insert into being_sealed"


_ITEMS = f"""
with items as (
    select proposed.record_type, proposed.record_key, proposed.action, proposed.fields, proposed.because,
        proposed.kept, changed.named
    from (select * from manifest.proposed where system = $system and $part and $told) as proposed
    left join (
        select cast(record_type as varchar) as record_type, row_id, action, named
        from manifest.changed_items
        where source = $system and $part
    ) as changed
        on changed.record_type = proposed.record_type and changed.row_id = proposed.row_id
        and changed.action = proposed.action
),
described as (
    select items.*, records.key_field, records.place, cast($respond_by as date) as respond_by
    from items
    inner join (
        select *, cast(dense_rank() over (order by record_type) as integer) as place from policy.records
    ) as records on records.record_type = items.record_type
),
bodies as (select *, {documents.SQL_BODY} as body from described)
select {documents.SQL_ITEM_ID} as item_id, cast($system as varchar) as system, record_type, record_key,
    action, fields, because, kept, cast($as_of as date) as as_of, respond_by, key_field, named
from bodies
order by place, record_key, {_PLACE_OF_ACTION}
"""


def _parts(warehouse: Warehouse, types: Mapping[str | None, int], system: Mapping[str, str]) -> Iterator[_Part]:
    """The parts of a system's items in their order: one where the memory holds all, else as few as it allows."""
    most = at_once(sum(types.values()), BYTES_EACH, warehouse.value)
    if sum(types.values()) <= most:
        yield _Part()
        return
    together: list[str] = []
    for record_type, items in types.items():
        if record_type is None:
            continue  # no line can be made of it, and so nothing is sealed: `_counts` of sealing
        if together and sum(types[each] for each in together) + items > most:
            yield _Part(tuple(together))
            together = []
        if items > most:
            yield from _ranges(warehouse, record_type, -(-items // most), system)
        else:
            together.append(record_type)
    if together:
        yield _Part(tuple(together))


def _ranges(warehouse: Warehouse, record_type: str, number: int, system: Mapping[str, str]) -> Iterator[_Part]:
    """A record type's items in about so many ranges of keys, as large as each other, by a look at some keys."""
    keys = [
        key
        for (key,) in warehouse.rows(
            "select record_key from (select record_key from manifest.proposed where system = $system "
            f"and record_type = {literal(record_type)} and record_key is not null "
            f"using sample reservoir({number * _LOOKED_AT} rows) repeatable (1)) order by record_key",
            system,
        )
    ]
    ends = sorted({keys[len(keys) * place // number] for place in range(1, number)}) if keys else []
    for low, high in zip([None, *ends], [*ends, None], strict=True):
        yield _Part((record_type,), low, high)


def different_ids(warehouse: Warehouse, items: int) -> int:
    """How many different ids the rows of `being_sealed` have; `items`: how many rows there are.

    Ids are digests, so that the first digits share them out evenly: as many at once as the memory holds.
    """
    ranges = min(-(-items // at_once(items, BYTES_EACH_ID, warehouse.value)), 256) if items else 1
    if ranges == 1:
        return int(warehouse.value("select count(distinct item_id) from being_sealed"))
    ends = [f"{256 * place // ranges:02x}" for place in range(1, ranges)]
    return sum(
        int(
            warehouse.value(
                "select count(distinct item_id) from being_sealed where item_id >= $low and item_id < $high",
                {"low": low, "high": high},
            )
        )
        for low, high in zip(["", *ends], [*ends, "g"], strict=True)
    )
