"""What every published column is made of, down to the contracts, and which of them could name somebody.

Reads SQL and contracts; opens no warehouse and no site. A column that could name somebody (`identifying_columns`) may
reach `analytics.duckdb` through a masking alone (`assets.catalogue.lineage`); `leaks` lists those that do not, and a
test keeps it empty. What cannot be traced counts as a leak: the tracer raises rather than guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from assets.catalogue.lineage import ANALYTICS, Lineage, LineageUnknown, Origin
from assets.catalogue.published import SMALLEST_GROUP, published_tables
from assets.contracts.contract import Column, Contract, Contracts
from assets.models import SQL, Model, Models
from assets.policy import Policy

#: Tables that Python writes, as the SELECT they amount to.
_WRITTEN = {
    "core.people": "select n.node_id, n.node_type, n.row_id, n.node_id as person_id from core.person_nodes as n",
}
#: Schemas whose tables hold the product's own words: the policy, accounts of files and manifests, verdicts.
_OWN_WORDS = frozenset({"policy", "intake", "manifest", "quality"})
#: Columns of tables that Python writes beside them: counts, codes, days and keys. Any other column counts as personal.
_PLAIN = {
    "publication.held_parts": frozenset({"category_id", "part", "records"}),
    "publication.standings": frozenset({"as_of", "source", "disposition", "categories", "with_value"}),
    "rights.free_text": frozenset({"source", "record_type", "record_key", "field", "kind", "hits"}),
    "erasure.copies": frozenset({"kind", "purpose", "copies", "bytes", "first_last_day"}),
    "office.holds": frozenset({"hold_id", "review_on"}),
    "office.requests": frozenset({"identity_asked_at"}),
}
#: What is personal in them all the same.
_PERSONAL = frozenset({
    ("intake.quarantined", "row_text"), ("intake.quarantined", "record_key"), ("intake.quarantined", "refers_to"),
    ("manifest.events", "by_whom"), ("manifest.events", "detail"),
})  # fmt: skip
#: What masks a word of a claim: it is one record's, whatever its SELECT says of groups; a year can be made of digits.
_MASKS_A_WORD = frozenset({"pseudonym", "count", "condition", "closed values"})
_CLAIM_COLUMNS = ("record_type", "row_id", "clock", "starts_on", "ends_on", "ended_by", "missing")


@dataclass(frozen=True, order=True)
class Leak:
    """A published column that carries a column which could name somebody, unmasked."""

    published: str
    column: str
    origin: Origin

    def __str__(self) -> str:
        """What leaks from where."""
        return f"{self.published}.{self.column} carries {self.origin.table}.{self.origin.column} unmasked"


@dataclass(frozen=True)
class PublishedLineage:
    """The lineage of every published column under one policy."""

    policy: Policy
    overrides: Mapping[str, str]

    @cached_property
    def lineage(self) -> Lineage:
        """Through every SELECT of the product."""
        return Lineage({**_statements(self.policy), **self.overrides}, SMALLEST_GROUP)

    def columns(self) -> dict[str, dict[str, frozenset[Origin]]]:
        """Published table (`analytics.…`) to column to what it is made of."""
        lineage = self.lineage
        tables = [f"{ANALYTICS}.{table.name}" for table in published_tables()]
        return {table: {name: lineage.origins(table, name) for name in lineage.columns(table)} for table in tables}

    def leaks(self) -> list[Leak]:
        """The published columns that carry what could name somebody."""
        return sorted(
            Leak(table, column, origin)
            for table, columns in self.columns().items()
            for column, origins in columns.items()
            for origin in origins
            if not origin.masking and self._is_identifying(origin)
        )

    def leaks_of(self, table: str, columns: Iterable[str]) -> list[Leak]:
        """The same of the words of a purpose's claims, which is a table on the way.

        Raises:
            LineageUnknown: a column cannot be traced.
        """
        return sorted(
            Leak(table, column, origin)
            for column in columns
            for origin in self.lineage.origins(table, column)
            if origin.masking not in _MASKS_A_WORD and self._is_identifying(origin)
        )

    def _is_identifying(self, origin: Origin) -> bool:
        schema, _, name = origin.table.partition(".")
        if schema == "raw":
            return origin.column in identifying_columns(self.policy.contracts, name)
        if schema in _OWN_WORDS:
            return (origin.table, origin.column) in _PERSONAL
        return origin.column not in _PLAIN.get(origin.table, ())


def column_lineage(policy: Policy, overrides: Mapping[str, str] | None = None) -> PublishedLineage:
    """Where the published columns come from under `policy`; `overrides` puts other SELECTs in the place of some."""
    return PublishedLineage(policy, overrides or {})


def identifying_columns(contracts: Contracts, raw_table: str) -> frozenset[str]:
    """The columns of a raw table whose value could name somebody by itself.

    Of a record: what its contract classifies, where it is text outside a closed list, or says who somebody is. Of the
    office's registers, which classify nothing: every text but keys and closed lists.

    Raises:
        LineageUnknown: no contract describes the table.
    """
    contract = next((each for each in contracts.values() if each.raw_table == raw_table), None)
    if contract is None:
        raise LineageUnknown(f"raw.{raw_table}: no contract describes it.")
    names = {column.name for column in contract.columns if _is_identifying(contract, column)}
    return frozenset(names | {f"known_{name}" for name in names})


def _is_identifying(contract: Contract, column: Column) -> bool:
    if column.category == "identity":
        return True
    if column.type != "text" or column.enum:
        return False
    if contract.record_type is None:
        return column.name != contract.key and not column.name.endswith(("_id", "_key"))
    return column.category is not None


def _statements(policy: Policy) -> dict[str, str]:
    # a purpose as its file has it: summing claims to one row a clock compares their days, and lets none into a word
    purposes = [Model(model.schema, model.path) for model in policy.purpose_models]
    models = [*Models.of("core", "triggers", "retention").ordered, *purposes]
    models += [Model("manifest", path) for path in sorted((SQL / "delivery").glob("*.sql"))]
    statements = {model.table: model.statement for model in models}
    statements |= {f"{ANALYTICS}.{table.name}": table.model.statement for table in published_tables()}
    arms = (
        f"select '{model.name}' as purpose, {', '.join(f'c.{name}' for name in _CLAIM_COLUMNS)} from {model.table} as c"
        for model in policy.purpose_models
    )
    return statements | _WRITTEN | {"retention.purpose_claims": " union all ".join(arms)}
