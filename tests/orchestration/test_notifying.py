"""What a run leaves for people is told once by each way, in counts and names; a way that is down misses nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    DagsterInstance,
    Definitions,
    MaterializeResult,
    asset,
    asset_check,
    build_sensor_context,
    define_asset_job,
    job,
    op,
)

from assets.delivery.transports.contract import RetryableTransportError
from assets.manifests.signatures import PublicKey
from assets.notification.channels import PartlyTold
from assets.notification.notices import Concern, Notice, as_text
from assets.site import Site
from orchestration.history import ended_after, last_ended, run_history
from orchestration.initialising import make_site
from orchestration.notifying import Telling, notice_of, tell_of_ended_runs
from orchestration.opening import PUBLIC_KEY, SIGNING_KEY
from orchestration.sensors import sensors
from orchestration.settings import NotificationSettings, Settings
from tests.notification.conftest import Receiver
from tests.notification.conftest import receiver as receiver

SECRET = "Sven Svensson"
TAGS = {"gallring/as_of": "2026-11-25"}


@asset(key=["intake", "blocks"])
def blocks() -> MaterializeResult[Any]:
    return MaterializeResult(metadata={"dagster/row_count": 2})


@asset_check(asset=["intake", "blocks"], name="requests_answered_in_time")
def late() -> AssetCheckResult:
    return AssetCheckResult(passed=False, metadata={"unexpected": 1, "entries": SECRET})


@asset_check(asset=["intake", "blocks"], name="rows_add_up", blocking=True)
def wrong() -> AssetCheckResult:
    return AssetCheckResult(passed=False, metadata={"unexpected": 3})


@asset_check(asset=["intake", "blocks"], name="names_are_short")
def doubtful() -> AssetCheckResult:
    return AssetCheckResult(passed=False, severity=AssetCheckSeverity.WARN, metadata={"unexpected": 4})


@asset(deps=[blocks])
def after_the_check() -> None:
    raise AssertionError("never runs")


@job
def defective() -> None:
    @op
    def broken() -> None:
        raise KeyError(SECRET)

    broken()


@job
def well() -> None:
    @op
    def nothing() -> None: ...

    nothing()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("notifying") / "site")


@pytest.fixture
def history(home: Site) -> Iterator[DagsterInstance]:
    with run_history(home) as instance:
        yield instance


def run(history: DagsterInstance, name: str) -> str:
    definitions = Definitions([blocks, after_the_check], asset_checks=[late, wrong, doubtful], jobs=[defective, well])
    found = definitions.resolve_job_def(name)
    return found.execute_in_process(instance=history, tags=TAGS, raise_on_error=False).run_id


def noticed(history: DagsterInstance, name: str, **settings: Any) -> Notice | None:
    place = last_ended(history)
    run_id = run(history, name)
    (ended,) = ended_after(history, place, 10)
    assert ended.run_id == run_id
    return notice_of(history, ended, NotificationSettings(**settings))


def test_a_run_that_went_well_needs_nobody(history: DagsterInstance) -> None:
    assert noticed(history, "well") is None


def test_checks_that_say_no_a_block_and_a_late_request_are_told_with_their_counts(history: DagsterInstance) -> None:
    notice = noticed(history, "__ASSET_JOB", ui="https://gallring.company.example/")
    assert notice is not None
    assert (notice.as_of, notice.success) == (date(2026, 11, 25), False)
    assert set(notice.concerns) == {
        Concern("run_failed"),
        Concern("source_blocked", "intake.blocks", count=2),
        Concern("check_failed", "intake.blocks: rows_add_up", "critical", 3),
        Concern("request_overdue", "intake.blocks: requests_answered_in_time", "critical", 1),
    }
    assert notice.url == f"https://gallring.company.example/runs/{notice.run_id}"
    assert SECRET not in as_text(notice)


def test_checks_that_only_warn_are_told_where_the_site_wants_it(history: DagsterInstance) -> None:
    notice = noticed(history, "__ASSET_JOB", warnings=True)
    assert notice is not None
    assert Concern("check_failed", "intake.blocks: names_are_short", "warning", 4) in notice.concerns


def test_a_defect_is_told_by_its_kind_alone(history: DagsterInstance) -> None:
    notice = noticed(history, "defective")
    assert notice is not None
    assert notice.concerns == (
        Concern("run_failed"), Concern("step_failed", "broken", "KeyError, a defect of the program"),
    )  # fmt: skip
    assert SECRET not in as_text(notice)


def test_the_monthly_review_is_told_and_the_nightly_page_is_not(history: DagsterInstance) -> None:
    @asset(key=["reports", "register_review"])
    def page() -> MaterializeResult[Any]:
        return MaterializeResult(metadata={"holds_to_review": 2, "findings": 0, "purposes_due_for_review": 14})

    place = last_ended(history)
    for name in ("run_cycle", "review_register"):
        definitions = Definitions([page], jobs=[define_asset_job(name, [page])])
        assert definitions.resolve_job_def(name).execute_in_process(instance=history).success
    nightly, monthly = (notice_of(history, each, NotificationSettings()) for each in ended_after(history, place, 9))
    assert nightly is None
    assert monthly is not None
    assert monthly.concerns == (
        Concern("review_due", "purposes due for review", count=14), Concern("review_due", "holds to review", count=2),
    )  # fmt: skip
    assert monthly.headline == "Gallring review_register: register to be reviewed"


class Way:
    """A way that is down while `down` says so, and tells some alone while `partly` does."""

    def __init__(self, name: str) -> None:
        self.name, self.down, self.partly = name, False, False
        self.told: list[str] = []

    def tell(self, notice: Notice) -> None:
        if self.down:
            raise RetryableTransportError("unreachable", "Nobody answers.")
        self.told.append(notice.run_id)
        if self.partly:
            raise PartlyTold("recipients", "One of two is refused.")


def test_a_way_that_is_down_misses_nothing_and_holds_up_no_other(history: DagsterInstance) -> None:
    up, down = Way("up"), Way("down")
    settings = Settings()

    def tick(cursor: str | None) -> Telling:
        return tell_of_ended_runs(history, settings, [up, down], cursor)

    telling = tick(None)
    assert (up.told, telling.told) == ([], 0)  # what was before is not told of
    down.down = True
    first = run(history, "defective")
    telling = tick(telling.cursor())
    assert (up.told, down.told) == ([first], [])
    assert "down: unreachable" in telling.failures[0]
    run(history, "well")
    second = run(history, "defective")
    telling = tick(telling.cursor())
    assert (up.told, down.told) == ([first, second], [])
    down.down = False
    telling = tick(telling.cursor())
    assert (up.told, down.told) == ([first, second], [first, second])
    assert tick(telling.cursor()).told == 0


def test_what_was_told_to_some_is_told_and_the_next_notice_goes_out(history: DagsterInstance) -> None:
    way = Way("email")
    telling = tell_of_ended_runs(history, Settings(), [way], None)
    way.partly = True
    runs = [run(history, "defective"), run(history, "defective")]
    telling = tell_of_ended_runs(history, Settings(), [way], telling.cursor())
    assert (way.told, telling.told) == (runs, 2)
    assert telling.failures == ["email: recipients. One of two is refused."] * 2
    assert tell_of_ended_runs(history, Settings(), [way], telling.cursor()).failures == []


def test_a_way_that_is_set_again_begins_with_the_next_run(history: DagsterInstance) -> None:
    way, log = Way("email"), Way("log")
    telling = tell_of_ended_runs(history, Settings(), [way, log], None)
    telling = tell_of_ended_runs(history, Settings(), [log], telling.cursor())
    run(history, "defective")
    telling = tell_of_ended_runs(history, Settings(), [log], telling.cursor())
    telling = tell_of_ended_runs(history, Settings(), [way, log], telling.cursor())
    assert (way.told, len(log.told)) == ([], 1)
    second = run(history, "defective")
    tell_of_ended_runs(history, Settings(), [way, log], telling.cursor())
    assert way.told == [second]


@pytest.mark.parametrize("cursor", ["", "nonsense", "[1]", '{"log": "x"}'])
def test_a_cursor_that_is_none_begins_anew(cursor: str) -> None:
    assert Telling.from_cursor(cursor).places == {}


@pytest.fixture
def told_site(tmp_path: Path, home: Site, receiver: Receiver) -> Site:
    """A site that posts its notices to a real server on this machine."""
    site = make_site(tmp_path / "site")
    text = site.settings.read_text().replace('# url = ""', f'url = "{receiver.url}"')
    site.settings.write_text(text)
    receiver.public_key = PublicKey.load(site.keys / PUBLIC_KEY)
    return site


def sensor_of(site: Site, name: str) -> Any:
    return next(each for each in sensors(site) if each.name == name)


def test_the_sensor_tells_the_log_and_posts_to_the_sites_webhook(
    told_site: Site, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    sensor = sensor_of(told_site, "attention_needed")
    with run_history(told_site) as history:
        ticks = build_sensor_context(instance=history, cursor=None)
        first = sensor.evaluate_tick(ticks)
        run_id = run(history, "defective")
        receiver.statuses = [410]
        with caplog.at_level(logging.WARNING, logger="gallring.notices"):
            second = sensor.evaluate_tick(build_sensor_context(instance=history, cursor=first.cursor))
        third = sensor.evaluate_tick(build_sensor_context(instance=history, cursor=second.cursor))
    assert second.run_requests == third.run_requests == []
    assert "webhook: http_410" in str(second.skip_message)
    assert [record.getMessage().count(run_id) for record in caplog.records if record.name == "gallring.notices"] == [1]
    assert "Told 1 notices." in str(third.skip_message)
    assert receiver.refused == []
    assert [json.loads(body)["run_id"] for body in receiver.bodies] == [run_id] * 2


def test_a_key_that_cannot_be_used_holds_up_the_webhook_alone(
    told_site: Site, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    sensor = sensor_of(told_site, "attention_needed")
    with run_history(told_site) as history:
        first = sensor.evaluate_tick(build_sensor_context(instance=history, cursor=None))
        key = told_site.keys / SIGNING_KEY
        key.chmod(0o644)
        run_id = run(history, "defective")
        with caplog.at_level(logging.WARNING, logger="gallring.notices"):
            second = sensor.evaluate_tick(build_sensor_context(instance=history, cursor=first.cursor))
        assert receiver.bodies == []
        key.chmod(0o600)
        sensor.evaluate_tick(build_sensor_context(instance=history, cursor=second.cursor))
    assert [record.getMessage().count(run_id) for record in caplog.records if record.name == "gallring.notices"] == [1]
    assert "webhook: settings. " in str(second.skip_message)
    assert [json.loads(body)["run_id"] for body in receiver.bodies] == [run_id]


def test_an_approval_from_the_command_line_starts_the_delivery(home: Site, history: DagsterInstance) -> None:
    sensor = sensor_of(home, "approval_given")

    @job(name="approve_manifest")
    def approving() -> None:
        @op
        def approved() -> None: ...

        approved()

    def tick(cursor: str | None) -> Any:
        return sensor.evaluate_tick(build_sensor_context(instance=history, cursor=cursor))

    first = tick(None)
    assert first.run_requests == []
    run(history, "well")
    run_id = approving.execute_in_process(instance=history).run_id
    second = tick(first.cursor)
    assert [request.run_key for request in second.run_requests] == [run_id]
    assert tick(second.cursor).run_requests == []
