"""What became of what was decided about one record: the orders about it, where each stands, and why one is not given.

`explain` says why a field is to go; this says why it is here still. Reads the ledger and puts it into sentences
(`outcomes.yaml`). Speaks of fields, systems and days alone: no field's value is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from assets.ledger.states import MERGED, among_items, ask_of_items
from assets.manifests.gate import held_by_blocks
from assets.retention.explaining import Language
from assets.warehouse import Warehouse

SENTENCES = Path(__file__).with_name("outcomes.yaml")
#: How much of a manifest's id is told: commands take as much as is the only one.
SHORT = 16


@dataclass(frozen=True)
class Order:
    """An order about a record, or a notice of a partner's copy, and where it stands; none that was cancelled.

    `fields` is empty where it names none, `reason` the code that the system gave with its answer, or that the
    record was merged into another one (`MERGED`), `due_on` the day by which something is to have happened. What is to
    be done next is told in both languages.
    """

    manifest_id: str
    system: str
    action: str
    fields: tuple[str, ...]
    as_of: date
    state: str
    since: date
    due_on: date | None
    reason: str | None
    next_sv: str
    next_en: str


@dataclass(frozen=True)
class Outcome:
    """The orders about a record, oldest first, and what keeps more from being given as of the last sealing.

    Attributes:
        orders: those that were not cancelled.
        left_out: whether the site leaves the record's erasure out, because of a row that was set aside.
        blocks: what blocks its own source, `source/table: reason`; empty where nothing is held back.
    """

    orders: tuple[Order, ...]
    left_out: bool
    blocks: tuple[str, ...]


def outcome_of(warehouse: Warehouse, record_type: str, record_key: str) -> Outcome:
    """What became of what was decided about the record; in its sources or not, it may have been ordered.

    The warehouse must have been evaluated.
    """
    about = {"record_type": record_type, "record_key": record_key}
    return Outcome(tuple(_orders(warehouse, about)), _is_left_out(warehouse, about), _blocks(warehouse, record_type))


def _orders(warehouse: Warehouse, about: Mapping[str, str]) -> Iterator[Order]:
    query = (
        "select item_id from manifest.items "
        "where cast(record_type as varchar) = $record_type and record_key = $record_key"
    )
    if not warehouse.exists("manifest", "items") or not ask_of_items(warehouse, query, dict(about)):
        return
    for manifest_id, system, action, fields, *rest in warehouse.rows(
        "select manifest_id, system, cast(action as varchar), fields, as_of, state, since, "
        f"case when is_open then due_on end, case when origin = 'receipt' or reason = '{MERGED}' then reason end, "
        "next_sv, next_en "
        f"from ({among_items()}) where state <> 'cancelled' order by as_of, system, action, item_id"
    ):
        yield Order(manifest_id, system, action, tuple(fields or ()), *rest)


def _is_left_out(warehouse: Warehouse, about: Mapping[str, str]) -> bool:
    return warehouse.exists("manifest", "left_out") and bool(
        warehouse.value(
            "select count(*) from manifest.left_out where record_type = $record_type and record_key = $record_key",
            dict(about),
        )
    )


def _blocks(warehouse: Warehouse, record_type: str) -> tuple[str, ...]:
    source = warehouse.value("select max(source) from policy.records where record_type = ?", [record_type])
    if source is None or not warehouse.exists("intake", "blocks"):
        return ()
    return tuple(held_by_blocks(warehouse, {source: [source]}).get(source, ()))


# -- telling ----------------------------------------------------------------------------------------------------------


def render(outcome: Outcome, source: str, language: Language) -> list[str]:
    """The outcome as lines under a heading of their own."""
    words = _words(language)
    lines = [words["ordered"]]
    for order in outcome.orders:
        what = words["actions"].get(order.action, order.action)
        merged = (order.state, order.reason) == ("discrepancy", MERGED)
        lines.append("  " + words["order"].format(
            as_of=order.as_of, system=order.system, manifest_id=order.manifest_id[:SHORT], since=order.since,
            what=what.format(fields=", ".join(order.fields) or words["all_of_it"]),
            state=words["merged"] if merged else words["states"].get(order.state, order.state),
            reason=words["reason"].format(code=order.reason) if order.reason and not merged else "",
            following=order.next_sv if language == "sv" else order.next_en,
        ))  # fmt: skip
    if not outcome.orders:
        lines.append("  " + words["none"])
    if outcome.left_out:
        lines.append("  " + words["left_out"])
    if outcome.blocks:
        lines.append("  " + words["blocked"].format(system=source, blocks=", ".join(outcome.blocks)))
    return lines


def render_gone(
    outcome: Outcome, record_type: str, record_key: str, source: str, as_of: date, language: Language
) -> list[str]:
    """The same of a record that is in no source any more; `source` had it."""
    gone = _words(language)["gone"].format(record_type=record_type, record_key=record_key, as_of=as_of)
    return [gone, "", *render(outcome, source, language)]


@cache
def _words(language: Language) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))[language]
    return found
