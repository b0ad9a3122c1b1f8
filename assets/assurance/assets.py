"""Checks that what was sealed, logged and copied still stands, and the review of the register, as Dagster has them.

The checks read everything there is, so the nightly cycle leaves them out; the job `verify_everything` runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    asset_check,
)

from assets.assurance import verification
from assets.assurance.register_review import NAME, RegisterReview, page, register_due_on, review, write_review
from assets.assurance.verification import Looked
from assets.catalogue.assets import OWNERS, POOL, clear_failures, key_of
from assets.erasure.periods import Periods
from assets.manifests.signatures import Signer
from assets.policy import Policy
from assets.publication.assets import GROUP
from assets.site import Site
from assets.warehouse import Warehouse

REGISTER_REVIEW = "reports.register_review"
_SHOWN = 20

#: Check: the table that it is about, and what it claims.
CLAIMS = {
    "evaluated_anew_it_is_the_same": (
        "retention.dispositions",
        "Everything evaluated from scratch, as of the same day, comes to what the nights came to step by step.",
    ),
    "every_manifest_still_verifies": (
        "manifest.manifests",
        "Every sealed manifest stands in the outbox, whole, signed by this site, after the one before it.",
    ),
    "the_log_is_what_was_signed": ("evidence.entries", "No entry was changed, dropped, added or moved."),
    "no_copy_outlived_its_last_day": ("erasure.copies", "No file that can hold personal data is kept for too long."),
}
#: The nightly checks that the review shows anew.
REVIEWS = (
    AssetCheckKey(key_of("policy.purposes"), "register_reviewed_in_time"),
    AssetCheckKey(key_of("raw.office_holds"), "holds_reviewed_in_time"),
)
VERIFICATIONS = tuple(AssetCheckKey(key_of(table), name) for name, (table, _) in CLAIMS.items())
#: The one of them that reads no more than the copy register, and that every night shows.
NO_COPY_OUTLIVED = AssetCheckKey(key_of("erasure.copies"), "no_copy_outlived_its_last_day")


def verification_checks() -> list[AssetChecksDefinition]:
    """One check a claim. None blocks: what they look at is already done."""

    @_check("evaluated_anew_it_is_the_same")
    def evaluation(at: _Standing) -> Looked:
        return verification.evaluation(at.warehouse, at.policy)

    @_check("every_manifest_still_verifies")
    def manifests(at: _Standing) -> Looked:
        return verification.manifests(at.warehouse, at.site, at.signer.public)

    @_check("the_log_is_what_was_signed")
    def evidence(at: _Standing) -> Looked:
        return verification.evidence(at.site, at.signer.public)

    @_check("no_copy_outlived_its_last_day")
    def copies(at: _Standing) -> Looked:
        return verification.copies(at.warehouse, at.site, at.periods, at.as_of)

    return [evaluation, manifests, evidence, copies]


@dataclass(frozen=True)
class _Standing:
    """What there is to look at, on a day that has come."""

    warehouse: Warehouse
    policy: Policy
    site: Site
    signer: Signer
    periods: Periods
    as_of: date


_Look = Callable[[_Standing], Looked]


def _check(name: str) -> Callable[[_Look], AssetChecksDefinition]:
    """A check of one claim, red while what it looks at is not as it should be."""
    table, claim = CLAIMS[name]

    def made(look: _Look) -> AssetChecksDefinition:
        @asset_check(asset=key_of(table), name=name, description=claim, pool=POOL)
        def checked(
            warehouse: ResourceParam[Warehouse],
            policy: ResourceParam[Policy],
            site: ResourceParam[Site],
            signer: ResourceParam[Signer],
            keeping: ResourceParam[Periods],
            as_of: ResourceParam[date],
            issued_at: ResourceParam[datetime],
            time_zone: ResourceParam[ZoneInfo],
        ) -> AssetCheckResult:
            came = min(as_of, issued_at.astimezone(time_zone).date())
            with clear_failures():
                looked = look(_Standing(warehouse, policy, site, signer, keeping, came))
            metadata: dict[str, Any] = {"evaluated": looked.evaluated, "unexpected": len(looked.unexpected)}
            if looked.unexpected:
                metadata["which"] = list(looked.unexpected[:_SHOWN])
            return AssetCheckResult(passed=not looked.unexpected, severity=AssetCheckSeverity.ERROR, metadata=metadata)

        return checked

    return made


def review_assets() -> list[AssetsDefinition]:
    """The page for whoever reviews the register."""

    @asset(
        key=key_of(REGISTER_REVIEW),
        group_name=GROUP,
        description="What people decided and have to look at again: purposes, what keeps nothing, findings, holds. "
        f"A page, {NAME}, in the site's reports.",
        deps=[key_of(table) for table in (
            "policy.purposes", "policy.periods", "retention.claims", "retention.findings", "raw.office_holds",
            "manifest.unheard_disclosures",
        )],
        kinds={"markdown"},
        owners=OWNERS,
        pool=POOL,
    )  # fmt: skip
    def register_review(
        warehouse: ResourceParam[Warehouse], policy: ResourceParam[Policy], site: ResourceParam[Site],
        as_of: ResourceParam[date], review_period: ResourceParam[Any],
    ) -> MaterializeResult[Any]:  # fmt: skip
        with clear_failures():
            found = review(warehouse, policy, as_of, period=review_period)
            write_review(site, found)
        return MaterializeResult(metadata={**_counted(found), "page": MetadataValue.md(page(found))})

    return [register_review]


def review_checks() -> list[AssetChecksDefinition]:
    """The register itself has its day too."""

    @asset_check(
        asset=key_of("policy.purposes"),
        name="register_reviewed_in_time",
        description="The register's version begins with a day less than the review period ago (`[reviews]`).",
        pool=POOL,
    )
    def register_reviewed_in_time(
        policy: ResourceParam[Policy], as_of: ResourceParam[date], review_period: ResourceParam[Any]
    ) -> AssetCheckResult:
        due_on = register_due_on(policy.version, review_period)
        passed = due_on is not None and as_of < due_on
        metadata: dict[str, Any] = {
            "unexpected": 0 if passed else len(policy.register.purposes),
            "due_on": "the version begins with no day" if due_on is None else due_on.isoformat(),
        }
        return AssetCheckResult(passed=passed, severity=AssetCheckSeverity.WARN, metadata=metadata)

    return [register_reviewed_in_time]


def _counted(found: RegisterReview) -> dict[str, Any]:
    return {
        "as_of": found.as_of.isoformat(),
        "purposes_due_for_review": len(found.due_purposes),
        "purposes_that_keep_nothing": len(found.unused_purposes),
        "findings": sum(count for _, _, count in found.findings),
        "holds_to_review": len(found.holds),
    }
