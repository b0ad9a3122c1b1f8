"""The ledger of sealed manifests: its tables, and the questions people ask it.

Tables are made here and filled by `assets.manifests.sealing` and by `assets.delivery`. Nothing here decides what is
told to a system.

- `manifest.items`, `manifest.manifests`, `manifest.events`, `manifest.receipts`, `manifest.verifications` are
  append-only. An event without an item speaks for its whole manifest; `manifest.item_states` says where each stands.
- What each record's own source was last told, and what that replaced, is `told`'s.
- `manifest.notified_fields` holds what partners were told of their copies.
- `manifest.intended` holds manifests whose files are being put in place: a crash there is undone at the next start.
- `manifest.sending` holds manifests that may have reached their system, which nothing says yet: a delivery that was cut
  off, or failed after the last byte, leaves its manifest there until it is recorded.
- `manifest.recalled_orders` holds orders and restrictions that were cancelled after that, or whose lift was, and orders
  of what was there again after it was verified, as of the last recall: their word stands, and is told anew where it is
  to stand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from assets import vocabulary
from assets.errors import BadUsage
from assets.ledger import states, told
from assets.vocabulary import RECORD_TYPES, enum_of
from assets.warehouse import UNPACKED_TEXTS, Warehouse

ACTIONS = ("erase", "redact", "restrict", "lift", "notify")

_TABLES = {
    "items": f"manifest_id varchar, item_id {UNPACKED_TEXTS}, system varchar, record_type {enum_of(RECORD_TYPES)}, "
    f"record_key {UNPACKED_TEXTS}, action {enum_of(vocabulary.ACTIONS)}, fields varchar[], "
    "because json using compression zstd, kept json, as_of date, respond_by date, key_field varchar",
    "manifests": "manifest_id varchar, system varchar, sequence bigint, as_of date, issued_at timestamp, "
    "respond_by date, items bigint, items_sha256 varchar, digest varchar, previous varchar, document varchar, "
    "signature varchar, table_sha256 varchar",
    "notified_fields": "partner_id varchar, record_type varchar, record_key varchar, field varchar, item_id varchar, "
    "as_of date",
    "events": "item_id varchar, manifest_id varchar, state varchar, on_day date, detail varchar, sequence bigint, "
    "happened_at timestamp, reason varchar, until date, by_whom varchar, origin varchar",
    "receipts": 'manifest_id varchar, item_id varchar, status varchar, "at" timestamp, detail varchar, until date, '
    "system varchar, file_sha256 varchar, line bigint, received_at timestamp",
    "verifications": "manifest_id varchar, item_id varchar, outcome varchar, delivery_id varchar, as_of date, "
    "reason varchar",
    "intended": "manifest_id varchar, system varchar, as_of date",
    "fallen_due": "manifest_id varchar, item_id varchar, as_of date, is_open boolean",
    "sending": "manifest_id varchar",
    "recalled_orders": "item_id varchar",
    "unproven": "system varchar, reason varchar, items bigint, table_name varchar, set_aside bigint",
}
#: Orders and restrictions that their system may have, though no delivery of them was recorded: what is cancelled of
#: them keeps its word.
MAY_HAVE_ARRIVED = """
select item_id from manifest.items
where action in ('erase', 'redact', 'restrict') and manifest_id in (select manifest_id from manifest.sending)
"""
#: Why an item was closed that was told anew: the reason of its last event.
TOLD_ANEW = "told_anew"
#: The columns of tables with a row per item that hold closed words: a third of what they cost as text to write, and
#: each rewriting of the warehouse writes them.
_CLOSED = {
    ("items", "record_type"): vocabulary.RECORD_TYPES,
    ("items", "action"): vocabulary.ACTIONS,
    ("told_bits", "record_type"): vocabulary.RECORD_TYPES,
    ("told_bits", "state"): vocabulary.TOLD_STATES,
    ("told_bits", "action"): vocabulary.ACTIONS,
}


def prepare(warehouse: Warehouse) -> None:
    """Make the `manifest.*` tables and views that are not there yet."""
    warehouse.once(_make)


def _make(warehouse: Warehouse) -> None:
    told.prepare(warehouse)
    for name, columns in _TABLES.items():
        warehouse.run(f"create table if not exists manifest.{name} ({columns})")
    _bring_over(warehouse)
    states.prepare(warehouse)


def _bring_over(warehouse: Warehouse) -> None:
    """Give tables of an older warehouse the columns that came later, and closed words as this version has them."""
    there = {
        (table, column): str(sql_type)
        for table, column, sql_type in warehouse.rows(
            "select table_name, column_name, data_type from duckdb_columns() where database_name = $catalog "
            "and schema_name = 'manifest' "
            "and table_name in ('events', 'fallen_due', 'items', 'manifests', 'receipts', 'told_bits', 'unproven')",
            {"catalog": warehouse.catalog},
        )
    }
    for (table, column), words in _CLOSED.items():
        if there[table, column].lower() != enum_of(words):
            _close(warehouse, table, column, words)
    for name in ("events", "fallen_due", "manifests", "receipts", "unproven"):
        for column in _TABLES[name].split(", "):
            if (name, column.split()[0].strip('"')) not in there:
                warehouse.run(f"alter table manifest.{name} add column {column}")


def _close(warehouse: Warehouse, table: str, column: str, words: Sequence[str]) -> None:
    """Keep a column as closed words from now on; as it is, where a row says another word than these."""
    listed = ", ".join(f"'{word}'" for word in words)
    if not warehouse.value(f"select count(*) from manifest.{table} where cast({column} as varchar) not in ({listed})"):
        warehouse.run(f"alter table manifest.{table} alter column {column} type {enum_of(words)}")


@dataclass(frozen=True)
class ManifestSummary:
    """One row of `gallring manifest list`."""

    manifest_id: str
    system: str
    sequence: int
    as_of: date
    issued_at: datetime
    respond_by: date
    items: int
    actions: dict[str, int]
    states: dict[str, int]


@dataclass(frozen=True)
class Item:
    """One manifest item, as `gallring manifest show` previews it. The key is the system's own.

    `reason` is a code, where the state has one; `next_step` what is to be done, in English.
    """

    item_id: str
    record_type: str
    record_key: str
    action: str
    fields: tuple[str, ...]
    because: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    state: str
    reason: str | None
    next_step: str


@dataclass(frozen=True)
class ManifestDetail:
    """One manifest with its document and its first items."""

    summary: ManifestSummary
    document: dict[str, Any]
    signed: bool
    preview: tuple[Item, ...]


def manifests(warehouse: Warehouse, system: str | None = None) -> list[ManifestSummary]:
    """The sealed manifests in the order they were sealed, of one system or of all."""
    prepare(warehouse)
    rows = warehouse.rows(
        "select manifest_id, system, sequence, as_of, issued_at, respond_by, items from manifest.manifests "
        "where $system is null or system = $system order by as_of, system, sequence",
        {"system": system},
    )
    counted = "select manifest_id, {}, cast(sum(items) as bigint) from manifest.manifest_states group by all"
    actions = _counts(warehouse, counted.format("action"))
    counted_states = _counts(warehouse, counted.format("state"))
    return [
        ManifestSummary(
            manifest_id, of_system, sequence, as_of, issued_at, respond_by, items,
            actions.get(manifest_id, {}), counted_states.get(manifest_id, {}),
        )
        for manifest_id, of_system, sequence, as_of, issued_at, respond_by, items in rows
    ]  # fmt: skip


def show(warehouse: Warehouse, manifest_id: str, preview: int = 20) -> ManifestDetail:
    """One manifest by its id, or by a beginning of its id that no other manifest has.

    Raises:
        BadUsage: no manifest has that id, or several do, or it was destroyed.
    """
    (full_id,) = full_ids(warehouse, [manifest_id])
    system, document, signed = warehouse.rows(
        "select system, document, signature is not null from manifest.manifests where manifest_id = $id",
        {"id": full_id},
    )[0]
    if document is None:
        raise BadUsage(f"Manifest {full_id} was destroyed after its last day: that it was sealed, and when, is "
                       "all that is kept of it. `gallring manifest list` shows it.")  # fmt: skip
    summary = next(one for one in manifests(warehouse, system) if one.manifest_id == full_id)
    return ManifestDetail(summary, json.loads(document), signed, tuple(_items(warehouse, full_id, preview)))


def full_ids(warehouse: Warehouse, named: Sequence[str]) -> list[str]:
    """The ids of manifests that were named by them or by a beginning that no other has, in that order, each once.

    Raises:
        BadUsage: one is no manifest's, or the beginning of several.
    """
    prepare(warehouse)
    meant: dict[str, list[str]] = {name: [] for name in named}
    for name, full_id in warehouse.rows(
        "select named.name, sealed.manifest_id from (select unnest(cast($named as varchar[])) as name) as named "
        "inner join manifest.manifests as sealed on starts_with(sealed.manifest_id, named.name) and named.name <> ''",
        {"named": list(meant)},
    ):
        meant[name].append(full_id)
    for name, found in meant.items():
        if name not in found and len(found) != 1:
            raise BadUsage(f"{'No manifest has' if not found else 'Several manifests begin with'} the id {name!r}: "
                           "`gallring manifest list` shows them.")  # fmt: skip
    return list(dict.fromkeys(name if name in found else found[0] for name, found in meant.items()))


def _items(warehouse: Warehouse, manifest_id: str, limit: int) -> list[Item]:
    rows = warehouse.rows(
        "select items.item_id, items.record_type, items.record_key, items.action, items.fields, "
        "items.because, items.kept, states.state, states.reason, states.next_en "
        "from manifest.items as items inner join manifest.item_states as states "
        "on states.manifest_id = items.manifest_id and states.item_id = items.item_id "
        "where items.manifest_id = $id order by items.record_type, items.record_key, items.action limit $limit",
        {"id": manifest_id, "limit": limit},
    )
    return [
        Item(item_id, record_type, key, action, tuple(fields), json.loads(because), json.loads(kept), *standing)
        for item_id, record_type, key, action, fields, because, kept, *standing in rows
    ]


def _counts(warehouse: Warehouse, query: str) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    for manifest_id, name, number in sorted(warehouse.rows(query)):
        counted.setdefault(manifest_id, {})[name] = number
    return counted


# -- taking a word back ---------------------------------------------------------------------------------------------


def take_back(warehouse: Warehouse, items: str, params: dict[str, Any] | None = None) -> None:
    """Let what some items told count as never told: their fields go back to the state told before, so it is news again.

    A state that another cancelled item had told is passed over, back to one that stands; not that of an order that was
    told anew, or that may have arrived, for its system has it. What a later item has told since stays as it is.

    Args:
        warehouse: the warehouse.
        items: a query that gives `item_id`.
        params: its named parameters.
    """
    with warehouse.transaction():
        warehouse.run(f"create or replace temp table withdrawn_items as {items}", params)
        warehouse.run(
            "create or replace temp table withdrawn_before as select item_id from withdrawn_items "
            "union select item_id from manifest.item_states where state = 'cancelled' "
            "and (reason is distinct from $told_anew or action in ('lift', 'notify')) "
            f"and item_id not in ({MAY_HAVE_ARRIVED})",
            {"told_anew": TOLD_ANEW},
        )
        warehouse.run(f"create or replace temp table restored_fields as {_RESTORED}")
        told.put_back(warehouse, "from withdrawn_items", "restored_fields")
        warehouse.run("delete from manifest.notified_fields where item_id in (from withdrawn_items)")
        for table in ("withdrawn_items", "withdrawn_before", "restored_fields"):
            warehouse.run(f"drop table {table}")


_RESTORED = """
    with recursive earlier as (
        select replaced.record_type, replaced.record_key, replaced.field, replaced.state,
            replaced.told_by as item_id, replaced.as_of, replaced.action
        from manifest.sealed_fields as sealed
        inner join withdrawn_items as withdrawn on withdrawn.item_id = sealed.item_id
        inner join manifest.replaced_fields as replaced
            on replaced.item_id = sealed.item_id and replaced.record_type = sealed.record_type
            and replaced.record_key = sealed.record_key and replaced.field = sealed.field
        union all
        select replaced.record_type, replaced.record_key, replaced.field, replaced.state,
            replaced.told_by, replaced.as_of, replaced.action
        from earlier
        inner join manifest.replaced_fields as replaced
            on replaced.item_id = earlier.item_id and replaced.record_type = earlier.record_type
            and replaced.record_key = earlier.record_key and replaced.field = earlier.field
        where earlier.item_id in (from withdrawn_before)
    )
    select * from earlier where item_id not in (from withdrawn_before)
