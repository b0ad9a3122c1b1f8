"""The report's charts, in Vega-Lite's grammar, rendered to SVG in this process: no browser, no network, no clock.

Each chart comes twice, for a wide and for a narrow page. Colours are CSS variables of the page, so that one drawing
serves light, dark and paper. The words are the page's: a chart says nothing that its table does not say. Altair, which
writes the same grammar, judges every chart in the tests; importing it each night would cost more than drawing does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

WIDTHS = {"wide": 860, "narrow": 300}
#: The version of Vega-Lite that the charts are written in, as vl-convert names it.
VEGA_LITE = "6.4"
_SPOKEN = re.compile(r' (?:role|aria-[a-z]+|aria-roledescription|pointer-events)="[^"]*"')
_SERIES = 6

#: A chart or a part of one in Vega-Lite's grammar.
Grammar = dict[str, Any]


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

    def draw(width: int) -> Grammar:
        labels = "slice(datum.value, 5) == '01' ? slice(datum.value, 0, 4) : ''"
        axis = {"labelExpr": labels, "ticks": False, "labelAngle": 0, "labelOverlap": False, "labelAlign": "left"}
        return {
            "mark": {"type": "bar"},
            "encoding": {
                "x": {"field": "month", "type": "ordinal", "sort": months, "title": None, "axis": axis},
                "y": _COUNTED,
                "color": _colour(systems),
            },
            "width": width - 50,
            "height": 220,
        }

    return Chart(_drawn(values, draw), systems)


def purposes_chart(rows: Sequence[tuple[str, int, int]], names: Sequence[str]) -> Chart:
    """Stacked bars: purpose × (within a year, later). `rows`: purpose's title, within a year, later."""
    order = [title for title, _, _ in rows]
    values = [
        {"purpose": title, "series": names[rank], "rank": rank, "value": number}
        for title, *numbers in rows
        for rank, number in enumerate(numbers)
        if number
    ]

    def draw(width: int) -> Grammar:
        roomy = width > WIDTHS["narrow"]
        titles = {"minExtent": 280 if roomy else 140, "labelLimit": 330 if roomy else 128}
        numbers = {"tickCount": 5 if roomy else 3, "format": "d", "tickMinStep": 1}
        return {
            "mark": {"type": "bar", "height": 14},
            "encoding": {
                "y": {"field": "purpose", "type": "nominal", "sort": order, "title": None, "axis": titles | _BARE},
                "x": {"field": "value", "type": "quantitative", "title": None, "stack": "zero", "axis": numbers},
                "color": _colour(names),
            },
            "width": width - (340 if roomy else 180),
            "height": {"step": 24},
        }

    return Chart(_drawn(values, draw), tuple(names))


def dispositions_chart(rows: Sequence[tuple[str, int, int, int, int]], names: Sequence[str]) -> Chart:
    """Bars of equal length: each system's shares. `rows`: system and its numbers in the order of `names`."""
    values = [
        {"system": system, "series": names[rank], "rank": rank, "value": number}
        for system, *numbers in rows
        for rank, number in enumerate(numbers)
        if number
    ]

    def draw(width: int) -> Grammar:
        shares = {"format": "%", "values": [0, 0.5, 1]}
        return {
            "mark": {"type": "bar", "height": 18},
            "encoding": {
                "y": {"field": "system", "type": "nominal", "title": None, "axis": _BARE},
                "x": {"field": "value", "type": "quantitative", "title": None, "stack": "normalize", "axis": shares},
                "color": _colour(names, prefix="--disposition-"),
            },
            "width": width - 80,
            "height": {"step": 28},
        }

    return Chart(_drawn(values, draw), tuple(names))


def years_chart(rows: Sequence[tuple[str, str, int]], colours: Mapping[str, str]) -> Chart:
    """Stacked columns: year × series. `rows`: year, the series' name, fields; `colours`: each's colour on the page."""
    names = list(colours)
    years = sorted({year for year, _, _ in rows})
    values = [{"year": year, "series": name, "rank": names.index(name), "value": number} for year, name, number in rows]

    def draw(width: int) -> Grammar:
        axis = {"ticks": False, "labelAngle": 0}
        return {
            "mark": {"type": "bar"},
            "encoding": {
                "x": {"field": "year", "type": "ordinal", "sort": years, "title": None, "axis": axis},
                "y": _COUNTED,
                "color": _coloured(names, [f"var(--{colour})" for colour in colours.values()]),
            },
            "width": width - 60,
            "height": 220,
        }

    return Chart(_drawn(values, draw), tuple(names))


def _colour(series: Sequence[str], prefix: str = "--series-") -> Grammar:
    return _coloured(series, [f"var({prefix}{number % _SERIES + 1})" for number in range(len(series))])


def _coloured(series: Sequence[str], colours: Sequence[str]) -> Grammar:
    scale = {"domain": list(series), "range": list(colours)}
    return {"field": "series", "type": "nominal", "scale": scale, "legend": None}


def _months(found: Sequence[date]) -> list[str]:
    """Every month from the first to the last, as YYYY-MM."""
    first, last = min(found), max(found)
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    begun = first.year * 12 + first.month - 1
    return [f"{(begun + each) // 12:04d}-{(begun + each) % 12 + 1:02d}" for each in range(count)]


def _drawn(values: Sequence[Mapping[str, Any]], draw: Callable[[int], Grammar]) -> dict[str, str]:
    """The drawing for every width, silent: the page says in words what it shows."""
    import vl_convert

    made = {}
    for name, width in WIDTHS.items():
        chart = {"data": {"values": values}, **draw(width), "config": _LOOK}
        chart["encoding"]["order"] = {"field": "rank", "type": "quantitative"}
        svg = vl_convert.vegalite_to_svg(json.dumps(chart, sort_keys=True), vl_version=VEGA_LITE)
        opening, _, body = _SPOKEN.sub("", svg).partition(">")
        made[name] = f'{opening} aria-hidden="true" focusable="false">{body}'
    return made


_BARE: Grammar = {"ticks": False, "domain": False}

#: Numbers upwards, added up where several fall on one place.
_COUNTED: Grammar = {
    "field": "value",
    "type": "quantitative",
    "aggregate": "sum",
    "title": None,
    "axis": {"tickCount": 4, "tickMinStep": 1, "format": "d"},
}

_LOOK: Grammar = {
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
