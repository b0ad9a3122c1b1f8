"""The sealing gate: the last look at what is about to leave, and it trusts none of what made the proposal.

Rules are the SELECT files of `sql/manifests/gate/`: each gives the rows that break it. What a rule cannot read it
refuses. Sealing runs this itself, every time; a check that a run of Dagster made earlier opens no gate.

Where the memory does not hold all records at once, they are looked at by ranges of `row_id`, and what each range has to
say is added up. A record stands in one range in everything that is read about it.

A source whose delivery is blocked holds back every system whose records it could decide about: all of them, because
people, words, holds and orders are read across the sources. Only web events decide about nothing but themselves, so a
source of web events alone holds back itself and the partners that are told about its records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from assets.manifests import fields
from assets.manifests.ranges import Range, ranges
from assets.models import SQL, Model
from assets.warehouse import Warehouse, WarehouseError, literal
from expectations.parts import at_once

GATE = SQL / "manifests" / "gate"
#: The claims as numbers: the gate makes this view itself, from what the purposes say.
CLAIMS = Model(schema="manifest", path=SQL / "manifests" / "claim_bits.sql")
BLOCKED = "blocked_delivery"
UNREADABLE = "unreadable"
OTHER_DAY = "proposal_of_another_day"

#: Record types that no rule reads when it decides about another record.
DECIDES_ABOUT_ITSELF = frozenset({"web_event"})

#: Which fields the records in question hold. All else that the gate looks at are temporary tables.
HELD = "manifest.gate_held"

#: What the gate makes anew every time: nothing that has to be kept.
WORKING_TABLES = (HELD,)

#: The bytes of the memory limit that a record is counted with: what the largest statement holds of it, and what DuckDB
#: takes and does not count.
BYTES_EACH = 384

#: What has a row per record, category or item: read by ranges where there is more than one.
_OF_RECORDS = frozenset({
    "retention.dispositions", "retention.records", "manifest.claim_bits", "manifest.proposed", "manifest.changed_items",
    HELD,
})  # fmt: skip

#: The temporary tables of a range.
_OF_A_RANGE = (
    "gate_named", "gate_doubted", "gate_decisions", "gate_uncovered", "gate_looked_up", "gate_claims", "gate_items",
)  # fmt: skip

#: What the gate of an earlier version left in the warehouse's file.
_FORMER_TABLES = tuple(f"manifest.gate_{name}" for name in ("decisions", "erasable", "items", "claims"))


@dataclass(frozen=True)
class Refusal:
    """A rule that does not hold, for one system or (system None) for all, with how often and one example's key."""

    rule: str
    system: str | None
    count: int
    example: str | None

    @property
    def withholds_system_only(self) -> bool:
        """Whether other systems may go on: so with a blocked delivery. A broken rule casts doubt on all."""
        return self.rule == BLOCKED and self.system is not None

    def __str__(self) -> str:
        """As a person reads it."""
        whom = "every system" if self.system is None else self.system
        example = f", for example {self.example}" if self.example is not None else ""
        return f"{self.rule.replace('_', ' ')}: {self.count} ({whom}{example})"


def refusals(warehouse: Warehouse) -> list[Refusal]:
    """What stands against sealing `manifest.proposed`; empty when sealing may go on.

    Fails closed: a table that is missing or cannot be read is a refusal for every system.
    """
    try:
        day = warehouse.value("select as_of from retention.evaluation")
        proposed_for = warehouse.value("select as_of from manifest.proposal")
        if day is None or day != proposed_for:
            return [Refusal(OTHER_DAY, None, 1, None)]
        return _added_up(warehouse.sparing(lambda: _broken_rules(warehouse, day))) + _blocked(warehouse)
    except WarehouseError as error:
        return [Refusal(UNREADABLE, None, 1, str(error))]


def _broken_rules(warehouse: Warehouse, day: date) -> list[Refusal]:
    """What each rule has to say, once or for each range."""
    fields.number_fields(warehouse)
    for table in _FORMER_TABLES:
        warehouse.run(f"drop table if exists {table}")
    CLAIMS.build(warehouse, {})
    found: list[Refusal] = []
    words = _words(warehouse)
    for those in _ranges(warehouse):
        _look_again(warehouse, day, words, those)
        found += [
            refusal for path in sorted(GATE.glob("*.sql")) for refusal in _broken(warehouse, path.stem, day, those)
        ]
        if not those.is_all:
            for table in _OF_A_RANGE:
                warehouse.run(f"drop table {table}")
    return found


