"""The charts: every number is as long as it is large, every text is escaped and has room."""

from __future__ import annotations

import itertools
from datetime import date
from xml.etree import ElementTree

import pytest

from assets.publication.report.charts import (
    WIDTHS,
    Chart,
    dispositions_chart,
    months_chart,
    purposes_chart,
    years_chart,
)

SVG = "{http://www.w3.org/2000/svg}"
Box = dict[str, float]


def boxes(chart: Chart, width: str = "wide") -> list[tuple[str, Box]]:
    """Every rectangle with its colour."""
    drawn = ElementTree.fromstring(chart.drawings[width])
    return [
        (each.attrib["fill"], {side: float(each.attrib[side]) for side in ("x", "y", "width", "height")})
        for each in drawn.iter(f"{SVG}rect")
    ]


def texts(chart: Chart, width: str = "wide") -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(chart.drawings[width]).iter(f"{SVG}text")]


def test_columns_are_as_high_as_their_numbers_and_stand_on_each_other() -> None:
    chart = months_chart(
        [(date(2026, 12, 1), "crm", 30), (date(2026, 12, 1), "web", 10), (date(2027, 2, 1), "crm", 20)]
    )
    assert chart.series == ("crm", "web")
    (first, crm), (second, web), (third, later) = boxes(chart)
    assert (first, second, third) == ("var(--series-1)", "var(--series-2)", "var(--series-1)")
    assert crm["height"] == pytest.approx(3 * web["height"], abs=0.1)
    assert crm["height"] == pytest.approx(1.5 * later["height"], abs=0.1)
    assert web["y"] + web["height"] == pytest.approx(crm["y"], abs=0.02)
    assert later["x"] - crm["x"] == pytest.approx(2 * crm["width"] / 0.9, abs=0.1)  # January has its place
    assert {"0", "10", "20", "30", "40"} <= set(texts(chart))
    assert [text for text in texts(chart) if len(text) == 4] == ["2027"]


def test_bars_are_as_long_as_their_numbers_and_none_is_drawn_for_nothing() -> None:
    chart = purposes_chart([("Accounting", 5, 15), ("Marketing", 0, 10)], ["within a year", "later"])
    (_, near), (colour, far), (_, other) = boxes(chart)
    assert (colour, far["width"], other["width"]) == ("var(--series-2)", 390, 260)
    assert near["x"] + near["width"] == far["x"]
    assert near["x"] == other["x"]


def test_shares_are_of_equal_length_in_the_order_of_the_systems() -> None:
    chart = dispositions_chart([("web", 1, 0, 0, 3), ("crm", 9, 1, 0, 0), ("none", 0, 0, 0, 0)], ["a", "b", "c", "d"])
    assert [colour[-2] for colour, _ in boxes(chart)] == ["1", "2", "1", "4"]
    assert [box["width"] for _, box in boxes(chart)] == [702, 78, 195, 585]
    assert texts(chart)[:3] == ["crm", "none", "web"]


def test_years_take_the_colours_that_they_are_given() -> None:
    chart = years_chart([("2027", "kept", 3), ("2026", "erased", 7)], {"erased": "alarm", "kept": "series-1"})
    assert [colour for colour, _ in boxes(chart)] == ["var(--alarm)", "var(--series-1)"]
    assert chart.series == ("erased", "kept")


@pytest.mark.parametrize("most", [1, 7, 15, 99, 12_345, 987_654_321])
def test_round_numbers_fit_beside_each_other(most: int) -> None:
    chart = purposes_chart([("Accounting", most, 0)], ["within a year", "later"])
    for width in WIDTHS:
        drawn = ElementTree.fromstring(chart.drawings[width])
        written = [each for each in drawn.iter(f"{SVG}text") if (each.text or "").isdigit()]
        assert 2 <= len(written) <= 8
        places = [float(each.attrib["x"]) for each in written]
        widest = max(len(each.text or "") for each in written) * 6
        assert all(after - before > widest for before, after in itertools.pairwise(places)), places


def test_what_is_long_is_shortened_and_what_is_markup_is_escaped() -> None:
    chart = purposes_chart([("<b>Accounting</b> & the like of it, however long it may get", 1, 2)], ["now", "later"])
    assert "<b>" not in chart.drawings["narrow"]
    (title,) = [text for text in texts(chart, "narrow") if not text.isdigit()]
    assert title.startswith("<b>Acc")
    assert title.endswith("…")
    assert len(title) < 26
