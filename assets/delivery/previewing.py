"""What a person looks at before approving a manifest: counts, what changed, some items, and why it waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from assets.delivery.concerns import Concern, Rules, concerns
from assets.ledger import issued
from assets.warehouse import Warehouse

#: How many items a preview shows.
EXAMPLES = 10


@dataclass(frozen=True)
class Count:
    """How many items a manifest holds of a kind; `purpose` is the one that ended, None where there was none."""

    record_type: str
    purpose: str | None
    action: str
    items: int


@dataclass(frozen=True)
class Change:
    """A record type and action: how many items now, how many in that system's manifest before."""

    record_type: str
    action: str
    items: int
    items_before: int


@dataclass(frozen=True)
class Example:
    """An item under a pseudonym, with the evidence for it."""

    pseudonym: str
    record_type: str
    action: str
    fields: tuple[str, ...]
    because: list[dict[str, Any]]
    kept: list[dict[str, Any]]


@dataclass(frozen=True)
class Preview:
    """What a person sees before approving: counts, what changed against the manifest before, examples, concerns."""

    manifest_id: str
    system: str
    as_of: date
    respond_by: date
    items: int
    counts: tuple[Count, ...]
    changes: tuple[Change, ...]
    examples: tuple[Example, ...]
    concerns: tuple[Concern, ...]


def preview(warehouse: Warehouse, rules: Rules, manifest_id: str) -> Preview:
    """What to look at before approving a manifest, by its id or how it begins.

    Raises:
        BadUsage: no manifest has that id, or several do, or it was destroyed.
    """
    found = issued.show(warehouse, manifest_id, 0).summary
    return Preview(
        found.manifest_id, found.system, found.as_of, found.respond_by, found.items,
        tuple(Count(*row) for row in warehouse.rows(_COUNTS, {"id": found.manifest_id})),
        tuple(Change(*row) for row in warehouse.rows(_CHANGES, {"id": found.manifest_id})),
        tuple(_examples(warehouse, found.manifest_id)),
        tuple(concerns(warehouse, rules, found.manifest_id)),
    )  # fmt: skip


_COUNTS = """
    with reasons as (
        select record_type, action, item_id, unnest(from_json(because, '["json"]')) as reason
        from manifest.items where manifest_id = $id
    )
    select record_type, reason ->> 'purpose' as purpose, action, count(distinct item_id)
    from reasons group by all order by record_type, purpose nulls last, action
"""

_CHANGES = """
    with this as (select system, sequence from manifest.manifests where manifest_id = $id),
    before as (
        select manifests.manifest_id from manifest.manifests as manifests
        inner join this on this.system = manifests.system and manifests.sequence < this.sequence
        where manifests.manifest_id in (select manifest_id from manifest.manifest_states where state <> 'cancelled')
        order by manifests.sequence desc limit 1
    )
    select record_type, action, count(*) filter (where manifest_id = $id),
        count(*) filter (where manifest_id <> $id)
    from manifest.items
    where manifest_id = $id or manifest_id in (from before)
    group by all order by record_type, action
"""


def _examples(warehouse: Warehouse, manifest_id: str) -> list[Example]:
    """The first items by their ids, which are hashes: so any, and always the same."""
    rows = warehouse.rows(
        "select cast(pseudonym(record_type || ' ' || record_key) as varchar), record_type, action, fields, because, "
        "kept from manifest.items where manifest_id = $id order by item_id limit $limit",
        {"id": manifest_id, "limit": EXAMPLES},
    )
    return [
        Example(pseudonym, record_type, action, tuple(fields or ()), json.loads(because), json.loads(kept))
        for pseudonym, record_type, action, fields, because, kept in rows
    ]