def _ranges(warehouse: Warehouse) -> list[Range]:
    """As few ranges of records as the memory allows; one where a record's key stands in the proposal at two numbers.

    What a system is told twice is seen where all of it is in one range.
    """
    highest = warehouse.rows("select coalesce(max(row_id), 0) from retention.dispositions group by record_type")
    last = [number for (number,) in highest]
    found = ranges(last, at_once(sum(last), BYTES_EACH, warehouse.value))
    return [Range()] if len(found) > 1 and _is_scattered(warehouse) else found


def _is_scattered(warehouse: Warehouse) -> bool:
    """Whether a system is told about one record at two numbers; two records may be taken for one, never one for two."""
    for (record_type,) in warehouse.rows("select distinct record_type from manifest.proposed"):
        of_type = "record_type is null" if record_type is None else f"record_type = {literal(record_type)}"
        if warehouse.value(
            f"""
            select count(*) from (
                select hash(system, record_key) as number
                from manifest.proposed
                where {of_type}
                group by number
                having min(coalesce(row_id, -1)) <> max(coalesce(row_id, -1))
            )
            """
        ):
            return True
    return False


def _holds(those: Range) -> str:
    """The condition of a range; what has no number is in the first."""
    return f"({those.holds()} or row_id is null)" if those.is_first and not those.is_all else those.holds()


def _read(tables: Iterable[str], those: Range) -> dict[str, str]:
    """For each table that has a row per record, category or item: the rows of it that are in the range, as a SELECT."""
    return {table: f"select * from {table} where {_holds(those)}" for table in tables if table in _OF_RECORDS}


def _look_again(warehouse: Warehouse, day: date, words: Mapping[str, str], those: Range) -> None:
    """Read what was decided and what the records hold, once more and from where it stands: numbers, a bit per field.

    Decisions are read whole, as sets of records. What follows is about the records of the proposal, and about those of
    which something is to go that neither an item nor an earlier order covers: on most nights few.
    """
    for statement in (_NAMED, _DOUBTED, _DECISIONS, _UNCOVERED, _LOOKED_UP):
        warehouse.run(_of(statement, words, those))
    fields.find_held(warehouse, "gate_looked_up", HELD, those)
    warehouse.run(_of(_CLAIMS, words, those), {"as_of": day})
    warehouse.run(_of(_ITEMS, words, those))


def _of(statement: str, words: Mapping[str, str], those: Range) -> str:
    """A statement about the records of a range; tables stand in it as `$schema.table`."""
    for name, kind in words.items():
        statement = statement.replace(name, kind)
    for table in _OF_RECORDS:
        rows = table if those.is_all else f"(select * from {table} where {_holds(those)})"
        statement = statement.replace(f"${table}", rows)
    return statement


def _words(warehouse: Warehouse) -> dict[str, str]:
    """The types of the record types of what was decided and of what is claimed: what is compared becomes one first.

    The other way round, every one of millions of words becomes a text.
    """
    described = warehouse.rows(
        "describe select decided.record_type as decided, claimed.record_type as claimed "
        f"from retention.dispositions as decided cross join {CLAIMS.table} as claimed"
    )
    return {f"${name}": str(kind) for name, kind, *_ in described}


#: The fields that each item names; an `erase` names none, for it is about all of them. Names that no contract knows,
#: and names that an item repeats, are counted.
_NAMED = """
create or replace temp table gate_named as
with listed as (
    select record_type, fields, unnest(fields) as field
    from (select distinct record_type, fields from $manifest.proposed as items where action <> 'erase')
),
named as (
    select listed.record_type, listed.fields, coalesce(bit_or(bits.bit), 0) as named,
        count(*) - count(bits.bit) as unknown, count(*) - count(distinct listed.field) as repeated
    from listed
    left join manifest.field_bits as bits on bits.record_type = listed.record_type and bits.field = listed.field
    group by listed.record_type, listed.fields
)
select proposed.system, proposed.record_type, proposed.row_id, proposed.record_key, proposed.action,
    coalesce(named.named, 0) as named, coalesce(named.unknown, 0) as unknown, coalesce(named.repeated, 0) as repeated
from $manifest.proposed as proposed
left join named on named.record_type = proposed.record_type and named.fields = proposed.fields
where proposed.action <> 'erase'
union all
select proposed.system, proposed.record_type, proposed.row_id, proposed.record_key, proposed.action, 0, 0, 0
from $manifest.proposed as proposed
where proposed.action = 'erase'
"""

