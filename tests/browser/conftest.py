"""A headless Chromium, and pages that reach this machine alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
#: How long, in milliseconds, anything may take to be drawn: a machine that others use is slow, and nothing is timed.
PATIENCE = 600_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Missing, it is a failure in CI and a reason to skip elsewhere.

    Closed with its module: while Playwright runs, its event loop is in the way of any other of this process.
    """
    path = shutil.which("chromium")
    if path is None:
        reason = "chromium is not installed: `apt-get install chromium` lets the browser tests run"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=PATIENCE)
        yield launched
        launched.close()


@pytest.fixture
def outside_requests() -> list[str]:
    """The addresses outside this machine that a page asked for. Each was refused."""
    return []


@pytest.fixture
def page(browser: Browser, outside_requests: list[str]) -> Iterator[Page]:
    """A page of a common laptop's size."""
    opened = browser.new_page(viewport={"width": 1600, "height": 900})
    opened.set_default_timeout(PATIENCE)

    def at_home_alone(route: Route) -> None:
        address = route.request.url
        if address.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            outside_requests.append(address)
            route.abort()

    opened.route("**/*", at_home_alone)
    yield opened
    opened.close()
