"""The retention report in a browser: accessible, at home in light, dark, print and on a telephone, asking nobody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from assets.publication.report.building import build_report
from assets.site import Site
from tests.browser.conftest import ARTIFACTS
from tests.publication.reported import decided_site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
PAGES = ["index.html", "index.sv.html"]
TELEPHONE = {"width": 360, "height": 740}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def reports(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site: Site
    site, warehouse = decided_site(tmp_path_factory, "report", customers=40)
    warehouse.close()
    return build_report(site).page.parent


@pytest.fixture
def show(browser: Browser, reports: Path) -> Iterator[Open]:
    """Opens a page of the report; whatever it asks for outside its folder fails the test."""
    opened: list[Page] = []
    outside: list[str] = []

    def show_page(name: str = "index.html", *, width: int = 1280, height: int = 900, scheme: str = "light") -> Page:
        page = browser.new_page(  # what is injected here for the test is not the page's own
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            bypass_csp=True,  # type: ignore[arg-type]
        )
        opened.append(page)

        def at_home_alone(route: Route) -> None:
            if route.request.url.startswith((reports.as_uri(), "data:")):
                route.continue_()
            else:
                outside.append(route.request.url)
                route.abort()

        page.route("**/*", at_home_alone)
        page.goto((reports / name).as_uri())
        return page

    yield show_page
    for page in opened:
        page.close()
    assert outside == []


def shoot(page: Page, name: str, *, whole: bool = True) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"report-{name}.png"
    page.screenshot(path=path, full_page=whole)
    assert path.stat().st_size > 20_000


def axe() -> str:
    """The accessibility rules, from npm. Missing, it is a failure in CI and a reason to skip elsewhere."""
    if not AXE.is_file():
        reason = "axe-core is not there: `npm ci --ignore-scripts` in tests/browser lets the accessibility tests run"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return AXE.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(show: Open, name: str, width: int, scheme: str) -> None:
    rules = axe()
    page = show(name, width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    page.evaluate(rules)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [
        (each["id"], each["help"], [node["html"][:160] for node in each["nodes"][:3]]) for each in found["violations"]
    ]
    assert told == []
    assert len(page.evaluate("axe.getRules()")) > 80


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_a_telephone(show: Open, name: str) -> None:
    page = show(name, width=TELEPHONE["width"], height=TELEPHONE["height"])
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= TELEPHONE["width"]
    assert page.locator("figure .narrow").first.is_visible()
    assert not page.locator("figure .wide").first.is_visible()


def test_the_other_language_is_one_click_away_and_back(show: Open) -> None:
    page = show()
    page.get_by_role("link", name="På svenska").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Gallringsrapport"
    assert page.locator("html").get_attribute("lang") == "sv"
    page.get_by_role("link", name="In English").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Retention report"


def test_every_part_can_be_reached_from_the_contents(show: Open) -> None:
    page = show()
    links = page.get_by_role("navigation").get_by_role("link")
    assert links.count() == page.get_by_role("heading", level=2).count()
    for number in range(links.count()):
        links.nth(number).click()
        target = links.nth(number).get_attribute("href")
        assert page.evaluate("location.hash") == target
        assert page.locator(f"section{target} h2").is_visible()


def test_the_keyboard_gets_everywhere(show: Open) -> None:
    page = show()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.locator("#query-glance_due").is_visible()


def test_dark_is_dark_and_paper_is_white(show: Open) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page = show(scheme="dark")
    assert sum(map(int, page.evaluate(ground)[4:-1].split(", "))) < 120
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_print_shows_the_tables_and_hides_the_tools(show: Open) -> None:
    page = show(width=680)
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation").is_visible()
    assert not page.locator(".queries").first.is_visible()
    assert page.locator("figure .wide").first.is_visible()
    assert page.locator("#forecast_months td").first.is_visible()
    ARTIFACTS.mkdir(exist_ok=True)
    assert page.pdf(path=ARTIFACTS / "report.pdf", prefer_css_page_size=True)[:5] == b"%PDF-"


def test_screenshots_to_look_at(show: Open) -> None:
    shoot(show(), "light")
    shoot(show(), "top", whole=False)
    shoot(show(scheme="dark"), "dark")
    shoot(show("index.sv.html"), "swedish")
    shoot(show("index.sv.html", width=TELEPHONE["width"], height=TELEPHONE["height"]), "telephone")
    printed = show(width=680)
    printed.emulate_media(media="print")
    shoot(printed, "print")
