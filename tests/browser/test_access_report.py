"""What is shown of a person of the sample company reads well on a screen and on paper: report, letter, timeline.

None of them asks for anything outside.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Page, expect

from assets.core.building import build
from assets.ingest.registers import prepare
from assets.policy import Policy
from assets.retention.evaluation import evaluate
from assets.retention.explaining import Language
from assets.rights import requests
from assets.rights.access import gather
from assets.rights.letters import draft
from assets.rights.people import find_person
from assets.rights.reports import TIMELINES, write_folder, write_report
from assets.rights.timeline import as_page, timeline
from assets.sample.generating import SAMPLE_DAY
from tests.browser.conftest import ARTIFACTS
from tests.publication.reported import ISSUED, decided_site

pytestmark = pytest.mark.browser
#: A private person of the sample company who ordered, paid, called and gets offers.
PERSON = "K9001"


@pytest.fixture(scope="module")
def folders(browser: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Where the report stands, the draft of the answer, and the timeline."""
    site, warehouse = decided_site(tmp_path_factory, "access")
    policy = Policy.load()
    expires_on = SAMPLE_DAY + timedelta(days=30)
    report = gather(warehouse, policy, find_person(warehouse, customer=PERSON), made_at=ISSUED, expires_on=expires_on)
    prepare(warehouse)
    received = SAMPLE_DAY - timedelta(days=2)
    number = requests.add(
        warehouse, "erasure", received_on=received, at=ISSUED, customer=PERSON, verified_on=SAMPLE_DAY
    )
    build(warehouse)
    evaluate(warehouse, policy, SAMPLE_DAY)
    answer = draft(warehouse, policy, site, number, SAMPLE_DAY, None)
    assert not any("has not seen" in warning for warning in answer.warnings)
    pages: dict[str, bytes] = {
        f"timeline.{language}.html": as_page(timeline(warehouse, policy, PERSON, language), None).encode()
        for language in get_args(Language)
    }
    drawn = write_folder(site.reports / TIMELINES / "person", pages)
    return write_report(site, report, None).folder, answer.folder, drawn


def look(page: Page, path: Path, name: str) -> None:
    """Open a page, keep its picture, and print it on A4."""
    page.set_content(path.read_text(encoding="utf-8"))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
    printed = page.pdf(path=ARTIFACTS / f"{name}.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("language", "title", "purpose"),
    [
        ("sv", "Dina personuppgifter hos", "Bokföring, moms och skatteunderlag"),
        ("en", "Your personal data at", "Bookkeeping, VAT and tax records"),
    ],
)
def test_the_report_reads_in_both_languages(
    folders: tuple[Path, Path, Path], page: Page, outside_requests: list[str], language: str, title: str, purpose: str
) -> None:
    look(page, folders[0] / f"access-report.{language}.html", f"access-report-{language}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    expect(page.get_by_text(purpose)).to_be_visible()
    expect(page.get_by_text("IMY").first).to_be_visible()
    wraps = page.locator("td.until").evaluate_all("cells => cells.map(cell => getComputedStyle(cell).whiteSpace)")
    assert set(wraps) == {"nowrap"}, "no line ends within a day"
    assert outside_requests == []


@pytest.mark.parametrize(
    ("language", "subject", "heading"),
    [
        ("sv", "Svar på din begäran", "Vad som finns kvar, varför och hur länge"),
        ("en", "Answer to your request", "What stays, why and for how long"),
    ],
)
def test_the_letter_reads_in_both_languages(
    folders: tuple[Path, Path, Path], page: Page, outside_requests: list[str], language: str, subject: str, heading: str
) -> None:
    look(page, folders[1] / f"answer.{language}.html", f"answer-{language}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(subject)
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_text("IMY").first).to_be_visible()
    assert outside_requests == []


@pytest.mark.parametrize(
    ("language", "purpose"), [("sv", "Bokföring, moms och skatteunderlag"), ("en", "Bookkeeping, VAT and tax records")]
)
def test_the_timeline_is_drawn_in_both_languages(
    folders: tuple[Path, Path, Path], page: Page, outside_requests: list[str], language: str, purpose: str
) -> None:
    look(page, folders[2] / f"timeline.{language}.html", f"timeline-{language}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(PERSON)
    expect(page.get_by_text(purpose).first).to_be_visible()
    drawing = page.locator("svg").first.bounding_box()
    assert drawing is not None
    assert min(drawing["width"], drawing["height"]) > 100
    assert page.locator("svg rect, svg line, svg path").count() > 5
    assert outside_requests == []
