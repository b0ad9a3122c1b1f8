"""Why an item is told and what its record keeps, as the JSON of `because` and `kept`. Decides nothing.

Reasons that an item gives (`because`), as DPV and its GDPR extension name them:

- a purpose that covered the item's fields and has ended: the purpose, its last day, and
  `eu-gdpr:JustificationA17NonNecessity` (Art 17(1)(a): no longer necessary for the purpose);
- fields that no purpose ever covered: no purpose, no day, `eu-gdpr:A5-1-e` (storage limitation);
- a restriction without an ended use: `eu-gdpr:A18` where the person's right stands (a use goes on, or nothing else
  keeps the fields), else `eu-gdpr:A5-1-b` (purpose limitation: a duty alone keeps them);
- a partner's copy: `eu-gdpr:A19` (recipients are told), or `eu-gdpr:A5-1-e` with the last day of a direct delivery.

Made so that a million items cost little memory: per item one row with a day for each purpose that the record's type
knows (a slot), from which the text is put together last; what is kept, where few texts differ, is written once each and
looked up.
"""

from __future__ import annotations

from datetime import date

from assets.manifests.ranges import Range
from assets.warehouse import Warehouse

#: The tables that say what a range's records keep.
_HELD = ("held_records", "changed_records")


def prepare(warehouse: Warehouse) -> range:
    """Make what is looked up for every item, and number the slots that a record type has at most."""
    words = _words_of_claims(warehouse)
    warehouse.run(_PURPOSES)
    warehouse.run(_comparing(words, _SLOTS))
    slots = _numbers(warehouse, "claim_slots", "slot")
    starts = "".join(f", max(case when slot = {slot} then start end) as start_{slot}" for slot in slots)
    warehouse.run(_STARTS.replace("$starts", starts))
    return slots


def find(warehouse: Warehouse, as_of: date, slots: range, those: Range) -> None:
    """Make what `because` and `kept` are looked up from, for a range's items of `manifest.changed_items`."""
    words = _words_of_claims(warehouse)
    within = {f"${name}": those.of(f"manifest.{name}") for name in ("claim_bits", "changed_items", *_HELD)}
    days = "".join(f", max(case when slot = {slot} then ended_on end) as ended_{slot}" for slot in slots)
    warehouse.run(_comparing(words | within, _ENDED.replace("$days", days)), {"as_of": as_of})
    warehouse.run(_comparing(words | within, _KEPT))
    warehouse.run(_KEPT_TEXTS)
    warehouse.run(_KEPT_ENTRIES)
    columns = "".join(f", max(case when nth = {nth} then entry end) as entry_{nth}" for nth in _entries(warehouse))
    warehouse.run(
        f"create or replace temp table kept_records as select record_type, row_id{columns} from kept_entries "
        "group by record_type, row_id"
    )


def discard(warehouse: Warehouse) -> None:
    """Let go of what `prepare` and `find` made."""
    for table in ("claim_purposes", "claim_slots", "claim_starts", "ended_purposes",
                  "kept", "kept_texts", "kept_entries", "kept_records"):  # fmt: skip
        warehouse.run(f"drop table if exists temp.{table}")


def because(slots: range) -> tuple[str, str]:
    """The text of `because` over a row of `items`, and the joins that it needs."""
    parts = [
        f"case when ended.ended_{slot} is not null "
        f"then starts.start_{slot} || cast(ended.ended_{slot} as varchar) || {_ENDED_REASON} end"
        for slot in slots
    ]
    text = f"concat('[', concat_ws(',', {', '.join([*parts, *_UNCOVERED])}), ']')"
    return text, (
        " left join ended_purposes as ended on ended.record_type = items.record_type "
        "and ended.row_id = items.row_id and ended.action = items.action "
        "left join claim_starts as starts on starts.record_type = items.record_type"
    )


def kept(warehouse: Warehouse) -> tuple[str, str]:
    """The text of `kept` over a row of `items`, and the joins that it needs; an erased record keeps nothing."""
    entries = [f"entry_{nth}" for nth in _entries(warehouse)]
    joins = "".join(f" left join kept_texts as {entry} on {entry}.entry = kept_records.{entry}" for entry in entries)
    texts = ", ".join(f"{entry}.text" for entry in entries)
    text = f"concat('[', concat_ws(',', {texts}), ']')" if entries else "'[]'"
    return text, (
        " left join kept_records on kept_records.record_type = items.record_type "
        f"and kept_records.row_id = items.row_id{joins}"
    )


def _words_of_claims(warehouse: Warehouse) -> dict[str, str]:
    """What the claims' words are there, by their place in a statement."""
    described = warehouse.rows("describe select record_type, purpose from manifest.claim_bits")
    return {place: kind for place, (_, kind, *_) in zip(("$record_type", "$purpose"), described, strict=True)}


def _comparing(words: dict[str, str], statement: str) -> str:
    """The statement, comparing words with those of the claims as what they are there: millions do not become text."""
    for place, kind in words.items():
        statement = statement.replace(place, kind)
    return statement


def _entries(warehouse: Warehouse) -> range:
    """The numbers of the entries of the record that keeps most."""
    return _numbers(warehouse, "kept_entries", "nth")


def _numbers(warehouse: Warehouse, table: str, column: str) -> range:
    return range(1, int(warehouse.value(f"select coalesce(max({column}), 0) from {table}")) + 1)


_ENDED_REASON = """'","reason":"eu-gdpr:JustificationA17NonNecessity"}'"""

