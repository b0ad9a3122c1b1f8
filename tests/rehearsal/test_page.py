"""A rehearsed policy as a page: what it shows, and that it needs nothing else."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from assets.rehearsal.page import CALLED, COLOURS, render, write_page
from assets.rehearsal.simulating import DIRECTIONS, Example, Flip, Simulation
from tests.publication.reported import read_page

FOUND = Simulation(
    as_of=date(2026, 11, 22),
    policy="Familjefilm 2026-11-22 (aaaaaaaa)",
    other="Familjefilm <2027> (bbbbbbbb)",
    fields=19,
    erased_at_once=7,
    flips=(
        Flip("erased_at_once", "crm", "customer_care", 2026, 7),
        Flip("shorter", "crm", "customer_care", 2027, 9),
        Flip("longer", "orders", None, None, 3),
    ),
    examples=(
        Example("erased_at_once", "crm", "interaction", "I1", "content", "retain", date(2027, 1, 1), "erase", None,
                "customer_care", "customer_care no longer holds it, and nothing else does"),
    ),
)  # fmt: skip


def test_the_page_tells_the_numbers_and_shouts_what_would_go_at_once(tmp_path: Path) -> None:
    page = render(FOUND)
    write_page(FOUND, tmp_path / "page.html")
    assert '<li class="alarm"><strong>7</strong>' in page
    rows = [[cell.text for cell in row.all("th", "td")] for row in read_page(tmp_path / "page.html").all("tr")]
    assert ["2026", "erased at once", "7"] in rows
    assert ["no end", "kept for a longer time", "3"] in rows
    assert ["interaction I1", "content", "retain until 2027-01-01", "erase", FOUND.examples[0].reason] in rows


def test_there_is_a_drawing_for_wide_and_narrow() -> None:
    page = render(FOUND)
    assert page.count("<svg") == 2
    assert 'class="narrow"' in page


def test_it_asks_no_other_server_and_quotes_what_it_is_given() -> None:
    page = render(FOUND)
    assert not re.search(r"(?:src|href)=\"(?!data:,\")|@import|url\((?!#)", page)
    assert "default-src 'none'" in page
    assert "&lt;2027&gt;" in page


def test_the_same_simulation_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_page(FOUND, tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_policy_that_changes_nothing_says_so() -> None:
    nothing = Simulation(FOUND.as_of, FOUND.policy, FOUND.other, 0, 0, (), ())
    assert "decided as it is today" in render(nothing)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_direction_has_a_name(direction: str) -> None:
    assert CALLED[direction]
    assert list(COLOURS.values()).count(COLOURS[direction]) == 1
