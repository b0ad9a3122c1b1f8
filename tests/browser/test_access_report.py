"""What a person sees of themselves: a page that reads well on a screen and on paper, and asks for nothing outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from assets.rights.access import gather
from assets.rights.people import find_person
from assets.rights.reports import write_report
from assets.site import Site
from tests.browser.conftest import ARTIFACTS
from tests.rights.company import DAY, NOW, company, evaluated, policy

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    warehouse = evaluated(company())
    person = find_person(warehouse, customer="C1")
    report = gather(warehouse, policy(), person, made_at=NOW, expires_on=DAY)
    return write_report(Site(tmp_path_factory.mktemp("access")), report, None).folder


@pytest.mark.parametrize(
    ("language", "title", "purpose"),
    [
        ("sv", "Dina personuppgifter hos", "Nyhetsbrev (samtycke)"),
        ("en", "Your personal data at", "Newsletter (consent)"),
    ],
)
def test_the_report_reads_in_both_languages(
    folder: Path, page: Page, outside_requests: list[str], language: str, title: str, purpose: str
) -> None:
    page.set_content((folder / f"access-report.{language}.html").read_text(encoding="utf-8"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    expect(page.get_by_text(purpose)).to_be_visible()
    expect(page.get_by_text("IMY").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"access-report-{language}.png", full_page=True)
    printed = page.pdf(path=ARTIFACTS / f"access-report-{language}.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert outside_requests == []
