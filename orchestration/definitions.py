"""The one place that knows every asset, check, job, schedule and sensor.

Loading it reads the register, the contracts and the heads of SQL files, and does no work: no warehouse is opened, and
neither pandas nor Great Expectations is imported. Tests override parts through `build_definitions`; nothing is patched.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import (
    AssetChecksDefinition,
    AssetsDefinition,
    AssetSpec,
    Definitions,
    definitions,
    in_process_executor,
)

from assets.assurance.assets import review_assets, review_checks, verification_checks
from assets.catalogue.assets import checks_of
from assets.catalogue.tracing import remembered
from assets.core.assets import core_assets
from assets.delivery.assets import delivery_assets, delivery_checks
from assets.erasure.assets import erasure_assets, erasure_checks
from assets.evidence.assets import evidence_assets
from assets.ingest.assets import inbox_assets, intake_assets, policy_assets
from assets.manifests.assets import LEDGER, manifest_assets, manifest_checks
from assets.policy import Policy
from assets.publication.assets import publication_assets
from assets.retention.assets import retention_assets
from assets.rights.assets import rights_assets, rights_checks
from expectations.specs import STOPS
from orchestration.jobs import jobs
from orchestration.opening import load_policy
from orchestration.resources import resources_of
from orchestration.schedules import schedules
from orchestration.sensors import sensors
from orchestration.settings import Settings, chosen_site


def build_definitions(
    *,
    site: Path | None = None,
    policy: Policy | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
) -> Definitions:
    """Fresh definitions for `site` (default: the one that the environment names, which need not exist yet).

    `policy` is that site's policy, where it has been read already.

    Raises:
        BadInput: the site's settings or policy cannot be used.
    """
    chosen = chosen_site(site)
    settings = Settings.load(chosen)
    with remembered(chosen.dagster):
        assets = all_assets(policy or load_policy(settings))
    return Definitions(
        assets=assets,
        asset_checks=all_checks(),
        jobs=jobs(),
        schedules=schedules(settings.time_zone, settings.automation.running),
        sensors=sensors(chosen, settings.automation.running),
        resources={**resources_of(chosen), **(resource_overrides or {})},
        executor=in_process_executor,
    )


def all_assets(policy: Policy) -> list[AssetsDefinition | AssetSpec]:
    """What exists, in the order in which the data walks."""
    before: list[AssetsDefinition | AssetSpec] = [
        *policy_assets(),
        *inbox_assets(policy),
        *intake_assets(policy),
        *core_assets(),
        *retention_assets(policy),
        *rights_assets(),
        *manifest_assets(),
        *delivery_assets(policy),
        *erasure_assets(after=LEDGER),
    ]
    made = {key for each in before if isinstance(each, AssetsDefinition) for key in each.keys}
    published = publication_assets(made)
    return [*before, *published, *evidence_assets(made), *review_assets()]


def all_checks() -> list[AssetChecksDefinition]:
    """What must be true: one step a stop, one check an expectation."""
    return [
        *(checks_of(stop) for stop in STOPS),
        *rights_checks(),
        *manifest_checks(),
        *delivery_checks(),
        *erasure_checks(),
        *review_checks(),
        *verification_checks(),
    ]


@definitions
def gallring() -> Definitions:
    """What `workspace.yaml` loads: the site of `GALLRING_SITE`, else `./site`."""
    return build_definitions()
