"""What the steps of a run are given, bound to a site: its warehouse, policy, day of evaluation, signer.

One process opens the warehouse once, shares it between its steps and closes it at the end. The day is settled once a
run, from the run itself, so that every step and every retry sees the same. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import isodate
from dagster import ConfigurableResource, DagsterInstance, Failure, InitResourceContext, resource
from dagster._core.storage.tags import MAX_RETRIES_TAG
from pydantic import Field
from sqlalchemy.exc import DBAPIError

from assets.catalogue.assets import clear_failures
from assets.delivery.assets import Door
from assets.erasure.periods import Periods
from assets.errors import BadInput
from assets.ingest.limits import Limits
from assets.manifests.signatures import Signer
from assets.policy import Policy
from assets.purpose_register import months_and_days
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration.history import forget_runs
from orchestration.opening import load_policy, load_signer, open_warehouse, periods_of
from orchestration.settings import FIRST_DAY, LAST_DAY, Settings
from orchestration.transports import load_transports

#: The tag under which a run keeps its day of evaluation; a re-execution inherits it.
AS_OF_TAG = "gallring/as_of"

#: The tag under which a run says who launched it.
BY_TAG = "gallring/by"


class SiteResource(ConfigurableResource[Site]):
    """The site's folders."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Site:
        """The site that the definitions were built for."""
        return Site(Path(self.path))


class PolicyResource(ConfigurableResource[Policy]):
    """The policy that the site's settings name."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Policy:
        """The register, the purposes' SQL and the contracts."""
        site = Site(Path(self.path))
        with _mended_or_retried(context):
            return load_policy(Settings.load(site))


class SignerResource(ConfigurableResource[Signer]):
    """The site's signing key."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Signer:
        """The key that manifests are signed with."""
        site = Site(Path(self.path))
        with _mended_or_retried(context):
            return load_signer(site)


class WarehouseResource(ConfigurableResource[Warehouse]):
    """The one connection to the warehouse, open as long as the run's process needs it."""

    path: str

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[Warehouse]:
        """Open the warehouse for the steps of this process; close it when they are done."""
        site = Site(Path(self.path))
        with _mended_or_retried(context):
            warehouse = open_warehouse(site, Settings.load(site))
        try:
            yield warehouse
        finally:
            warehouse.close()

    def create_resource(self, context: InitResourceContext) -> Warehouse:
        """Not used: the warehouse has to be closed again."""
        raise NotImplementedError


class DayResource(ConfigurableResource[date]):
    """The day of evaluation."""

    path: str
    day: str = Field(default="", description="YYYY-MM-DD; empty: the day on which the run was created.")

    def create_resource(self, context: InitResourceContext) -> date:
        """The day that was given, else that of the run which this one repeats, else that of this run's creation."""
        run = _run(context)
        with _mended_or_retried(context):
            zone = Settings.load(Site(Path(self.path))).zone
        tagged = run.tags.get(AS_OF_TAG, "")
        given = self.day or (tagged if run.root_run_id else "")
        if not given and not tagged and context.instance is not None and run.job_name not in _DECISIONS:
            with _mended_or_retried(context):
                require_clock_that_goes_on(context.instance, run.run_id, created_at(context))
        day = parsed_day(given) if given else created_at(context).astimezone(zone).date()
        if tagged != day.isoformat() and context.instance is not None:
            context.instance.add_run_tags(run.run_id, {AS_OF_TAG: day.isoformat()})
        return day


class FromScratchResource(ConfigurableResource[bool]):
    """Whether a run evaluates every record anew."""

    full: bool = Field(default=False, description="Every record; else those in whose surroundings something happened.")

    def create_resource(self, context: InitResourceContext) -> bool:
        """What was chosen for the run."""
        return self.full


@resource(description="The instant that a run's manifests bear.")
def run_creation(context: InitResourceContext) -> datetime:
    """When the run was created, in UTC, to the second."""
    return created_at(context).replace(microsecond=0)


