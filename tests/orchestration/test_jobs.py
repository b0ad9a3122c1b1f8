"""The jobs of the launchpad: a rehearsal leaves no trace, a day filled in changes no decision, proofs are looked at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.erasure.restoring import NotReplayed
from assets.site import Site
from assets.warehouse import Warehouse
from orchestration import resources
from orchestration.definitions import build_definitions
from orchestration.history import run_history
from orchestration.initialising import make_site
from orchestration.opening import open_warehouse
from orchestration.running import CycleOutcome, run_cycle
from orchestration.settings import Settings
from tests.orchestration.conftest import DAY


@pytest.fixture
def site(cycled: tuple[Site, CycleOutcome], tmp_path: Path) -> Site:
    """A site after one cycle, of one's own."""
    return Site(shutil.copytree(cycled[0].path, tmp_path / "site"))


def opened(site: Site) -> Warehouse:
    return open_warehouse(site, Settings.load(site))


def decided(site: Site) -> dict[str, Any]:
    """Everything that was decided, sealed and remembered of a site."""
    with opened(site) as warehouse:
        tables = [
            "retention.dispositions", "retention.claims", "retention.evaluation", "intake.blocks", "manifest.proposed",
            "manifest.events", "manifest.manifests", "manifest.told", "publication.standings",
        ]  # fmt: skip
        found: dict[str, Any] = {table: warehouse.rows(f"from {table} order by all") for table in tables}
    return found | {"outbox": sorted(path for path in site.outbox.rglob("*"))}


def told(site: Site, outcome: CycleOutcome) -> dict[str, Any]:
    """What the steps of a run told of themselves."""
    found: dict[str, Any] = {}
    with run_history(site) as history:
        for entry in history.all_logs(outcome.run_id):
            event = entry.dagster_event
            if event is not None and event.is_successful_output:
                metadata = event.step_output_data.metadata
                found |= {name: value.value for name, value in metadata.items()}
            elif event is not None and event.is_step_materialization:
                metadata = event.step_materialization_data.materialization.metadata
                found |= {name: value.value for name, value in metadata.items()}
    return found


def test_a_dry_run_tells_what_a_cycle_would_seal_and_changes_nothing(site: Site) -> None:
    before = decided(site)
    again = run_cycle(site, DAY, job="dry_run")
    assert again.success
    assert told(site, again)["items"] == 0  # the cycle of that day sealed it all
    later = date(2027, 1, 31)
    rehearsed = told(site, run_cycle(site, later, job="dry_run"))
    assert decided(site) == before
    assert rehearsed["items"] > 0
    assert rehearsed["categories to erase"] > 0
    assert rehearsed["blocked tables of crm"] > 0  # by then nothing new has arrived


def test_a_day_filled_in_joins_the_history_and_changes_nothing_else(site: Site) -> None:
    before = decided(site)
    outcome = run_cycle(site, job="backfill_day", config={"day": "2026-10-22"})
    assert outcome.success
    after = decided(site)
    added = [row for row in after["publication.standings"] if row not in before["publication.standings"]]
    assert {row[0] for row in added} == {date(2026, 10, 22)}
    assert {**after, "publication.standings": None} == {**before, "publication.standings": None}
    again = run_cycle(site, job="backfill_day", config={"day": "2026-10-22"})
    assert "not remembered" in told(site, again)["counts"]
    assert decided(site) == after


def test_a_day_that_is_not_over_is_not_filled_in(site: Site) -> None:
    (failure,) = run_cycle(site, job="backfill_day", config={"day": DAY.isoformat()}).failures
    assert (failure.exit_code, "the last evaluated day is 2026-11-22" in failure.message) == (1, True)


def cut_a_manifest(site: Site) -> None:
    items = next(iter(sorted(site.outbox.glob("*/*/items.jsonl"))))
    items.write_bytes(items.read_bytes()[:-2])


def lose_a_manifest(site: Site) -> None:
    shutil.rmtree(next(iter(sorted(site.outbox.glob("*/*")))))


def change_the_log(site: Site) -> None:
    entries = next(iter(sorted(site.evidence.rglob("entries-*.jsonl"))))
    entries.write_bytes(entries.read_bytes().replace(b'"sequence":2', b'"sequence":7', 1))


def keep_a_copy_too_long(site: Site) -> None:
    backup = site.backups / "warehouse-2026-01-01T00-00-00-until-2026-02-05.duckdb"
    shutil.copyfile(site.warehouse, backup)


def change_a_disposition(site: Site) -> None:
    with opened(site) as warehouse:
        warehouse.run(
            "update retention.dispositions set disposition = 'erase' where rowid = "
            "(select min(rowid) from retention.dispositions where disposition = 'retain')"
        )


def forget_an_end(site: Site) -> None:
    with opened(site) as warehouse:
        warehouse.run("delete from purposes.accounting where rowid = (select min(rowid) from purposes.accounting)")