"""


def forget_records(warehouse: Warehouse, records: str) -> None:
    """Forget what systems and partners were told of the records of the query `records` (record_type, record_key).

    Of whom no manifest that is kept tells any more. Runs inside the caller's transaction.
    """
    told.forget(warehouse, records)
    warehouse.run(f"delete from manifest.notified_fields where (record_type, record_key) in ({records})")


# -- recipients -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipient:
    """A partner that received a record's data: what, when, whether it was told to let go of it, what it answered.

    `state` is that of the notice's item: an answer is an acknowledgement, never a proof. `told_on` is the day on which
    the notice was delivered, None while it has not been.
    """

    partner_id: str
    role: str | None
    record_type: str
    record_key: str
    fields: tuple[str, ...]
    given_on: date | None
    manifest_id: str | None
    told_on: date | None
    state: str | None
    answered_on: date | None


def recipients(
    warehouse: Warehouse, record_type: str, record_key: str, hanging: Sequence[tuple[str, str]] = ()
) -> list[Recipient]:
    """Who received the data of a record, and of what hangs on it; were they told?

    Read from the register of disclosures and the direct deliveries, as of the last evaluation. Without a partner the
    list is empty; authorities are in it, and are told nothing. The orders, invoices, deliveries and contacts that name
    a customer are looked at in any case: the customer may have left.

    Args:
        warehouse: evaluated.
        record_type: of the record.
        record_key: its key.
        hanging: what else to look at, as (record type, key): all that hangs on a customer.
    """
    prepare(warehouse)
    if not all(warehouse.exists("manifest", table) for table in ("disclosed_fields", "delivered_fields")):
        return []
    rows = warehouse.rows(_RECIPIENTS, {
        "record_type": record_type, "record_key": record_key,
        "types": [of_type for of_type, _ in hanging], "keys": [key for _, key in hanging],
    })  # fmt: skip
    return [
        Recipient(partner, role, of_type, key, tuple(fields), given_on, manifest_id, told_on, state, answered_on)
        for partner, role, of_type, key, fields, given_on, manifest_id, told_on, state, answered_on in rows
    ]


#: A direct delivery is a recipient from its first day, long before its copy falls due. What a partner was told of at
#: another time, or was not told of yet, is an entry of its own; of a delivery of which it was told, what holds nothing
#: was never given.
_RECIPIENTS = """
with wanted as (
    select cast($record_type as varchar) as record_type, cast($record_key as varchar) as record_key
    union
    select unnest(cast($types as varchar[])), unnest(cast($keys as varchar[]))
    union
    select 'order', order_id from raw.orders_orders
    where $record_type = 'customer' and customer_id = $record_key
    union
    select 'delivery', deliveries.delivery_id
    from raw.orders_deliveries as deliveries
    inner join raw.orders_orders as orders on orders.order_id = deliveries.order_id
    where ($record_type = 'customer' and orders.customer_id = $record_key)
        or ($record_type = 'order' and orders.order_id = $record_key)
    union
    select 'invoice', invoice_id from raw.orders_invoices
    where $record_type = 'customer' and customer_id = $record_key
    union
    select 'contact', contact_id from raw.crm_contacts
    where $record_type = 'customer' and customer_id = $record_key
),
given as (
    select partner_id, record_type, record_key, field, true as is_held, disclosed_on as given_on
    from manifest.disclosed_fields
    union all
    select deliveries.partner_id, 'delivery', deliveries.delivery_id, fields.field,
        deliveries.in_source and (
            case fields.field
                when 'contact_name' then deliveries.contact_name is not null
                when 'phone' then deliveries.phone is not null
                when 'street' then deliveries.street is not null
                when 'postal_code' then deliveries.postal_code is not null
                else deliveries.city is not null
            end
            or coalesce(list_contains(deliveries.withheld, fields.field), false)
        ),
        deliveries.delivered_at
    from raw.orders_deliveries as deliveries
    inner join policy.fields as fields on fields.record_type = 'delivery'
        and fields.field in ('contact_name', 'phone', 'street', 'postal_code', 'city')
    where deliveries.partner_id is not null
),
notices as (
    select notified.partner_id, notified.record_type, notified.record_key, notified.field,
        max(notified.item_id) as item_id
    from manifest.notified_fields as notified
    where notified.as_of = (
        select max(latest.as_of) from manifest.notified_fields as latest
        where latest.partner_id = notified.partner_id and latest.record_type = notified.record_type
            and latest.record_key = notified.record_key and latest.field = notified.field
    )
    group by all
),
copies as (
    select given.partner_id, given.record_type, given.record_key, notices.item_id,
        list(distinct given.field order by given.field) as fields, max(given.given_on) as given_on
    from given
    inner join wanted on wanted.record_type = given.record_type and wanted.record_key = given.record_key
    left join notices
        on notices.partner_id = given.partner_id and notices.record_type = given.record_type
        and notices.record_key = given.record_key and notices.field = given.field
    where given.is_held or notices.item_id is not null
        or (given.partner_id, given.record_type, given.record_key) not in (
            select (told.partner_id, told.record_type, told.record_key) from notices as told
        )
    group by all
),
steps as (
    select events.manifest_id, events.item_id, min(events.on_day) filter (where events.state = 'delivered') as told_on,
        max(events.on_day) filter (where events.origin = 'receipt') as answered_on
    from manifest.events as events
    group by all
)
select copies.partner_id, partners.role, copies.record_type, copies.record_key, copies.fields, copies.given_on,
    states.manifest_id, coalesce(own.told_on, common.told_on) as told_on, states.state, own.answered_on
from copies
left join (select partner_id, min(role) as role from raw.office_partners group by all) as partners
    on partners.partner_id = copies.partner_id
left join manifest.item_states as states on states.item_id = copies.item_id
left join steps as own on own.manifest_id = states.manifest_id and own.item_id = states.item_id
left join steps as common on common.manifest_id = states.manifest_id and common.item_id is null
order by copies.partner_id, copies.record_type, copies.record_key, told_on nulls last, copies.item_id
"""
