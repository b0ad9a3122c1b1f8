"""What is to be told to each system: the dispositions of the day against what was last sealed.

Proposes and nothing more: writes `manifest.proposed`, seals nothing, changes no sealed state. The comparisons are the
SELECT files of `sql/manifests/`; here are the order they run in and what needs identifiers or JSON.

Reasons that an item gives (`because`), as DPV and its GDPR extension name them:

- a purpose that covered the item's fields and has ended: the purpose, its last day, and
  `eu-gdpr:JustificationA17NonNecessity` (Art 17(1)(a): no longer necessary for the purpose);
- fields that no purpose ever covered: no purpose, no day, `eu-gdpr:A5-1-e` (storage limitation);
- a restriction without an ended use: `eu-gdpr:A18` where the person's right stands (a use goes on, or nothing else
  keeps the fields), else `eu-gdpr:A5-1-b` (purpose limitation: a duty alone keeps them);
- a partner's copy: `eu-gdpr:A19` (recipients are told), or `eu-gdpr:A5-1-e` with the last day of a direct delivery.
"""

from __future__ import annotations

from datetime import date

from assets.ingest.projecting import literal
from assets.manifests import ledger
from assets.models import SQL, Model
from assets.policy import Policy
from assets.warehouse import Warehouse, identifier

#: A partner keeps what a direct delivery gave it for transport claims, and no longer (rules.md, What leaves).
PARTNER_DAYS = 90

_CHANGED = ("sealed_categories", "changed_records")
_TOLD = ("changed_fields", "disclosed_fields", "lapsed_disclosures", "delivered_fields", "notice_fields")


def propose(warehouse: Warehouse, policy: Policy, as_of: date) -> None:
    """Write `manifest.proposed`: one row per system, record and action that is news on the day `as_of`.

    Columns: system, record_type, record_key, row_id, action, fields (in the contract's order; empty for `erase`, which
    is about the whole record), because, kept. `manifest.proposal` keeps the day and the policy it was made with.
    """
    ledger.prepare(warehouse)
    params = {"as_of": as_of, "partner_days": PARTNER_DAYS}
    with warehouse.transaction():
        _build(warehouse, _CHANGED, params)
        find_held_fields(warehouse, "manifest.changed_records", "manifest.held_fields")
        _build(warehouse, _TOLD, params)
        warehouse.run(f"create or replace table manifest.reasons as {_REASONS}", {"as_of": as_of})
        warehouse.run(f"create or replace table manifest.keepers as {_KEEPERS}")
        warehouse.run(f"create or replace table manifest.proposed as {_PROPOSED}")
        warehouse.run(
            "create or replace table manifest.proposal as select cast($as_of as date) as as_of, $sha as policy_sha256",
            {"as_of": as_of, "sha": policy.sha256},
        )


def find_held_fields(warehouse: Warehouse, records: str, into: str) -> None:
    """Write to table `into` the classified fields that hold a value, of the records (record_type, row_id) in `records`.

    A field holds a value when its column is not null in a row that its source delivers now, or when intake keeps out
    what the source still delivers there (`withheld`).
    """
    warehouse.run(
        f"create or replace table {into} "
        "(record_type varchar, row_id bigint, field varchar, position integer, data_category varchar)"
    )
    present = {record_type for (record_type,) in warehouse.rows(f"select distinct record_type from {records}")}
    tables = warehouse.rows("select record_type, source, table_name from policy.records order by record_type")
    for record_type, source, table_name in tables:
        if record_type in present:
            _add_held_fields(warehouse, records, into, record_type, f"{source}_{table_name}")


def _add_held_fields(warehouse: Warehouse, records: str, into: str, record_type: str, raw_table: str) -> None:
    """One pass over a raw table: a row per field that holds a value."""
    fields = warehouse.rows(
        "select field, position from policy.fields where record_type = $record_type order by position",
        {"record_type": record_type},
    )
    if not fields:
        return
    flags = ", ".join(
        f"source_row.{identifier(field)} is not null "
        f"or coalesce(list_contains(source_row.withheld, {literal(field)}), false) as held_{position}"
        for field, position in fields
    )
    arms = " union all ".join(f"select row_id, {position} as position from wide where held_{position}"
                              for _, position in fields)  # fmt: skip
    warehouse.run(
        f"""
        insert into {into}
        with wide as materialized (
            select source_row.row_id, {flags}
            from raw.{identifier(raw_table)} as source_row
            inner join (select distinct row_id from {records} where record_type = $record_type) as wanted
                on wanted.row_id = source_row.row_id
            where source_row.in_source
        )
        select $record_type, held.row_id, fields.field, fields.position, fields.data_category
        from ({arms}) as held
        inner join policy.fields as fields on fields.record_type = $record_type and fields.position = held.position
        """,
        {"record_type": record_type},
    )


def _build(warehouse: Warehouse, names: tuple[str, ...], params: dict[str, object]) -> None:
    for name in names:
        Model(schema="manifest", path=SQL / "manifests" / f"{name}.sql").build(warehouse, params)