@pytest.mark.parametrize(
    ("harm", "check"),
    [
        (lambda site: None, None),
        (change_a_disposition, "evaluated_anew_it_is_the_same"),
        (forget_an_end, "evaluated_anew_it_is_the_same"),
        (cut_a_manifest, "every_manifest_still_verifies"),
        (lose_a_manifest, "every_manifest_still_verifies"),
        (change_the_log, "the_log_is_what_was_signed"),
        (keep_a_copy_too_long, "no_copy_outlived_its_last_day"),
    ],
)
def test_the_weekly_look_finds_what_was_tampered_with(
    site: Site, harm: Callable[[Site], None], check: str | None
) -> None:
    harm(site)
    outcome = run_cycle(site, DAY, job="verify_everything")
    assert outcome.success  # a look stops nothing
    assert not any(each.blocking for each in outcome.failed_checks)
    assert [each.name for each in outcome.failed_checks] == ([check] if check else [])
    assert {each.unexpected for each in outcome.failed_checks} <= {1}


def test_a_wrong_disposition_does_not_outlive_the_weekly_look(site: Site) -> None:
    before = decided(site)
    change_a_disposition(site)
    assert decided(site) != before
    run_cycle(site, DAY, job="verify_everything")
    assert decided(site) == before


def test_what_the_outbox_knows_is_replayed_from_the_launchpad(site: Site) -> None:
    with opened(site) as warehouse:
        sealed = warehouse.rows("select system, manifest_id from manifest.manifests order by all")
    site.warehouse.unlink()
    outbox = site.outbox.rename(site.path / "kept")
    opened(site).close()  # a warehouse from before anything was sealed
    outbox.rename(site.outbox)
    with pytest.raises(NotReplayed):
        opened(site)
    with run_history(site) as history:
        job = build_definitions(site=site.path).resolve_job_def("replay_outbox")
        assert job.execute_in_process(run_config={"as_of": DAY.isoformat()}, instance=history).success
    with opened(site) as warehouse:
        assert warehouse.rows("select system, manifest_id from manifest.manifests order by all") == sealed


#: Long after the last day of everything that a site keeps.
FAR = date(2036, 11, 28)


@pytest.fixture
def keeping(site: Site) -> Site:
    """The site with a backup and an answer to a person."""
    shutil.copyfile(site.warehouse, site.backups / "warehouse-2026-11-22T03-00-00-until-2026-12-27.duckdb")
    (site.reports / "access").mkdir(exist_ok=True)
    (site.reports / "access" / "2026-11-22.html").touch()
    return site


def kept(site: Site) -> tuple[set[Path], int]:
    """What a site keeps to a last day: files, and how many rows that were set aside of all sources but one."""
    folders = (site.backups, site.inbox, site.reports / "access")
    with opened(site) as warehouse:
        rows = warehouse.value("select count(*) from intake.quarantined where source <> 'web'")
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}, rows


def made_on(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    """Runs are made on a day by the machine's clock."""
    monkeypatch.setattr(resources, "created_at", lambda _: datetime(day.year, day.month, day.day, 3, tzinfo=UTC))


def deliver_until(site: Site, day: date) -> None:
    with opened(site) as warehouse:
        warehouse.run("update intake.deliveries set extracted_at = $day where source = 'web'", {"day": day})


def test_a_day_to_come_destroys_nothing_whose_last_day_has_not(keeping: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(keeping)
    assert len(before[0]) > 5
    assert before[1] > 0
    made_on(monkeypatch, date(2026, 11, 24))
    deliver_until(keeping, date(2026, 11, 23))
    outcome = run_cycle(keeping, FAR, job="erase_own_copies")
    assert (outcome.success, outcome.failed_checks) == (True, ())
    assert kept(keeping) == before
    assert told(keeping, outcome)["held_against"] == "2026-11-24"


@pytest.mark.parametrize(("delivered", "day"), [(date(2026, 11, 22), "2026-11-25"), (FAR, "2036-11-28")])
def test_a_clock_that_is_ahead_of_every_source_destroys_nothing(
    keeping: Site, monkeypatch: pytest.MonkeyPatch, delivered: date, day: str
) -> None:
    """What was last delivered is good until the 25th: after it nothing but this machine says what day it is."""
    before = kept(keeping)
    made_on(monkeypatch, FAR)
    deliver_until(keeping, delivered)
    outcome = run_cycle(keeping, job="erase_own_copies")
    assert outcome.success
    assert kept(keeping) == (before if delivered < FAR else (set(), 0))  # the control: on that day all of it goes
    assert told(keeping, outcome)["held_against"] == day


def test_a_site_without_a_run_is_told_of_in_a_sentence(tmp_path: Path) -> None:
    site = make_site(tmp_path / "new")
    for job in ("erase_own_copies", "review_register"):
        outcome = run_cycle(site, DAY, job=job)
        assert {failure.exit_code for failure in outcome.failures} == {1}
        assert all("`gallring run`" in failure.message for failure in outcome.failures), job


def test_the_register_is_reviewed(site: Site) -> None:
    outcome = run_cycle(site, date(2026, 12, 1), job="review_register")
    assert outcome.success
    assert [each.name for each in outcome.failed_checks] == ["holds_reviewed_in_time"]
    counts = told(site, outcome)
    assert (counts["purposes_due_for_review"], counts["holds_to_review"]) == (0, 2)
    page = (site.reports / "register-review.md").read_text(encoding="utf-8")
    assert "to be reviewed from: 2027-11-22. It is not due." in page
    a_year_later = run_cycle(site, date(2027, 11, 22), job="review_register")
    assert "register_reviewed_in_time" in [each.name for each in a_year_later.failed_checks]
    assert told(site, a_year_later)["purposes_due_for_review"] > 5