#: Sets of the records that the rules are asked about: those of the items, and those with a category to be erased that
#: no order that stands has named whole (more than something is missing of, never fewer). Thirty-two surrogates are the
#: bits of one number.
_DOUBTED = """
create or replace temp table gate_doubted as
with erased as (
    select dispositions.record_type, dispositions.data_category, dispositions.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (dispositions.row_id & 31)) as records
    from $retention.dispositions as dispositions
    where dispositions.disposition = 'erase'
    group by dispositions.record_type, dispositions.data_category, dispositions.row_id >> 5
),
ordered as (
    select try_cast(records.record_type as $decided) as record_type, told.named, records.row_id >> 5 as part,
        bit_or(cast(1 as bigint) << (records.row_id & 31)) as records
    from manifest.ordered_records as told
    inner join $retention.records as records
        on records.record_type = told.record_type and records.record_key = told.record_key
    group by all
),
covered as (
    select ordered.record_type, categories.data_category, ordered.part, bit_or(ordered.records) as records
    from ordered
    inner join manifest.category_bits as categories
        on categories.record_type = ordered.record_type and (ordered.named & categories.bits) = categories.bits
    group by ordered.record_type, categories.data_category, ordered.part
),
parts as (
    select erased.record_type, erased.part, erased.records & ~coalesce(covered.records, 0) as records
    from erased
    left join covered
        on covered.record_type = erased.record_type and covered.data_category = erased.data_category
        and covered.part = erased.part
    union all
    select try_cast(record_type as $decided), row_id >> 5, cast(1 as bigint) << (row_id & 31)
    from gate_named
)
select record_type, part, bit_or(records) as records
from parts
group by record_type, part
having bit_or(records) <> 0
"""

#: Which fields of those are to be erased; is_whole: all of them are.
_DECISIONS = """
create or replace temp table gate_decisions as
select dispositions.record_type, dispositions.row_id,
    bit_or(case when dispositions.disposition = 'erase' then categories.bits else 0 end) as due,
    bool_and(dispositions.disposition = 'erase') as is_whole
from $retention.dispositions as dispositions
left join manifest.category_bits as categories
    on categories.record_type = dispositions.record_type and categories.data_category = dispositions.data_category
inner join gate_doubted as doubted
    on doubted.record_type = dispositions.record_type and doubted.part = dispositions.row_id >> 5
    and (doubted.records & (cast(1 as bigint) << (dispositions.row_id & 31))) <> 0
group by dispositions.record_type, dispositions.row_id
"""

#: Records of which a field is to go that no item names and no order that stands has named, or that several items erase
#: or redact. Whether they hold a value there is looked up next. An `erase` covers whatever the record holds.
_UNCOVERED = """
create or replace temp table gate_uncovered as
with proposals as (
    select try_cast(record_type as $decided) as record_type, row_id, bit_or(named) as named,
        bool_or(action = 'erase') as is_whole, count(*) as items
    from gate_named
    where action in ('erase', 'redact')
    group by all
),
due as (
    select decisions.record_type, decisions.row_id, decisions.due, coalesce(proposals.items, 0) > 1 as is_repeated,
        case
            when proposals.is_whole then 0 else decisions.due - (decisions.due & coalesce(proposals.named, 0))
        end as missing
    from gate_decisions as decisions
    left join proposals
        on proposals.record_type = decisions.record_type and proposals.row_id = decisions.row_id
    where decisions.due <> 0
),
doubted as materialized (
    select due.record_type, due.row_id, due.due, due.missing, due.is_repeated,
        records.source, records.record_type as told_type, records.record_key
    from due
    inner join $retention.records as records
        on try_cast(records.record_type as $decided) = due.record_type and records.row_id = due.row_id
    where due.missing <> 0 or due.is_repeated
),
ordered as (
    select doubted.record_type, doubted.row_id, bit_or(told.named) as named
    from doubted
    inner join manifest.ordered_records as told
        on told.record_type = doubted.told_type and told.record_key = doubted.record_key
    group by doubted.record_type, doubted.row_id
)
select doubted.source, doubted.told_type as record_type, doubted.row_id, doubted.record_key, doubted.due,
    coalesce(ordered.named, 0) as ordered
from doubted
left join ordered on ordered.record_type = doubted.record_type and ordered.row_id = doubted.row_id
where doubted.is_repeated or (doubted.missing & coalesce(ordered.named, 0)) <> doubted.missing
"""

_LOOKED_UP = """
create or replace temp table gate_looked_up as
select record_type, row_id from gate_uncovered
union all
select record_type, row_id from gate_named where action = 'erase'
"""

