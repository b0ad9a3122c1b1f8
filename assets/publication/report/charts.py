"""The report's charts, drawn by Altair and rendered to SVG in this process: no browser, no network, no clock.

Each chart comes twice, for a wide and for a narrow page. Colours are CSS variables of the page, so that one drawing
serves light, dark and paper. The words are the page's: a chart says nothing that its table does not say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

WIDTHS = {"wide": 860, "narrow": 300}
_SPOKEN = re.compile(r' (?:role|aria-[a-z]+|aria-roledescription|pointer-events)="[^"]*"')
_SERIES = 6


@dataclass(frozen=True)
class Chart:
    """A drawing for each width, and the series that its colours stand for, in their order."""

    drawings: Mapping[str, str]
    series: tuple[str, ...]


def months_chart(rows: Sequence[tuple[date, str, int]]) -> Chart:
    """Stacked columns: month × system. `rows`: month, system, categories."""
    systems = tuple(sorted({system for _, system, _ in rows}))
    months = _months([month for month, _, _ in rows])
    values = [
        {"month": month.isoformat()[:7], "series": system, "rank": systems.index(system), "value": number}
        for month, system, number in rows
    ]
    # Every month has its place, also one in which nothing falls due.
    values += [{"month": month, "series": systems[0], "rank": 0, "value": 0} for month in months]

    def draw(alt: Any, width: int) -> Any:
        labels = "slice(datum.value, 5) == '01' ? slice(datum.value, 0, 4) : ''"
        return (
            alt.Chart(alt.Data(values=values))
            .mark_bar()
            .encode(
                x=alt.X("month:O", sort=months, title=None, axis=alt.Axis(labelExpr=labels, ticks=False, labelAngle=0,
                        labelOverlap=False, labelAlign="left")),
                y=alt.Y("sum(value):Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1, format="d")),
                color=_colour(alt, systems),
                order=alt.Order("rank:Q"),
            )
            .properties(width=width - 50, height=220)
        )  # fmt: skip

    return Chart(_drawn(draw), systems)


def purposes_chart(rows: Sequence[tuple[str, int, int]], names: Sequence[str]) -> Chart:
    """Stacked bars: purpose × (within a year, later). `rows`: purpose's title, within a year, later."""
    order = [title for title, _, _ in rows]
    values = [
        {"purpose": title, "series": names[rank], "rank": rank, "value": number}
        for title, *numbers in rows
        for rank, number in enumerate(numbers)
        if number
    ]

    def draw(alt: Any, width: int) -> Any:
        roomy = width > WIDTHS["narrow"]
        return (
            alt.Chart(alt.Data(values=values))
            .mark_bar(height=14)
            .encode(
                y=alt.Y("purpose:N", sort=order, title=None, axis=alt.Axis(minExtent=280 if roomy else 140,
                        labelLimit=330 if roomy else 128,
                        ticks=False, domain=False)),
                x=alt.X("value:Q", title=None, stack="zero", axis=alt.Axis(tickCount=5 if roomy else 3, format="d",
                        tickMinStep=1)),
                color=_colour(alt, tuple(names)),
                order=alt.Order("rank:Q"),
            )
            .properties(width=width - (340 if roomy else 180), height=alt.Step(24))
        )  # fmt: skip

    return Chart(_drawn(draw), tuple(names))


def dispositions_chart(rows: Sequence[tuple[str, int, int, int, int]], names: Sequence[str]) -> Chart:
    """Bars of equal length: each system's shares. `rows`: system and its numbers in the order of `names`."""
    values = [
        {"system": system, "series": names[rank], "rank": rank, "value": number}
        for system, *numbers in rows
        for rank, number in enumerate(numbers)
        if number
    ]

    def draw(alt: Any, width: int) -> Any:
        return (
            alt.Chart(alt.Data(values=values))
            .mark_bar(height=18)
            .encode(
                y=alt.Y("system:N", title=None, axis=alt.Axis(ticks=False, domain=False)),
                x=alt.X("value:Q", title=None, stack="normalize", axis=alt.Axis(format="%", values=[0, 0.5, 1])),
                color=_colour(alt, tuple(names), prefix="--disposition-"),
                order=alt.Order("rank:Q"),
            )
            .properties(width=width - 80, height=alt.Step(28))
        )

    return Chart(_drawn(draw), tuple(names))


def years_chart(rows: Sequence[tuple[str, str, int]], colours: Mapping[str, str]) -> Chart:
    """Stacked columns: year × series. `rows`: year, the series' name, fields; `colours`: each's colour on the page."""
    names = list(colours)
    years = sorted({year for year, _, _ in rows})
    values = [{"year": year, "series": name, "rank": names.index(name), "value": number} for year, name, number in rows]

    def draw(alt: Any, width: int) -> Any:
        return (
            alt.Chart(alt.Data(values=values))
            .mark_bar()
            .encode(
                x=alt.X("year:O", sort=years, title=None, axis=alt.Axis(ticks=False, labelAngle=0)),
                y=alt.Y("sum(value):Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1, format="d")),
                color=alt.Color("series:N", legend=None, scale=alt.Scale(
                    domain=names, range=[f"var(--{colour})" for colour in colours.values()])),
                order=alt.Order("rank:Q"),
            )
            .properties(width=width - 60, height=220)
        )  # fmt: skip

    return Chart(_drawn(draw), tuple(names))


def _colour(alt: Any, series: Sequence[str], prefix: str = "--series-") -> Any:
    colours = [f"var({prefix}{number % _SERIES + 1})" for number in range(len(series))]
    return alt.Color("series:N", scale=alt.Scale(domain=list(series), range=colours), legend=None)


def _months(found: Sequence[date]) -> list[str]:
    """Every month from the first to the last, as YYYY-MM."""
    first, last = min(found), max(found)
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    begun = first.year * 12 + first.month - 1
    return [f"{(begun + each) // 12:04d}-{(begun + each) % 12 + 1:02d}" for each in range(count)]


def _drawn(draw: Any) -> dict[str, str]:
    """The drawing for every width, silent: the page says in words what it shows."""
    import altair as alt
    import vl_convert

    made = {}
    for name, width in WIDTHS.items():
        chart = draw(alt, width).configure(**_LOOK)
        svg = vl_convert.vegalite_to_svg(chart.to_json(), vl_version=_vega_lite(alt))
        opening, _, body = _SPOKEN.sub("", svg).partition(">")
        made[name] = f'{opening} aria-hidden="true" focusable="false">{body}'
    return made


def _vega_lite(alt: Any) -> str:
    """The version of Vega-Lite that Altair writes, as vl-convert names it: `6.1`."""
    return ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


_LOOK = {
    "background": "transparent",
    "padding": {"left": 5, "right": 20, "top": 5, "bottom": 5},
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": 12,
        "gridColor": "var(--rule)",
        "labelPadding": 8,
        "domainColor": "var(--rule-strong)",
        "tickColor": "var(--rule-strong)",
    },
    "axisX": {"grid": False},
    "bar": {"stroke": "var(--paper)", "strokeWidth": 0.5},
}
