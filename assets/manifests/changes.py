"""What is to be told to each system: the dispositions of the day against what was last sealed.

Proposes and nothing more: writes `manifest.proposed`, seals nothing, changes no sealed state. The comparisons are the
SELECT files of `sql/manifests/`; here are the order they run in and what needs identifiers or JSON. Why an item is
told stands in `reasons`, what a field's bit is in `fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date

from assets.ledger import issued
from assets.manifests import fields, reasons
from assets.manifests.ranges import Range, ranges
from assets.models import SQL, Model
from assets.policy import Policy
from assets.warehouse import DISTINCT_TEXTS, Warehouse
from expectations.parts import at_once

#: A partner keeps what a direct delivery gave it for transport claims, and no longer (rules.md, What leaves).
PARTNER_DAYS = 90

#: What a proposal is made with and the next one makes anew: nothing that has to be kept.
WORKING_TABLES = ("manifest.changed_records", "manifest.held_records")

#: What was told is kept wide: narrowed to what the policy's fields need, as everything that it is compared with.
_NARROWED = ("told_erase", "told_restrict")

#: Columns in which nearly every text is another, and how they are packed.
_DISTINCT = {"record_key": DISTINCT_TEXTS, "because": "json using compression zstd"}

#: What the partners are told, and of which of their copies nothing: few rows, and of all records.
_NOTICES = ("disclosed_fields", "lapsed_disclosures", "delivered_fields", "notice_fields", "unheard_disclosures")

#: The records that the office's register says were given to somebody.
_DISCLOSED = """
    select distinct records.record_type, records.row_id
    from core.records as records
    inner join raw.office_disclosures as disclosures
        on lower(disclosures.record_type) = records.record_type and disclosures.record_key = records.record_key
    where disclosures.in_source
"""

#: The bytes of the memory limit that a record is counted with (390 were enough, spilling), and how many records are
#: gone through at once at most, whatever the memory: two million at a time were no dearer to compare than all.
BYTES_EACH, MOST_AT_ONCE = 512, 8_000_000

#: From how many records on a statement that reads what this transaction wrote is given one thread alone: no second one
#: finds work there, and the one that waits burns what the other works.
MANY = 1_000_000

#: The last record of each type.
_LAST = "select max(row_id) from retention.dispositions group by record_type"


def propose(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """Write `manifest.proposed`: one row per system, record and action that is news on the day `as_of`.

    Columns: system, record_type, record_key, row_id, action, fields (in the contract's order; empty for `erase`, which
    is about the whole record), because, kept. `manifest.proposal` keeps the day and the policy it was made with.
    The records are gone through by ranges where not all of them fit into the memory at once.

    Raises:
        BadInput: a record type has more classified fields than can be told of.
    """
    issued.prepare(warehouse)
    warehouse.sparing(lambda: _propose(warehouse, policy, as_of))


def _propose(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """The one transaction that makes the proposal."""
    params = {"as_of": as_of, "partner_days": PARTNER_DAYS}
    with warehouse.transaction():
        fields.number_fields(warehouse)
        width = fields.width(warehouse)
        warehouse.run(f"create or replace temp table disclosed_records as {_DISCLOSED}")
        fields.find_held(warehouse, "temp.disclosed_records", "manifest.disclosed_held")
        warehouse.run("drop table temp.disclosed_records")
        for name in ("claim_bits", *_NOTICES):
            _model(name).build(warehouse, params)
        slots = reasons.prepare(warehouse)
        last = [each for (each,) in warehouse.rows(_LAST)]
        alone = warehouse.one_thread if sum(last) >= MANY else nullcontext
        for those in _ranges(warehouse, last):
            _compare(warehouse, those, width, alone)
            reasons.find(warehouse, as_of, slots, those)
            with alone():
                _write(warehouse, "manifest.proposed", _items(warehouse, slots, those), those, width)
        warehouse.run(f"insert into manifest.proposed {_NOTIFIED}")
        reasons.discard(warehouse)
        fields.show_fields(warehouse)
        warehouse.run(
            "create or replace table manifest.proposal as select cast($as_of as date) as as_of, $sha as policy_sha256",
            {"as_of": as_of, "sha": policy.sha256},
        )


def _ranges(warehouse: Warehouse, last: Sequence[int]) -> list[Range]:
    """As few ranges of records as the memory allows."""
    return ranges(last, min(MOST_AT_ONCE, at_once(sum(last), BYTES_EACH, warehouse.value)))


def _model(name: str) -> Model:
    return Model(schema="manifest", path=SQL / "manifests" / f"{name}.sql")


def _compare(warehouse: Warehouse, those: Range, width: str, alone: Callable[[], AbstractContextManager[None]]) -> None:
    """What is decided of a range's records, what they hold and what was told, and what of it is news."""
    changed, items = _model("changed_records"), _model("changed_items")
    read = {table: those.of(table) for table in ("retention.dispositions", "retention.records")}
    _write(warehouse, changed.table, changed.statement if those.is_all else changed.over(read), those, width)
    fields.find_held(warehouse, changed.table, "manifest.held_records", those)
    read = {table: those.of(table) for table in WORKING_TABLES}
    with alone():
        _write(warehouse, items.table, items.statement if those.is_all else items.over(read), those, width)


