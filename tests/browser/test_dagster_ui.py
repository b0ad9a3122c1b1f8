"""What the data engineer does in Dagster's web UI: run the cycle, look at what came of it, approve, meet a red check.

One `gallring ui` for all of it, on a site that no cycle has run on yet; the tests go in their order, as a morning does,
and the last one stops it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from assets.models import SQL
from assets.sample.generating import generate, telling_cases
from assets.site import Site
from orchestration.initialising import make_site
from orchestration.opening import open_warehouse
from orchestration.running import CycleOutcome
from orchestration.settings import Settings
from tests.browser.conftest import ARTIFACTS, PATIENCE
from tests.orchestration.conftest import DAY
from tests.orchestration.conftest import cycled as cycled
from tests.orchestration.serving import Served, serving, still_there
from tests.orchestration.test_definitions import FLOW
from tests.orchestration.test_running import manifests_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
JOBS = "locations/gallring/jobs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = make_site(tmp_path_factory.mktemp("ui") / "site")
    generate(made.inbox, customers=20, seed=7, day=DAY, cases=telling_cases())
    return made


@pytest.fixture(scope="module")
def served(cycled: object, site: Site) -> Iterator[Served]:
    """The server. The command line's run comes before the browser: Playwright's event loop would be in its way."""
    with serving(site, site.path.parent / "server.log") as running:
        running.ask("mutation { setNuxSeen }")
        yield running


def shot(page: Page, name: str) -> Path:
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    page.screenshot(path=path)
    return path


def shown(page: Page, text: str) -> Locator:
    return page.get_by_text(text, exact=True).filter(visible=True)


def fill_in(page: Page, served: Served, job: str, config: str) -> None:
    """Open a job's launchpad and write its config."""
    page.goto(f"{served.url}/{JOBS}/{job}/playground")
    editor = page.locator(".CodeMirror").first
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(config)
    expect(page.get_by_text("No errors")).to_be_visible(timeout=PATIENCE)


def launch(page: Page, served: Served, outcome: str) -> str:
    """Press the launchpad's button and come back to the run's page at its end; its id.

    Who stays has the server tell each of a thousand events as it comes, for longer than the run itself takes.
    """
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    run_page = page.url
    run_id = run_page.split("/runs/")[1][:36]
    page.goto("about:blank")
    served.finished(run_id)
    page.goto(run_page)
    expect(shown(page, outcome).first).to_be_visible(timeout=PATIENCE)
    return run_id


def test_what_is_served_has_the_jobs_and_opens_no_warehouse(served: Served, site: Site) -> None:
    answer = served.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }")
    assert "run_cycle" in str(answer)
    assert site.path.is_dir()
    assert not site.warehouse.exists()


def test_the_cycle_is_launched_as_of_a_day_and_seals_what_the_command_line_does(
    served: Served, page: Page, site: Site, cycled: tuple[Site, CycleOutcome], outside_requests: list[str]
) -> None:
    fill_in(page, served, "run_cycle", f"as_of: '{DAY}'\n")
    expect(page.get_by_text("The day of evaluation, YYYY-MM-DD").first).to_be_visible(timeout=PATIENCE)
    shot(page, "ui-launchpad")
    run_id = launch(page, served, "Success")
    shot(page, "ui-run")
    tags = served.finished(run_id)["tags"]
    assert {"key": "gallring/as_of", "value": DAY.isoformat()} in tags
    assert manifests_of(site)
    assert manifests_of(site) == manifests_of(cycled[0])
    assert outside_requests == []


def test_a_manifest_is_approved_from_the_launchpad(served: Served, page: Page, site: Site) -> None:
    manifest_id = min(path.name for path in (site.outbox / "crm").iterdir())
    fill_in(page, served, "approve_manifest", f"manifest_id: {manifest_id}\nby: Astrid Testsson\nreason: looked at\n")
    shot(page, "ui-approval")
    launch(page, served, "Success")
    with open_warehouse(site, Settings.load(site)) as warehouse:
        states = warehouse.rows(
            "select distinct state, by_whom from manifest.events where manifest_id = $id", {"id": manifest_id}
        )
    assert ("approved", "Astrid Testsson") in states