#: What the claims on the records say of which anything is to go.
_CLAIMS = """
create or replace temp table gate_claims as
with going as (
    select distinct try_cast(record_type as $claimed) as record_type, row_id
    from gate_named
    where action in ('erase', 'redact')
)
select claims.record_type, claims.row_id,
    bit_or(claims.bits) as claimed,
    bit_or(case when claims.is_active then claims.bits else 0 end) as active,
    bit_or(case when claims.keep_until < $as_of then claims.bits else 0 end) as ended,
    bit_or(case when claims.missing is not null then claims.bits else 0 end) as doubtful
from $manifest.claim_bits as claims
inner join going on going.record_type = claims.record_type and going.row_id = claims.row_id
group by claims.record_type, claims.row_id
"""

#: Each item with the fields that it is about (every one of the record that holds a value, for an `erase`), and with
#: what was decided and claimed on its record. is_whole is null where nothing was decided.
_ITEMS = """
create or replace temp table gate_items as
select items.system, items.record_type, items.row_id, items.record_key, items.action, items.unknown, items.repeated,
    case when items.action = 'erase' then coalesce(held.held, 0) else items.named end as named,
    coalesce(decisions.due, 0) as due, decisions.is_whole,
    coalesce(claims.claimed, 0) as claimed, coalesce(claims.active, 0) as active, coalesce(claims.ended, 0) as ended,
    coalesce(claims.doubtful, 0) as doubtful
from gate_named as items
left join $manifest.gate_held as held on held.record_type = items.record_type and held.row_id = items.row_id
left join gate_decisions as decisions
    on decisions.record_type = try_cast(items.record_type as $decided) and decisions.row_id = items.row_id
left join gate_claims as claims
    on claims.record_type = try_cast(items.record_type as $claimed) and claims.row_id = items.row_id
"""


def _broken(warehouse: Warehouse, rule: str, day: object, those: Range) -> list[Refusal]:
    model = Model(schema="gate", path=GATE / f"{rule}.sql")
    statement = model.statement if those.is_all else model.over(_read(model.references, those))
    params = {"as_of": day} if "as_of" in model.parameters else None
    rows = warehouse.rows(
        f"select system, count(*), min(record_key) from ({statement}) as bad group by system order by system", params
    )
    return [Refusal(rule, system, count, example) for system, count, example in rows]


def _added_up(found: Iterable[Refusal]) -> list[Refusal]:
    """What the ranges say, as one: in the order of the rules and systems, with the example that comes first."""
    together: dict[tuple[str, str | None], Refusal] = {}
    for each in found:
        other = together.get((each.rule, each.system), Refusal(each.rule, each.system, 0, None))
        examples = [example for example in (other.example, each.example) if example is not None]
        together[each.rule, each.system] = Refusal(
            each.rule, each.system, other.count + each.count, min(examples, default=None)
        )
    return sorted(together.values(), key=lambda refusal: (refusal.rule, refusal.system is None, refusal.system or ""))


def _blocked(warehouse: Warehouse) -> list[Refusal]:
    """One refusal per system with news that depends on a source whose delivery is blocked."""
    news = warehouse.rows(
        "select proposed.system, list_sort(list(distinct coalesce(records.source, proposed.system))) "
        "from manifest.proposed as proposed left join policy.records as records "
        "on records.record_type = proposed.record_type group by proposed.system order by proposed.system"
    )
    held = held_by_blocks(warehouse, dict(news))
    return [Refusal(BLOCKED, system, len(blocks), blocks[0]) for system, blocks in held.items()]


def held_by_blocks(warehouse: Warehouse, sources: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The systems that are held back by a delivery that is blocked, each with what is blocked: `source/table: reason`.

    Args:
        warehouse: with `intake.blocks` as of the day.
        sources: of each system in question the sources whose records its items are about.
    """
    blocks = warehouse.rows("select source, table_name, reason from intake.blocks order by all")
    if not blocks:
        return {}
    by_themselves = _sources_that_decide_about_themselves(warehouse)
    held = {
        system: [f"{source}/{table_name}: {reason}" for source, table_name, reason in blocks
                 if source not in by_themselves or source in about]
        for system, about in sources.items()
    }  # fmt: skip
    return {system: found for system, found in held.items() if found}


def _sources_that_decide_about_themselves(warehouse: Warehouse) -> set[str]:
    record_types: dict[str, set[str]] = {}
    for source, record_type in warehouse.rows("select source, record_type from policy.records"):
        record_types.setdefault(source, set()).add(record_type)
    return {source for source, types in record_types.items() if types <= DECIDES_ABOUT_ITSELF}
