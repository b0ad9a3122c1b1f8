"""A run from the command line: what it leaves, what it tells, and that the web UI's run leaves the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from assets.errors import BadInput
from assets.manifests.verifying import verify
from assets.sample.generating import telling_cases
from assets.site import Site
from assets.warehouse import Warehouse, WarehouseLocked
from orchestration.cli import main
from orchestration.cli.cycle import exit_code
from orchestration.opening import PUBLIC_KEY, open_warehouse
from orchestration.running import CycleOutcome, Rejected, run_cycle
from orchestration.settings import Settings
from tests.orchestration.conftest import DAY, a_sample_site
from tests.orchestration.serving import ROOT

Make = Callable[[str], Site]


def manifests_of(site: Site) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Every sealed manifest by its folder: the document without `issued_at`, and the items' bytes."""
    found = {}
    for path in sorted(site.outbox.glob("*/*/manifest.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        del document["issued_at"]
        found[str(path.parent.relative_to(site.outbox))] = (document, (path.parent / "items.jsonl").read_bytes())
    return found


def run_in_history(site: Site, outcome: CycleOutcome) -> Any:
    with DagsterInstance.from_config(str(site.dagster)) as instance:
        return instance.get_run_by_id(outcome.run_id)


@pytest.fixture(scope="module")
def ran(cycled: tuple[Site, CycleOutcome], tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, CycleOutcome]:
    """A sample site after one cycle, for tests that only look, or run what changes nothing."""
    site, outcome = cycled
    return Site(shutil.copytree(site.path, tmp_path_factory.mktemp("ran") / "site")), outcome


def test_the_cycle_runs_from_deliveries_to_sealed_manifests(ran: tuple[Site, CycleOutcome]) -> None:
    site, outcome = ran
    assert outcome.failures == ()
    assert [check for check in outcome.failed_checks if check.severity == "critical"] == []
    assert outcome.success
    assert outcome.blocks == ()
    assert manifests_of(site)
    assert site.analytics.is_file()
    for folder in site.outbox.glob("*/*"):
        assert verify(folder, site.keys / PUBLIC_KEY).ok


def test_the_run_is_in_the_history_under_its_job_and_day(ran: tuple[Site, CycleOutcome]) -> None:
    run = run_in_history(*ran)
    assert (run.job_name, run.status) == ("run_cycle", DagsterRunStatus.SUCCESS)
    assert run.tags["gallring/as_of"] == "2026-11-22"
    assert run.tags[".dagster/repository"] == "__repository__@gallring"


def test_the_history_holds_nothing_personal(ran: tuple[Site, CycleOutcome]) -> None:
    site, _ = ran
    history = b"".join(path.read_bytes() for path in site.dagster.rglob("*") if path.is_file())
    personal = {
        row[column].encode()
        for table, rows in telling_cases().items()
        if not table.startswith("office/")
        for row in rows
        for column in ("name", "email", "phone", "national_id", "street", "buyer_name", "buyer_street", "payer_name")
        if row.get(column)
    }
    assert b"order_lines_have_their_order" in history  # the control: what is searched can be found
    assert len(personal) > 10
    assert [value for value in personal if value in history] == []


def test_own_copies_are_erased_within_the_run(ran: tuple[Site, CycleOutcome]) -> None:
    site, _ = ran
    with open_warehouse(site, Settings.load(site)) as warehouse:
        ordered = "(select record_key from manifest.ordered_fields where record_type = 'customer' and field = 'name')"
        erased = warehouse.rows(f"select name, withheld from raw.crm_customers where customer_id in {ordered}")
        assert len(erased) > 5
        assert all(name is None and "name" in withheld for name, withheld in erased)
        assert warehouse.value("select count(*) from raw.crm_customers where name is not null") > 5  # the others stay
        assert [row[1:3] for row in warehouse.rows("from erasure.rewrites")] == [(DAY, "ordered")]
        assert warehouse.value("select copies from erasure.copies where kind = 'delivery'") == 5
    assert list(site.path.glob("*.rewriting*")) == []


def test_nothing_is_printed(ran: tuple[Site, CycleOutcome], capfd: pytest.CaptureFixture[str]) -> None:
    site, _ = ran
    run_cycle(site, DAY, job="publish_analytics")
    assert capfd.readouterr() == ("", "")


def test_publishing_another_day_than_the_evaluated_one_is_refused(ran: tuple[Site, CycleOutcome]) -> None:
    site, _ = ran
    before = site.analytics.stat().st_mtime_ns
    outcome = run_cycle(site, date(2026, 11, 23), job="publish_analytics")
    assert [failure.exit_code for failure in outcome.failures] == [1]
    assert "evaluated as of 2026-11-22" in outcome.failures[0].message
    assert site.analytics.stat().st_mtime_ns == before


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The same sample site, taken in and evaluated by the jobs that do a part each."""
    site = a_sample_site(tmp_path_factory.mktemp("parts") / "site")
    for job in ("ingest_deliveries", "evaluate_retention"):
        assert run_cycle(site, DAY, job=job).success, job
    return site


def test_sealing_a_day_that_was_not_evaluated_is_refused(evaluated: Site) -> None:
    outcome = run_cycle(evaluated, date(2026, 11, 23), job="seal_manifests")
    assert not outcome.success
    assert [failure.exit_code for failure in outcome.failures] == [1]
    assert "evaluated" in outcome.failures[0].message
    assert manifests_of(evaluated) == {}


def test_the_parts_make_the_whole(ran: tuple[Site, CycleOutcome], evaluated: Site, tmp_path: Path) -> None:
    site = Site(shutil.copytree(evaluated.path, tmp_path / "site"))
    for job in ("seal_manifests", "publish_analytics"):
        assert run_cycle(site, DAY, job=job).success, job
    assert manifests_of(site) == manifests_of(ran[0])


def test_a_blocked_source_is_told_and_its_manifests_are_held_back(sample_site: Make) -> None:
    site = sample_site("blocked")
    shutil.rmtree(site.inbox / "orders")
    outcome = run_cycle(site, DAY)
    assert {(block.source, block.reason) for block in outcome.blocks} >= {("orders", "never_arrived")}
    assert manifests_of(site) == {}
    assert site.analytics.is_file()


def test_a_delivery_that_is_rejected_is_told_once_and_answers_3_though_it_holds_up_nobody(
    evaluated: Site, tmp_path: Path
) -> None:
    """Else a slip such as inbox/CRM for inbox/crm is found by nobody: what a person said may be in it."""
    site = Site(shutil.copytree(evaluated.path, tmp_path / "site"))
    slip = site.inbox / "CRM" / "2026-11-23"
    slip.mkdir(parents=True)
    (slip / "delivery.json").write_text('{"source": "crm", "delivery_id": "2026-11-23"}', encoding="utf-8")
    outcome = run_cycle(site, DAY, job="ingest_deliveries")
    reason = "delivery.json states another source than its folder, inbox/CRM: is inbox/crm meant?"
    assert outcome.rejected == (Rejected("CRM", "2026-11-23", reason),)
    assert (outcome.success, outcome.blocks, exit_code(outcome)) == (True, (), 3)
    again = run_cycle(site, DAY, job="ingest_deliveries")
    assert (again.rejected, exit_code(again)) == ((), 0)


def test_orders_that_wait_for_a_row_are_told_by_a_check_and_all_others_sealed(
    sample_site: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALLRING_APPROVAL__UNREAD_ROWS", "leave_out")
    site = sample_site("left_out")
    outcome = run_cycle(site, DAY)
    assert outcome.success
    with open_warehouse(site, Settings.load(site)) as warehouse:
        records = warehouse.value("select count(*) from manifest.left_out")
        told = warehouse.rows(
            "select left_out.system from manifest.left_out as left_out inner join manifest.items as items "
            "on items.record_type = left_out.record_type and items.record_key = left_out.record_key "
            "where items.action not in ('restrict', 'lift')"
        )
    assert records > 0
    assert told == []
    found = [(check.unexpected, check.severity) for check in outcome.failed_checks
             if (check.name, check.table) == ("no_order_waits_for_a_row", "manifest.left_out")]  # fmt: skip
    assert found == [(records, "warning")]
    assert {path.parent.parent.name for path in site.outbox.glob("*/*/manifest.json")} >= {"crm", "orders"}


def test_a_critical_check_stops_what_comes_after(sample_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from expectations import specs, validation

    def doubting(warehouse: Warehouse, stop: str) -> list[validation.Verdict]:
        return [
            validation.Verdict(spec.name, spec.asset, spec.severity, stop != "raw", 10, 3, spec.description)
            for spec in specs.specs_of(stop, specs.suite(stop))
        ]

    monkeypatch.setattr(validation, "validate", doubting)
    site = sample_site("doubted")
    outcome = run_cycle(site, DAY)
    assert not outcome.success
    assert outcome.failures == ()
    claims = {spec.name for spec in specs.specs_of("raw", specs.suite("raw"))}
    doubted = [check for check in outcome.failed_checks if check.name in claims]
    assert {check.unexpected for check in doubted} == {3}
    assert {check.blocking for check in doubted if check.severity == "critical"} == {True}
    assert {check.table.partition(".")[0] for check in doubted} == {"intake", "raw"}
    with open_warehouse(site, Settings.load(site)) as warehouse:
        assert not warehouse.exists("core", "records")
    assert manifests_of(site) == {}


HOLD = """
import sys
from pathlib import Path
from assets.sample.generating import telling_cases
from assets.site import Site
from orchestration.opening import open_warehouse
from orchestration.settings import Settings
site = Site(Path(sys.argv[1]))
with open_warehouse(site, Settings.load(site)):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_claims_whose_words_could_name_somebody_stop_the_run_before_they_are_evaluated(
    evaluated: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(shutil.copytree(evaluated.path, tmp_path / "site"))
    (site.path / "policy" / "purposes" / "web_security.sql").write_text(
        "select 'web_event' as record_type, e.row_id, 'log' as clock, e.occurred_at as starts_on, e.occurred_at "
        "as ends_on, e.ip as ended_by, cast(null as varchar) as missing from raw.web_events as e",
        encoding="utf-8",
    )
    outcome = run_cycle(site, DAY)
    assert [(failure.step, failure.exit_code) for failure in outcome.failures] == [("policy", 3)]
    with open_warehouse(site, Settings.load(site)) as warehouse:
        assert not warehouse.value("select count(*) from purposes.web_security where ended_by like '%.%.%'")
    assert not site.analytics.exists()
    assert main(["policy", "check", "--site", str(site.path)]) == 1
    assert outcome.failures[0].message in capsys.readouterr().out


def test_a_locked_warehouse_is_waited_for_and_then_told(sample_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLRING_WAREHOUSE__WAIT_SECONDS", "0.5")
    site = sample_site("locked")
    command = [sys.executable, "-c", HOLD, str(site.path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(WarehouseLocked, match="open in another process"):
            run_cycle(site, DAY)
        holder.communicate()
    assert run_cycle(site, DAY, job="ingest_deliveries").success


def test_what_is_no_site_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a site"):
        run_cycle(Site(tmp_path), DAY)
    assert list(tmp_path.iterdir()) == []


def test_a_defect_is_told_by_its_kind_and_never_by_its_text(sample_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from assets.core import assets

    def failing(*_: object, **__: object) -> None:
        raise KeyError("Sven Svensson")

    monkeypatch.setattr(assets, "rebuild", failing)
    (failure,) = run_cycle(sample_site("defect"), DAY).failures
    assert (failure.step, failure.exit_code) == ("core", None)
    assert "KeyError" in failure.message
    assert "Sven" not in failure.message