class ResponseTimeResource(ConfigurableResource[Any]):
    """How long a system has to answer a manifest."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Any:
        """The settings' period; added to a date it gives a date, by the calendar."""
        with _mended_or_retried(context):
            return isodate.parse_duration(Settings.load(Site(Path(self.path))).respond_by)


class KeepingResource(ConfigurableResource[Periods]):
    """How long the product keeps its own copies."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Periods:
        """The settings' periods."""
        with _mended_or_retried(context):
            return periods_of(Settings.load(Site(Path(self.path))))


class ForgettingResource(ConfigurableResource[Any]):
    """Lets go of the run history's runs whose period is over."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Callable[[date], int]:
        """What forgets them as of a day, and tells how many. A history in use is left to the next run."""
        with _mended_or_retried(context):
            settings = Settings.load(Site(Path(self.path)))
        months, days = months_and_days(settings.keeping.history)

        def forget(as_of: date) -> int:
            first = as_of - isodate.Duration(months=months, days=days)
            with suppress(DBAPIError, OSError):
                if context.instance is not None:
                    return forget_runs(context.instance, datetime.combine(first, time.min, settings.zone))
            return 0

        return forget


class SmallestGroupResource(ConfigurableResource[Any]):
    """How many customers have to share what a published aggregate tells."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Any:
        """The settings' number."""
        with _mended_or_retried(context):
            return Settings.load(Site(Path(self.path))).publication.smallest_group


class LimitsResource(ConfigurableResource[Limits]):
    """How large what arrives may be."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Limits:
        """The settings' sizes, in bytes."""
        with _mended_or_retried(context):
            return Settings.load(Site(Path(self.path))).limits.in_bytes()


class ReviewPeriodResource(ConfigurableResource[Any]):
    """How long after its version's day the purpose register is looked at again."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Any:
        """The settings' period, as ISO 8601."""
        with _mended_or_retried(context):
            return Settings.load(Site(Path(self.path))).reviews.period


class ApprovalResource(ConfigurableResource[Any]):
    """What may be delivered without a person's approval."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Any:
        """The settings' approval rules."""
        with _mended_or_retried(context):
            return Settings.load(Site(Path(self.path))).approval


class TimeZoneResource(ConfigurableResource[ZoneInfo]):
    """The time zone in which a day is a date."""

    path: str

    def create_resource(self, context: InitResourceContext) -> ZoneInfo:
        """The settings' zone."""
        with _mended_or_retried(context):
            return Settings.load(Site(Path(self.path))).zone


class TransportsResource(ConfigurableResource[Any]):
    """The way to each system."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Any:
        """The ways that the settings choose."""
        site = Site(Path(self.path))
        with _mended_or_retried(context):
            return load_transports(site, Settings.load(site), now)


class DoorResource(ConfigurableResource[Door]):
    """What the last look before a delivery needs to seal a remainder anew."""

    path: str

    def create_resource(self, context: InitResourceContext) -> Door:
        """The site's approval rules, its signing key, how long a system has to answer, and who launched the run."""
        site = Site(Path(self.path))
        with _mended_or_retried(context):
            settings = Settings.load(site)
        response_time = isodate.parse_duration(settings.respond_by)
        return Door(
            settings.approval, lambda: load_signer(site), lambda day: (day + response_time - day).days,
            _launcher(context) or None,
        )  # fmt: skip


@resource(description="Tells the instant at which something happens.")
def clock(context: InitResourceContext) -> Callable[[], datetime]:
    """The clock, asked by the steps whose doing happens at an instant: approvals, deliveries, answers."""
    return now


@resource(description="Who launched the run, where its tag gallring/by says so; empty where it does not.")
def launcher(context: InitResourceContext) -> str:
    """The name, for four eyes: who launched a run does not approve what it seals."""
    return _launcher(context)