def left_of(page: Page, group: str) -> float:
    """Where a group stands in the drawing, which is to the right of the list."""
    boxes = [each.bounding_box() for each in shown(page, group).all()]
    return max(box["x"] for box in boxes if box is not None)


def test_the_asset_graph_reads_like_the_flow(served: Served, page: Page, outside_requests: list[str]) -> None:
    page.goto(f"{served.url}/asset-groups")
    for group in FLOW:  # in the list, and in the drawing
        expect(shown(page, group)).to_have_count(2, timeout=PATIENCE)
    page.wait_for_timeout(1_000)  # the graph glides into place
    places = [left_of(page, group) for group in FLOW]
    assert shot(page, "ui-asset-graph").stat().st_size > 10_000
    assert places == sorted(places)
    assert outside_requests == []


def test_a_table_shows_what_it_is_and_whose_data_it_holds(
    served: Served, page: Page, outside_requests: list[str]
) -> None:
    page.goto(f"{served.url}/assets/raw/crm_customers?view=overview")
    expect(page.get_by_text("personal-data: national_id").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Freshness policy").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("data-engineering").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("as crm/customers delivers them").filter(visible=True).first).to_be_visible(
        timeout=PATIENCE
    )
    expect(page.get_by_text("Personnummer or samordningsnummer").first).to_be_visible(timeout=PATIENCE)
    page.wait_for_load_state("networkidle")  # the history and the icons
    shot(page, "ui-asset")
    page.goto(f"{served.url}/assets/retention/dispositions?view=checks")
    expect(page.get_by_text("Blocking").first).to_be_visible(timeout=PATIENCE)
    shot(page, "ui-checks")
    assert outside_requests == []


def test_a_blocked_check_is_red_with_its_reason(served: Served, page: Page, site: Site) -> None:
    """Somebody edits a purpose so that its claims never end: the evaluation is stopped before anything is sealed."""
    purpose = site.policy / "purposes" / "web_security.sql"
    kept = (SQL / "purposes" / purpose.name).read_text(encoding="utf-8")
    ends = "add_months(web_event.occurred_on, security.months) + security.days as ends_on"
    assert ends in kept
    before = manifests_of(site)
    purpose.write_text(kept.replace(ends, "cast(null as date) as ends_on"), encoding="utf-8")
    try:
        fill_in(page, served, "run_cycle", f"as_of: '{DAY}'\n")
        launch(page, served, "Failure")
    finally:
        purpose.unlink()
    shot(page, "ui-run-blocked")
    assert manifests_of(site) == before
    page.goto(f"{served.url}/assets/retention/purpose_claims?view=checks&checkDetail=claims_have_an_end_or_a_reason")
    expect(shown(page, "Failed").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("unexpected").first).to_be_visible(timeout=PATIENCE)
    shot(page, "ui-check-blocked")


def test_the_history_of_runs_tells_them_apart(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/{JOBS}/run_cycle/runs")
    for outcome in ("Success", "Failure"):
        expect(page.get_by_text(outcome).first).to_be_visible(timeout=PATIENCE)
    shot(page, "ui-runs")
    page.goto(f"{served.url}/automation")
    for name in ("nightly_cycle", "weekly_verification", "monthly_register_review", "attention_needed"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("At 04:30 AM").first).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(500)
    shot(page, "ui-automation")


def test_nothing_is_left_running_when_it_is_stopped(served: Served) -> None:
    sessions = served.notice()
    served.stop()
    assert sessions
    deadline = time.monotonic() + 10  # what was killed takes a moment to end
    while any(still_there(session) for session in sessions) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [still_there(session) for session in sessions] == [[] for _ in sessions]