_REASONS = """
with item_categories as (
    select distinct record_type, row_id, action, data_category from manifest.changed_fields where action <> 'lift'
),
ended as (
    select categories.record_type, categories.row_id, categories.action, categories.data_category,
        claims.purpose, claims.keep_until
    from item_categories as categories
    inner join retention.claims as claims
        on claims.record_type = categories.record_type and claims.row_id = categories.row_id
        and claims.data_category = categories.data_category
    left join policy.purposes as purposes on purposes.purpose = claims.purpose
    where not claims.is_active and claims.keep_until < $as_of
        and (categories.action <> 'restrict' or purposes.class = 'use')
),
active as (
    select claims.record_type, claims.row_id, claims.data_category, bool_or(purposes.class = 'use') as in_use
    from retention.claims as claims
    inner join item_categories as categories
        on claims.record_type = categories.record_type and claims.row_id = categories.row_id
        and claims.data_category = categories.data_category and categories.action = 'restrict'
    left join policy.purposes as purposes on purposes.purpose = claims.purpose
    where claims.is_active
    group by all
),
entries as (
    select record_type, row_id, action, purpose, max(keep_until) as ended_on,
        'eu-gdpr:JustificationA17NonNecessity' as reason
    from ended
    group by all
    union all
    select distinct categories.record_type, categories.row_id, categories.action, null, cast(null as date),
        case
            when categories.action <> 'restrict' then 'eu-gdpr:A5-1-e'
            when coalesce(active.in_use, true) then 'eu-gdpr:A18'
            else 'eu-gdpr:A5-1-b'
        end
    from item_categories as categories
    left join active
        on active.record_type = categories.record_type and active.row_id = categories.row_id
        and active.data_category = categories.data_category
    where not exists (
        select 1 from ended
        where ended.record_type = categories.record_type and ended.row_id = categories.row_id
            and ended.action = categories.action and ended.data_category = categories.data_category
    )
)
select record_type, row_id, action,
    '[' || string_agg(
        cast(json_object('purpose', purpose, 'ended_on', cast(ended_on as varchar), 'reason', reason) as varchar),
        ',' order by purpose nulls last, reason
    ) || ']' as because
from entries
group by all
"""

_KEEPERS = """
with keeping as (
    select distinct record_type, row_id from manifest.changed_fields where action <> 'erase'
),
kept as (
    select held.record_type, held.row_id, claims.purpose, claims.keep_until,
        list(held.field order by held.position) as fields, min(held.position) as position
    from keeping
    inner join manifest.held_fields as held
        on held.record_type = keeping.record_type and held.row_id = keeping.row_id
    inner join retention.dispositions as dispositions
        on dispositions.record_type = held.record_type and dispositions.row_id = held.row_id
        and dispositions.data_category = held.data_category and dispositions.disposition in ('retain', 'restrict')
    inner join retention.claims as claims
        on claims.record_type = held.record_type and claims.row_id = held.row_id
        and claims.data_category = held.data_category and claims.is_active
    group by held.record_type, held.row_id, claims.purpose, claims.keep_until
)
select record_type, row_id,
    '[' || string_agg(
        cast(json_object('fields', fields, 'purpose', purpose, 'until', cast(keep_until as varchar)) as varchar),
        ',' order by purpose, keep_until nulls last, position
    ) || ']' as kept
from kept
group by all
"""

_PROPOSED = """
with own as (
    select source, record_type, row_id, record_key, action, list(field order by position) as fields
    from manifest.changed_fields
    group by all
),
noticed as (
    select partner_id, record_type, record_key, field, min(position) as position
    from manifest.notice_fields
    group by all
),
notices as (
    select partner_id, record_type, record_key, list(field order by position, field) as fields
    from noticed
    group by all
),
causes as (
    select partner_id, record_type, record_key, cause, max(ended_on) as ended_on
    from manifest.notice_fields
    group by all
),
notice_reasons as (
    select partner_id, record_type, record_key,
        '[' || string_agg(
            cast(json_object(
                'purpose', null, 'ended_on', cast(ended_on as varchar),
                'reason', case when cause = 'disclosure' then 'eu-gdpr:A19' else 'eu-gdpr:A5-1-e' end
            ) as varchar),
            ',' order by cause
        ) || ']' as because
    from causes
    group by all
)
select own.source as system, own.record_type, own.record_key, own.row_id, own.action,
    case when own.action = 'erase' then cast([] as varchar[]) else own.fields end as fields,
    cast(coalesce(reasons.because, '[]') as json) as because,
    cast(case when own.action = 'erase' then '[]' else coalesce(keepers.kept, '[]') end as json) as kept
from own
left join manifest.reasons as reasons
    on reasons.record_type = own.record_type and reasons.row_id = own.row_id and reasons.action = own.action
left join manifest.keepers as keepers
    on keepers.record_type = own.record_type and keepers.row_id = own.row_id
union all
select 'partner:' || notices.partner_id, notices.record_type, notices.record_key, null, 'notify', notices.fields,
    cast(notice_reasons.because as json), cast('[]' as json)
from notices
inner join notice_reasons
    on notice_reasons.partner_id = notices.partner_id and notice_reasons.record_type = notices.record_type
    and notice_reasons.record_key = notices.record_key
"""
