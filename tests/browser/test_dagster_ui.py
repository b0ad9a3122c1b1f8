"""What the data engineer sees: the asset graph reads like the way the data walks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from assets.sample.generating import generate, telling_cases
from orchestration.initialising import make_site
from tests.browser.conftest import ARTIFACTS
from tests.orchestration.conftest import DAY
from tests.orchestration.serving import ROOT, Served, serving
from tests.orchestration.test_definitions import FLOW

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DRAWN = 60_000
#: In a process of its own: Playwright's event loop runs in this one.
RUN = """
import sys
from datetime import date
from pathlib import Path
from assets.site import Site
from orchestration.running import run_cycle
sys.exit(not run_cycle(Site(Path(sys.argv[1])), date.fromisoformat(sys.argv[2])).success)
"""


@pytest.fixture(scope="module")
def served(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ui")
    site = make_site(folder / "site")
    generate(site.inbox, customers=20, seed=7, day=DAY, cases=telling_cases())
    subprocess.run([sys.executable, "-c", RUN, str(site.path), DAY.isoformat()], cwd=ROOT, check=True)
    with serving(site, folder / "server.log") as running:
        running.ask("mutation { setNuxSeen }")
        yield running


def shot(page: Page, name: str) -> Path:
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    page.screenshot(path=path)
    return path


def shown(page: Page, text: str) -> Locator:
    return page.get_by_text(text, exact=True).filter(visible=True)


def left_of(page: Page, group: str) -> float:
    """Where a group stands in the drawing, which is to the right of the list."""
    boxes = [each.bounding_box() for each in shown(page, group).all()]
    return max(box["x"] for box in boxes if box is not None)


def test_the_asset_graph_reads_like_the_flow(served: Served, page: Page, outside_requests: list[str]) -> None:
    page.goto(f"{served.url}/asset-groups")
    for group in FLOW:  # in the list, and in the drawing
        expect(shown(page, group)).to_have_count(2, timeout=DRAWN)
    page.wait_for_timeout(1_000)  # the graph glides into place
    places = [left_of(page, group) for group in FLOW]
    assert shot(page, "ui-asset-graph").stat().st_size > 10_000
    assert places == sorted(places)
    assert outside_requests == []


def test_a_table_shows_what_it_is_and_its_checks(served: Served, page: Page, outside_requests: list[str]) -> None:
    page.goto(f"{served.url}/assets/retention/dispositions?view=overview")
    expect(page.get_by_text("Grain: a record and a data category").first).to_be_visible(timeout=DRAWN)
    expect(page.get_by_text("5_retention").first).to_be_visible(timeout=DRAWN)
    page.wait_for_timeout(1_000)
    shot(page, "ui-asset")
    page.goto(f"{served.url}/assets/retention/dispositions?view=checks")
    expect(page.get_by_text("Blocking").first).to_be_visible(timeout=DRAWN)
    shot(page, "ui-checks")
    assert outside_requests == []


def test_the_cycle_can_be_launched_as_of_a_day(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/locations/gallring/jobs/run_cycle/playground")
    expect(page.get_by_text("as_of").first).to_be_visible(timeout=DRAWN)
    shot(page, "ui-launchpad")


def test_the_command_lines_run_is_in_the_ui(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/locations/gallring/jobs/run_cycle/runs")
    expect(page.get_by_text("Success").first).to_be_visible(timeout=DRAWN)
    shot(page, "ui-runs")
