"""What ended runs leave for people to look at, read from the run history; and the ways by which a site tells them.

Each way has a place of its own in the history, so that one which is down holds up no other and misses nothing: what
could not be told is told at a later tick, in its order. Reads names, counts and statuses of events; no text of an error
(nobody knows what it quotes) and no table.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from dagster import AssetKey, DagsterEventType, DagsterInstance, EventLogEntry

from assets.assurance.assets import REGISTER_REVIEW
from assets.catalogue.assets import key_of
from assets.delivery.transports.contract import TransportError
from assets.errors import BadInput
from assets.notification.channels import Channel, PartlyTold, Unusable
from assets.notification.mail import Mail, MailServer
from assets.notification.notices import Concern, Kind, Notice
from assets.notification.webhook import Webhook
from assets.site import Site
from orchestration.history import Ended, ended_after, last_ended
from orchestration.jobs import REVIEW
from orchestration.opening import load_signer
from orchestration.resources import AS_OF_TAG, now
from orchestration.settings import NotificationSettings, Settings

#: The check that says whether every person's request is answered in time.
REQUESTS_CHECK = "requests_answered_in_time"
#: Runs that one way tells of at one tick.
A_TICK = 10

_BLOCKS = AssetKey(["intake", "blocks"])
_REVIEW = key_of(REGISTER_REVIEW)
#: What the monthly review counts, as it is told.
_REVIEWED = ("purposes_due_for_review", "purposes_that_keep_nothing", "findings", "holds_to_review")
_CREDENTIALS = "notifications"
_EVENTS = {
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.STEP_FAILURE,
}
#: A step that only met a check that said no: the check itself tells.
_MET_A_CHECK = "DagsterAssetCheckFailedError"


@dataclass(frozen=True)
class LogLine:
    """The log, always there: the server's own, and what the sensor shows of its tick."""

    loggers: Sequence[logging.Logger]

    @property
    def name(self) -> str:
        """As the settings call it."""
        return "log"

    def tell(self, notice: Notice) -> None:
        """Write it as one line."""
        told = " ".join(concern.sentence for concern in notice.concerns)
        for logger in self.loggers:
            logger.warning("%s. %s Run %s.", notice.headline, told, notice.url or notice.run_id)


def channels(site: Site, settings: Settings, loggers: Sequence[logging.Logger]) -> list[Channel]:
    """The ways that the settings choose; one that cannot be used as it is set says so when it is to tell."""
    chosen = settings.notifications
    secrets = settings.credentials.get(_CREDENTIALS)
    found: list[Channel] = [LogLine(loggers)] if chosen.log else []
    if chosen.webhook.url:
        token = secrets.token.get_secret_value() if secrets is not None and secrets.token is not None else None
        found.append(_webhook(site, chosen, token))
    if chosen.email.server:
        password = secrets.password.get_secret_value() if secrets is not None and secrets.password is not None else None
        found.append(_mail(site, chosen, password))
    return found


def _webhook(site: Site, chosen: NotificationSettings, token: str | None) -> Channel:
    certificate = site.path / chosen.webhook.certificate if chosen.webhook.certificate else None
    try:
        return Webhook(chosen.webhook.url, load_signer(site), now, certificate, token)
    except BadInput as error:  # every run fails for that key too, and the other ways have to tell of it
        return Unusable("webhook", str(error))


def _mail(site: Site, chosen: NotificationSettings, password: str | None) -> Mail:
    host, port = chosen.email.host_and_port()
    certificate = site.path / chosen.email.certificate if chosen.email.certificate else None
    server = MailServer(host, port, chosen.email.security, certificate, chosen.email.user, password)
    return Mail(server, chosen.email.sender, chosen.email.recipients)


@dataclass
class Telling:
    """How far each way has come in the history."""

    places: dict[str, int] = field(default_factory=dict)
    told: int = 0
    failures: list[str] = field(default_factory=list)

    @classmethod
    def from_cursor(cls, cursor: str | None) -> Telling:
        """Where a tick before left off; a cursor that is none begins anew, with what comes from now on."""
        try:
            places = json.loads(cursor or "{}")
        except ValueError:
            return cls()
        whole = isinstance(places, dict) and all(isinstance(place, int) for place in places.values())
        return cls({str(name): place for name, place in places.items()} if whole else {})

    def cursor(self) -> str:
        """Where the next tick begins."""
        return json.dumps(self.places, sort_keys=True)


