"""What is to be told to each system: the dispositions of the day against what was last sealed.

Proposes and nothing more: writes `manifest.proposed`, seals nothing, changes no sealed state. The comparisons are the
SELECT files of `sql/manifests/`; here are the order they run in and what needs identifiers or JSON. Why an item is
told stands in `reasons`, what a field's bit is in `fields`.
"""

from __future__ import annotations

from datetime import date

from assets.manifests import fields, ledger, reasons
from assets.models import SQL, Model
from assets.policy import Policy
from assets.warehouse import DISTINCT_TEXTS, Warehouse

#: A partner keeps what a direct delivery gave it for transport claims, and no longer (rules.md, What leaves).
PARTNER_DAYS = 90

#: What a proposal is made with and the next one makes anew: nothing that has to be kept.
WORKING_TABLES = ("manifest.changed_records", "manifest.held_records")

#: What was told is kept wide: narrowed to what the policy's fields need, as everything that it is compared with.
_NARROWED = ("told_erase", "told_restrict")

#: Columns in which nearly every text is another, and how they are packed.
_DISTINCT = {"record_key": DISTINCT_TEXTS, "because": "json using compression zstd"}

_LARGE = ("changed_records", "changed_items")

_CHANGED = ("claim_bits", "changed_records")
_TOLD = ("changed_items", "disclosed_fields", "lapsed_disclosures", "delivered_fields", "notice_fields")


def propose(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """Write `manifest.proposed`: one row per system, record and action that is news on the day `as_of`.

    Columns: system, record_type, record_key, row_id, action, fields (in the contract's order; empty for `erase`, which
    is about the whole record), because, kept. `manifest.proposal` keeps the day and the policy it was made with.

    Raises:
        BadInput: a record type has more classified fields than can be told of.
    """
    ledger.prepare(warehouse)
    params = {"as_of": as_of, "partner_days": PARTNER_DAYS}
    with warehouse.transaction():
        fields.number_fields(warehouse)
        _build(warehouse, _CHANGED, params)
        fields.find_held(warehouse, "manifest.changed_records", "manifest.held_records")
        _build(warehouse, _TOLD, params)
        fields.show_fields(warehouse)
        reasons.prepare(warehouse, as_of)
        (because, ends), (kept, keeps) = reasons.because(warehouse), reasons.kept(warehouse)
        proposed = _PROPOSED.replace("$because", because).replace("$kept", kept).replace("$joins", ends + keeps)
        _write(warehouse, "manifest.proposed", proposed)
        reasons.discard(warehouse)
        warehouse.run(
            "create or replace table manifest.proposal as select cast($as_of as date) as as_of, $sha as policy_sha256",
            {"as_of": as_of, "sha": policy.sha256},
        )


def _build(warehouse: Warehouse, names: tuple[str, ...], params: dict[str, object]) -> None:
    for name in names:
        model = Model(schema="manifest", path=SQL / "manifests" / f"{name}.sql")
        if name in _LARGE:
            _write(warehouse, model.table, model.statement)
        else:
            model.build(warehouse, params)


def _write(warehouse: Warehouse, table: str, select: str) -> None:
    """Make a table of many rows: keys packed the cheap way, numbers as wide as the policy's fields need."""
    described = [(name, kind) for name, kind, *_ in warehouse.rows(f"describe {select}")]
    width = fields.width(warehouse)
    types = {**dict(described), **{name: width for name, _ in described if name in _NARROWED}}
    columns = ", ".join(f"{name} {_DISTINCT.get(name, kind)}" for name, kind in types.items())
    warehouse.run(f"create or replace table {table} ({columns})")
    warehouse.run(f"insert into {table} {select}")


#: The names of fields are looked up by the number that stands for them: few numbers differ.
_PROPOSED = """
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
named_items as (
    select numbers.record_type, numbers.named, list(bits.field order by bits.position, bits.field) as fields
    from (select distinct record_type, named from manifest.changed_items where action <> 'erase') as numbers
    inner join manifest.field_bits as bits
        on bits.record_type = numbers.record_type and (bits.bit & numbers.named) <> 0
    group by numbers.record_type, numbers.named
),
named_notices as (
    select numbers.record_type, numbers.named, list(bits.field order by bits.position, bits.field) as fields
    from (select distinct record_type, named from notices) as numbers
    inner join manifest.field_bits as bits
        on bits.record_type = numbers.record_type and (bits.bit & numbers.named) <> 0
    group by numbers.record_type, numbers.named
)
select items.source as system, items.record_type, items.record_key, items.row_id, items.action,
    case when items.action = 'erase' then cast([] as varchar[]) else named.fields end as fields,
    cast(case when items.action = 'lift' then '[]' else $because end as json) as because,
    cast($kept as json) as kept
from manifest.changed_items as items
left join named_items as named on named.record_type = items.record_type and named.named = items.named
$joins
union all
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
