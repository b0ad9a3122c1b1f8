"""The policy as tables, the inbox, and `intake.*` and `raw.*`: what arrived and what was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    FreshnessPolicy,
    MaterializeResult,
    ResourceParam,
    TableColumn,
    TableSchema,
    multi_asset,
)

from assets.catalogue.assets import OWNERS, POOL, SCHEMA, clear_failures, key_of, table_spec, told_of
from assets.contracts.contract import Column, Contract
from assets.ingest.limits import Limits
from assets.ingest.loading import DeliveryOutcome, ingest
from assets.policy import Policy
from assets.site import Site
from assets.warehouse import Warehouse

POLICY_GROUP = "0_policy"
GROUP = "1_intake"
PERSONAL = {"personal-data": "yes"}

_POLICY = {
    "policy.about": "Which policy applies: name, version, digest, controller. One row.",
    "policy.purposes": "The purpose register (Art 30): class, legal basis, titles, law. Grain: a purpose.",
    "policy.particulars": "What Art 30(1) asks beside the purposes: contacts, recipients, security. Grain: one.",
    "policy.periods": "Retention periods in whole months and days. Grain: a clock of a purpose.",
    "policy.categories": "The data categories of each record type, numbered. Grain: a record type and a category.",
    "policy.coverage": "Which purpose covers which data category of which record. Grain: purpose, clock, category.",
    "policy.records": "Which export table holds which record, and under which key. Grain: a record type.",
    "policy.fields": "Every personal field of the contracts with its data category. Grain: a field.",
}
_INTAKE = {
    "intake.deliveries": "What arrived, whether it was loaded or rejected, and why. Grain: a delivery.",
    "intake.files": "Row accounting: rows in = loaded + quarantined + out of scope. Grain: a file of a delivery.",
    "intake.quarantined": "Rows that a rule kept out, with the rule. Grain: a row of a file. Private to the warehouse.",
    "raw.former_addresses": "Keyed hashes of addresses that a source corrected. Grain: a row and an address it had.",
    "intake.blocks": "What keeps manifests from being sealed: a table missing, stale, shrunk, emptied or rejected.",
}


def policy_assets() -> list[AssetsDefinition]:
    """The purpose register and the contracts, as tables that the evaluation joins."""
    specs = [
        table_spec(table, group=POLICY_GROUP, description=text, kinds=("yaml",)) for table, text in _POLICY.items()
    ]

    @multi_asset(name="policy", specs=specs, description="The policy folder as tables.", pool=POOL)
    def policy_tables(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy]
    ) -> Iterator[MaterializeResult[Any]]:
        from assets.policy_check import require_words_that_name_nobody

        with clear_failures():
            policy.require_periods()  # as the evaluation does: said before anything is taken in
            require_words_that_name_nobody(policy)
            policy.publish(warehouse)
        yield from told_of(warehouse, specs)

    return [policy_tables]


def inbox_assets(policy: Policy) -> list[AssetSpec]:
    """What the sources deliver, made outside this graph. One asset a source, made anew when a delivery is taken in."""
    sources = dict.fromkeys(contract.source for contract in policy.contracts.values())
    return [
        AssetSpec(
            ["inbox", source],
            group_name=GROUP,
            description=f"Deliveries of {source}: export files and a delivery.json with their control totals.",
            kinds={"file"},
            owners=OWNERS,
            tags={"source": source, **PERSONAL},
            freshness_policy=_fresh(
                contract.freshness_days for contract in policy.contracts.values() if contract.source == source
            ),
        )
        for source in sources
    ]


def intake_assets(policy: Policy) -> list[AssetsDefinition]:
    """Deliveries checked against their contracts and loaded: `intake.*` and one raw table an export table."""
    contracts = list(policy.contracts.values())
    inboxes = [f"inbox.{source}" for source in dict.fromkeys(contract.source for contract in contracts)]
    registers = [
        table_spec(
            table, group=GROUP, description=text, deps=[*inboxes, "policy.fields", "policy.records"],
            tags=PERSONAL if table == "intake.quarantined" else None,
        )
        for table, text in _INTAKE.items()
    ]  # fmt: skip
    specs = [*registers, *(_raw_spec(contract) for contract in contracts)]

    @multi_asset(name="intake", specs=specs, description="Takes in the deliveries that arrived.", pool=POOL)
    def intake(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy],
        site: ResourceParam[Site],
        as_of: ResourceParam[date], limits: ResourceParam[Limits], issued_at: ResourceParam[datetime],
    ) -> Iterator[MaterializeResult[Any]]:  # fmt: skip
        with clear_failures():
            report = ingest(warehouse, policy, site, as_of=as_of, limits=limits, now=issued_at)
        for delivery in report.loaded:
            AssetExecutionContext.get().log_event(_arrival(delivery))
        yield from told_of(warehouse, specs)

    return [intake]


def _arrival(delivery: DeliveryOutcome) -> AssetMaterialization:
    """A delivery that was taken in, as what its source made."""
    return AssetMaterialization(
        key_of(f"inbox.{delivery.source}"),
        metadata={
            "delivery": delivery.delivery_id,
            "files": len(delivery.files),
            "dagster/row_count": sum(file.loaded for file in delivery.files),
            "rows_quarantined": sum(file.quarantined for file in delivery.files),
        },
    )


def _fresh(days: Iterable[int | None]) -> FreshnessPolicy | None:
    """Something is made within the shortest of the contracts' periods: on the day after it, what is there is stale."""
    allowed = min((each for each in days if each is not None), default=None)
    return None if allowed is None else FreshnessPolicy.time_window(fail_window=timedelta(days=allowed + 1))


def _raw_spec(contract: Contract) -> AssetSpec:
    personal = any(column.category for column in contract.columns)
    what = f"Records of the type {contract.record_type}" if contract.record_type else "The office's own register"
    return table_spec(
        f"raw.{contract.raw_table}",
        group=GROUP,
        description=f"{what}, as {contract.name} delivers them: typed, keyed, otherwise as they came. Grain: a row.",
        deps=[f"inbox.{contract.source}", "policy.fields", "policy.records"],
        tags={"source": contract.source, **(PERSONAL if personal else {})},
        metadata={"contract": f"{contract.raw_table}.yaml", SCHEMA: _columns(contract)},
        freshness=_fresh([contract.freshness_days]),
    )


def _columns(contract: Contract) -> TableSchema:
    """The columns that a contract declares, described, the personal ones tagged with their data category."""
    return TableSchema(columns=[
        TableColumn(
            column.name, column.type, description=_described(contract, column),
            tags={"personal-data": column.category} if column.category else {},
        )
        for column in contract.columns
    ])  # fmt: skip


def _described(contract: Contract, column: Column) -> str | None:
    """What the contract says of a column: its meaning, that it is the key, the values that it may take."""
    said = [
        column.description,
        "Names a row." if column.name == contract.key else "",
        f"One of {', '.join(column.enum)}." if column.enum else "",
    ]
    return " ".join(each for each in said if each) or None