def _write(warehouse: Warehouse, table: str, select: str, those: Range, width: str) -> None:
    """Write a range's rows into a table of many: keys packed the cheap way, numbers as wide as the fields need."""
    if those.is_first:
        described = [(name, kind) for name, kind, *_ in warehouse.rows(f"describe {select}")]
        types = {**dict(described), **{name: width for name, _ in described if name in _NARROWED}}
        columns = ", ".join(f"{name} {_DISTINCT.get(name, kind)}" for name, kind in types.items())
        warehouse.run(f"create or replace table {table} ({columns})")
    warehouse.run(f"insert into {table} {select}")


def _items(warehouse: Warehouse, slots: range, those: Range) -> str:
    """What a range's sources are told, with its reasons."""
    (because, ends), (kept, keeps) = reasons.because(slots), reasons.kept(warehouse)
    select = _ITEMS.replace("$because", because).replace("$kept", kept).replace("$joins", ends + keeps)
    return select.replace("$items", those.of("manifest.changed_items"))


#: The names of fields are looked up by the number that stands for them: few numbers differ.
_ITEMS = """
with named_items as (
    select numbers.record_type, numbers.named, list(bits.field order by bits.position, bits.field) as fields
    from (select distinct record_type, named from ($items) as items where action <> 'erase') as numbers
    inner join manifest.field_bits as bits
        on bits.record_type = numbers.record_type and (bits.bit & numbers.named) <> 0
    group by numbers.record_type, numbers.named
)
select items.source as system, cast(items.record_type as varchar) as record_type, items.record_key, items.row_id,
    items.action,
    case when items.action = 'erase' then cast([] as varchar[]) else named.fields end as fields,
    cast(case when items.action = 'lift' then '[]' else $because end as json) as because,
    cast($kept as json) as kept
from ($items) as items
left join named_items as named on named.record_type = items.record_type and named.named = items.named
$joins
"""

#: What partners are told, with the same columns.
_NOTIFIED = """
with notices as (
    select notices.partner_id, notices.record_type, notices.record_key, bit_or(bits.bit) as named,
        max(case when notices.cause = 'direct_delivery' then notices.ended_on end) as delivered,
        bool_or(notices.cause = 'direct_delivery') as is_delivery,
        bool_or(notices.cause = 'disclosure') as is_disclosure
    from manifest.notice_fields as notices
    inner join manifest.field_bits as bits
        on bits.record_type = notices.record_type and bits.field = notices.field
    group by notices.partner_id, notices.record_type, notices.record_key
),
named_notices as (
    select numbers.record_type, numbers.named, list(bits.field order by bits.position, bits.field) as fields
    from (select distinct record_type, named from notices) as numbers
    inner join manifest.field_bits as bits
        on bits.record_type = numbers.record_type and (bits.bit & numbers.named) <> 0
    group by numbers.record_type, numbers.named
)
select 'partner:' || notices.partner_id, notices.record_type, notices.record_key, null, 'notify', named.fields,
    cast('[' || concat_ws(',',
        case when is_delivery then cast(json_object(
            'purpose', null, 'ended_on', cast(delivered as varchar), 'reason', 'eu-gdpr:A5-1-e'
        ) as varchar) end,
        case when is_disclosure then '{"purpose":null,"ended_on":null,"reason":"eu-gdpr:A19"}' end
    ) || ']' as json),
    cast('[]' as json)
from notices
inner join named_notices as named on named.record_type = notices.record_type and named.named = notices.named
"""