#: Fields that no ended purpose covered, in the order of their codes. `ended` has no row where no claim ever mattered.
_WITHOUT = "(items.named - (items.named & coalesce(ended.ended, 0)))"
_DUTY_ALONE = "(coalesce(ended.on_duty, 0) - (coalesce(ended.on_duty, 0) & coalesce(ended.in_use, 0)))"
_UNCOVERED = tuple(
    f"""case when {condition} then '{{"purpose":null,"ended_on":null,"reason":"{reason}"}}' end"""
    for condition, reason in (
        (f"items.action = 'restrict' and ({_WITHOUT} & {_DUTY_ALONE}) <> {_WITHOUT}", "eu-gdpr:A18"),
        (f"items.action = 'restrict' and ({_WITHOUT} & {_DUTY_ALONE}) <> 0", "eu-gdpr:A5-1-b"),
        (f"items.action <> 'restrict' and {_WITHOUT} <> 0", "eu-gdpr:A5-1-e"),
    )
)

_ENDED = """
create or replace temp table ended_purposes as
with items as (
    select try_cast(record_type as $record_type) as record_type, row_id, action, named
    from ($changed_items) as changed
    where action <> 'lift'
),
matched as (
    select items.record_type, items.row_id, items.action, claims.bits, slots.slot, slots.class,
        claims.is_active, case when not claims.is_active then claims.keep_until end as ended_on
    from ($claim_bits) as claims
    inner join items
        on items.record_type = claims.record_type and items.row_id = claims.row_id
        and (claims.bits & items.named) <> 0
    inner join claim_slots as slots on slots.record_type = claims.record_type and slots.purpose = claims.purpose
    where case
        when claims.is_active then items.action = 'restrict'
        else claims.keep_until < $as_of and (items.action <> 'restrict' or slots.class = 'use')
    end
)
select record_type, row_id, action,
    bit_or(case when not is_active then bits else 0 end) as ended,
    bit_or(case when is_active and class = 'use' then bits else 0 end) as in_use,
    bit_or(case when is_active and class <> 'use' then bits else 0 end) as on_duty
    $days
from matched
group by record_type, row_id, action
"""

_PURPOSES = """
create or replace temp table claim_purposes as
select cast(purpose as varchar) as purpose, class, row_number() over (order by cast(purpose as varchar)) as number,
    concat('{"purpose":', cast(to_json(cast(purpose as varchar)) as varchar), ',"ended_on":"') as start
from policy.purposes
"""

#: The purposes that cover anything of a record type, numbered in the order of their names: far fewer than all.
_SLOTS = """
create or replace temp table claim_slots as
select try_cast(covered.record_type as $record_type) as record_type, try_cast(purposes.purpose as $purpose) as purpose,
    purposes.class, purposes.number, purposes.start,
    row_number() over (partition by covered.record_type order by purposes.number) as slot
from (
    select distinct cast(record_type as varchar) as record_type, cast(purpose as varchar) as purpose
    from policy.coverage
) as covered
inner join claim_purposes as purposes on purposes.purpose = covered.purpose
"""

_STARTS = "create or replace temp table claim_starts as select record_type$starts from claim_slots group by record_type"

#: A field is kept as a whole category: what a claim covers of what is kept is what it keeps.
_KEPT = """
create or replace temp table kept as
with keeping as (
    select items.record_type, try_cast(items.record_type as $record_type) as kind, items.row_id,
        held.held & (changed.retain | changed.restrict) as kept
    from (select distinct record_type, row_id from ($changed_items) as changed where action <> 'erase') as items
    inner join ($held_records) as held
        on held.record_type = items.record_type and held.row_id = items.row_id
    inner join ($changed_records) as changed
        on changed.record_type = items.record_type and changed.row_id = items.row_id
)
select keeping.record_type, keeping.row_id, slots.number, claims.keep_until,
    bit_or(claims.bits & keeping.kept) as fields
from ($claim_bits) as claims
inner join keeping
    on keeping.kind = claims.record_type and keeping.row_id = claims.row_id and (claims.bits & keeping.kept) <> 0
inner join claim_slots as slots on slots.record_type = claims.record_type and slots.purpose = claims.purpose
where claims.is_active
group by keeping.record_type, keeping.row_id, slots.number, claims.keep_until
"""

#: Few entries differ: each is written once.
_KEPT_TEXTS = """
create or replace temp table kept_texts as
with differing as (
    select row_number() over (order by record_type, fields, number, keep_until) as entry, *
    from (select distinct record_type, fields, number, keep_until from kept)
),
named as (
    select differing.record_type, differing.fields, list(bits.field order by bits.position, bits.field) as names
    from (select distinct record_type, fields from differing) as differing
    inner join manifest.field_bits as bits
        on bits.record_type = differing.record_type and (bits.bit & differing.fields) <> 0
    group by all
)
select differing.*, cast(json_object(
    'fields', named.names, 'purpose', purposes.purpose, 'until', cast(differing.keep_until as varchar)
) as varchar) as text
from differing
inner join named on named.record_type = differing.record_type and named.fields = differing.fields
inner join claim_purposes as purposes on purposes.number = differing.number
"""

_KEPT_ENTRIES = """
create or replace temp table kept_entries as
select kept.record_type, kept.row_id, texts.entry,
    row_number() over (partition by kept.record_type, kept.row_id order by kept.number, kept.keep_until nulls last)
        as nth
from kept
inner join kept_texts as texts
    on texts.record_type = kept.record_type and texts.fields = kept.fields and texts.number = kept.number
    and texts.keep_until is not distinct from kept.keep_until
"""