def tell_of_ended_runs(
    instance: DagsterInstance, settings: Settings, ways: Iterable[Channel], cursor: str | None
) -> Telling:
    """Tell each way of the runs that ended since it was last here; a way that is new begins with the next run.

    A way that is not given is forgotten: set again it is a new one.
    """
    telling, before = Telling(), Telling.from_cursor(cursor).places
    for way in ways:
        place = before[way.name] if way.name in before else last_ended(instance)
        telling.places[way.name] = place
        for ended in ended_after(instance, place, A_TICK):
            notice = notice_of(instance, ended, settings.notifications)
            try:
                if notice is not None:
                    way.tell(notice)
                    telling.told += 1
            except PartlyTold as error:
                telling.told += 1
                telling.failures.append(f"{way.name}: {error.code}. {error.message}")
            except TransportError as error:
                telling.failures.append(f"{way.name}: {error.code}. {error.message} It is tried again at the next tick")
                break
            telling.places[way.name] = ended.place
    return telling


def notice_of(instance: DagsterInstance, ended: Ended, chosen: NotificationSettings) -> Notice | None:
    """What a run leaves for people to look at; None when that is nothing."""
    events = instance.all_logs(ended.run_id, of_type=_EVENTS)
    run = instance.get_run_by_id(ended.run_id)
    concerns = [*_concerns(events, ended.success, chosen.warnings)]
    if run is not None and run.job_name == REVIEW:
        concerns += _to_review(events)
    if not concerns:
        return None
    day = run.tags.get(AS_OF_TAG) if run is not None else None
    return Notice(
        run_id=ended.run_id,
        job=run.job_name if run is not None else "",
        as_of=date.fromisoformat(day) if day else None,
        ended_at=datetime.fromtimestamp(ended.timestamp, UTC),
        success=ended.success,
        concerns=tuple(concerns),
        url=f"{chosen.ui.rstrip('/')}/runs/{ended.run_id}" if chosen.ui else "",
    )


def _concerns(events: Sequence[EventLogEntry], success: bool, with_warnings: bool) -> Iterator[Concern]:
    if not success:
        yield Concern("run_failed")
    for entry in events:
        event = entry.dagster_event
        if event is None:
            continue
        if event.event_type == DagsterEventType.STEP_FAILURE:
            yield from _failed_step(event)
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            yield from _failed_check(event.asset_check_evaluation_data, with_warnings)
        elif event.asset_key == _BLOCKS:
            blocked = _count(event.step_materialization_data.materialization.metadata, "dagster/row_count")
            if blocked:
                yield Concern("source_blocked", ".".join(_BLOCKS.path), count=blocked)


def _to_review(events: Sequence[EventLogEntry]) -> Iterator[Concern]:
    """What the review of the register found; the nightly page of it is told to nobody."""
    for entry in events:
        event = entry.dagster_event
        if event is not None and event.is_step_materialization and event.asset_key == _REVIEW:
            metadata = event.step_materialization_data.materialization.metadata
            for name in _REVIEWED:
                if count := _count(metadata, name):
                    yield Concern("review_due", name.replace("_", " "), count=count)


def _failed_check(found: Any, with_warnings: bool) -> Iterator[Concern]:
    is_warning = found.severity.value == "WARN"
    if found.passed or (is_warning and not with_warnings):
        return
    kind: Kind = "request_overdue" if found.check_name == REQUESTS_CHECK else "check_failed"
    subject = f"{'.'.join(found.asset_key.path)}: {found.check_name}"
    severity = "warning" if is_warning else "critical"
    yield Concern(kind, subject, severity, _count(found.metadata, "unexpected"))


def _failed_step(event: Any) -> Iterator[Concern]:
    error = event.step_failure_data.error
    if error is not None and error.cls_name == _MET_A_CHECK:
        return
    told = event.step_failure_data.user_failure_data
    while error is not None and error.cause is not None:
        error = error.cause
    kind = (error.cls_name or "Error") if error is not None else "Error"
    reason = "its message in the run says what to do" if told is not None else f"{kind}, a defect of the program"
    yield Concern("step_failed", event.step_key or "", reason)


def _count(metadata: Any, name: str) -> int:
    value = metadata.get(name)
    return int(str(value.value)) if value is not None else 0
