"""The sealing gate: the last look at what is about to leave, and it trusts none of what made the proposal.

Rules are the SELECT files of `sql/manifests/gate/`: each gives the rows that break it. What a rule cannot read it
refuses. Sealing runs this itself, every time; a check that a run of Dagster made earlier opens no gate.

A source whose delivery is blocked holds back every system whose records it could decide about: all of them, because
people, words, holds and orders are read across the sources. Only web events decide about nothing but themselves, so a
source of web events alone holds back itself and the partners that are told about its records.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from assets.manifests import fields
from assets.models import SQL, Model
from assets.warehouse import Warehouse, WarehouseError

GATE = SQL / "manifests" / "gate"
BLOCKED = "blocked_delivery"
UNREADABLE = "unreadable"
OTHER_DAY = "proposal_of_another_day"

#: Record types that no rule reads when it decides about another record.
DECIDES_ABOUT_ITSELF = frozenset({"web_event"})

#: What the gate looks at and makes anew every time: nothing that has to be kept.
WORKING_TABLES = tuple(f"manifest.gate_{name}" for name in ("decisions", "erasable", "held", "items", "claims"))


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
        _look_again(warehouse, day)
        broken = [refusal for path in sorted(GATE.glob("*.sql")) for refusal in _broken(warehouse, path.stem, day)]
        return broken + _blocked(warehouse)
    except WarehouseError as error:
        return [Refusal(UNREADABLE, None, 1, str(error))]


def _look_again(warehouse: Warehouse, day: date) -> None:
    """Read what was decided and what the records hold, once more and from where it stands: numbers, a bit per field."""
    fields.number_fields(warehouse)
    warehouse.run(f"create or replace table manifest.gate_decisions as {_DECISIONS}")
    warehouse.run(
        "create or replace table manifest.gate_erasable as "
        "select record_type, row_id from manifest.gate_decisions where due <> 0 "
        "union all select record_type, row_id from manifest.proposed where action = 'erase'"
    )
    fields.find_held(warehouse, "manifest.gate_erasable", "manifest.gate_held")
    warehouse.run(f"create or replace table manifest.gate_items as {_ITEMS}")
    warehouse.run(f"create or replace table manifest.gate_claims as {_CLAIMS}", {"as_of": day})


#: Which fields are to be erased; is_whole: all of them are.
_DECISIONS = """
select dispositions.record_type, dispositions.row_id,
    bit_or(case when dispositions.disposition = 'erase' then categories.bits else 0 end) as due,
    bool_and(dispositions.disposition = 'erase') as is_whole
from retention.dispositions as dispositions
left join manifest.category_bits as categories
    on categories.record_type = dispositions.record_type and categories.data_category = dispositions.data_category
group by dispositions.record_type, dispositions.row_id
"""

#: What each item is about: the fields it names, every one of the record for an `erase`. Names that no contract knows,
#: and names that an item repeats, are counted.
_ITEMS = """
with listed as (
    select record_type, fields, unnest(fields) as field
    from (select distinct record_type, fields from manifest.proposed where action <> 'erase')
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
from manifest.proposed as proposed
left join named on named.record_type = proposed.record_type and named.fields = proposed.fields
where proposed.action <> 'erase'
union all
select proposed.system, proposed.record_type, proposed.row_id, proposed.record_key, proposed.action,
    coalesce(held.held, 0), 0, 0
from manifest.proposed as proposed
left join manifest.gate_held as held
    on held.record_type = proposed.record_type and held.row_id = proposed.row_id
where proposed.action = 'erase'
"""

#: What the claims on the records say of which anything is to go.
_CLAIMS = """
with going as (
    select distinct record_type, row_id from manifest.gate_items where action in ('erase', 'redact')
)
select claims.record_type, claims.row_id,
    bit_or(categories.bits) as claimed,
    bit_or(case when claims.is_active then categories.bits else 0 end) as active,
    bit_or(case when claims.keep_until < $as_of then categories.bits else 0 end) as ended,
    bit_or(case when claims.missing is not null then categories.bits else 0 end) as doubtful
from retention.claims as claims
inner join going on going.record_type = claims.record_type and going.row_id = claims.row_id
inner join manifest.category_bits as categories
    on categories.record_type = claims.record_type and categories.data_category = claims.data_category
group by claims.record_type, claims.row_id
"""


def _broken(warehouse: Warehouse, rule: str, day: object) -> list[Refusal]:
    model = Model(schema="gate", path=GATE / f"{rule}.sql")
    params = {"as_of": day} if "as_of" in model.parameters else None
    rows = warehouse.rows(
        f"select system, count(*), min(record_key) from ({model.statement}) as bad group by system order by system",
        params,
    )
    return [Refusal(rule, system, count, example) for system, count, example in rows]


def _blocked(warehouse: Warehouse) -> list[Refusal]:
    """One refusal per system with news that depends on a source whose delivery is blocked."""
    blocks = warehouse.rows("select source, table_name, reason from intake.blocks order by all")
    news = warehouse.rows(
        "select proposed.system, list_sort(list(distinct coalesce(records.source, proposed.system))) "
        "from manifest.proposed as proposed left join policy.records as records "
        "on records.record_type = proposed.record_type group by proposed.system order by proposed.system"
    )
    by_themselves = _sources_that_decide_about_themselves(warehouse)
    found = []
    for system, sources in news:
        holding = [block for block in blocks if block[0] not in by_themselves or block[0] in sources]
        if holding:
            source, table_name, reason = holding[0]
            found.append(Refusal(BLOCKED, system, len(holding), f"{source}/{table_name}: {reason}"))
    return found


def _sources_that_decide_about_themselves(warehouse: Warehouse) -> set[str]:
    record_types: dict[str, set[str]] = {}
    for source, record_type in warehouse.rows("select source, record_type from policy.records"):
        record_types.setdefault(source, set()).add(record_type)
    return {source for source, types in record_types.items() if types <= DECIDES_ABOUT_ITSELF}