def _launcher(context: InitResourceContext) -> str:
    return str(_run(context).tags.get(BY_TAG, ""))


def now() -> datetime:
    """The instant, in UTC, to the second: for records of what happens, never for a decision."""
    return datetime.now(UTC).replace(microsecond=0)


def parsed_day(text: str) -> date:
    """`text` as a date.

    Raises:
        Failure: it is none.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Failure(f"as_of is not a day such as 2026-11-25: {text[:20]!r}.", allow_retries=False) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Failure(f"as_of is not a day between {FIRST_DAY} and {LAST_DAY}: {day}.", allow_retries=False)
    return day


def created_at(context: InitResourceContext) -> datetime:
    """When the run was created, in UTC: the same for all its steps.

    Raises:
        Failure: the run is not in the run history.
    """
    record = context.instance.get_run_record_by_id(_run(context).run_id) if context.instance is not None else None
    if record is None:
        raise Failure("The run is not in the run history, so it has no day of its own: give as_of.")
    return record.create_timestamp.astimezone(UTC)


#: Jobs that note what a person decided: for them the day is a record.
_DECISIONS = ("approve_manifest", "cancel_manifest")
#: How far apart the clocks of two machines that run the same site may be.
_CLOCKS_DIFFER = timedelta(hours=1)
#: Among how many of the last runs the last one that had a day is looked for.
_LAST_RUNS = 50


def require_clock_that_goes_on(history: DagsterInstance, run_id: str, now: datetime) -> None:
    """Refuse to take the day from a clock that has been set back: holds and objections of late would not count.

    Args:
        history: of the site.
        run_id: the run that would take its day from it.
        now: when that run is created.

    Raises:
        BadInput: a run before this one was created later than it.
    """
    for record in history.get_run_records(limit=_LAST_RUNS):
        earlier = record.dagster_run
        if earlier.run_id == run_id or AS_OF_TAG not in earlier.tags:
            continue
        began = record.create_timestamp.astimezone(UTC)
        if began > now + _CLOCKS_DIFFER:
            raise BadInput(
                f"The clock says {now:%Y-%m-%d %H:%M} UTC, and the run before it began at {began:%Y-%m-%d %H:%M}: it "
                "was set back, or was ahead. Set it, then run; where it is right now, run once with --as-of and the "
                "day (as_of in the web UI)."
            )
        return


@contextmanager
def _mended_or_retried(context: InitResourceContext) -> Iterator[None]:
    """Fail clearly; and where a person has to mend something first, see to it that the run is not tried again."""
    try:
        with clear_failures():
            yield
    except Failure as failure:
        if not failure.allow_retries and context.run is not None and context.instance is not None:
            context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
        raise


def _run(context: InitResourceContext) -> Any:
    if context.run is None:
        raise Failure("The day of evaluation exists within a run alone.")
    return context.run


def resources_of(site: Site) -> dict[str, Any]:
    """Every resource, by the name under which the steps ask for it."""
    path = str(site.path)
    return {
        "site": SiteResource(path=path),
        "policy": PolicyResource(path=path),
        "signer": SignerResource(path=path),
        "warehouse": WarehouseResource(path=path),
        "as_of": DayResource.configure_at_launch(path=path),
        "from_scratch": FromScratchResource.configure_at_launch(),
        "issued_at": run_creation,
        "response_time": ResponseTimeResource(path=path),
        "forget_runs": ForgettingResource(path=path),
        "smallest_group": SmallestGroupResource(path=path),
        "limits": LimitsResource(path=path),
        "keeping": KeepingResource(path=path),
        "review_period": ReviewPeriodResource(path=path),
        "approval_rules": ApprovalResource(path=path),
        "time_zone": TimeZoneResource(path=path),
        "transports": TransportsResource(path=path),
        "door": DoorResource(path=path),
        "clock": clock,
        "launched_by": launcher,
    }
