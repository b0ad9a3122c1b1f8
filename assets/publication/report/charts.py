"""The report's charts: stacked bars, written as SVG. No browser, no network, no clock.

Each chart comes twice, for a wide and for a narrow page. Colours are CSS variables of the page, so that one drawing
serves light, dark and paper. The words are the page's: a chart says nothing that its table does not say. A library that
draws anything costs every night a second, most of it to start; these are rectangles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import accumulate
from math import ceil, floor, log10

WIDTHS = {"wide": 860, "narrow": 300}
_SERIES = 6
_AROUND, _RIGHT = 5, 20
#: From a bar or an axis to what is written beside it.
_GAP = 8
_LINE = 12
_COLUMNS_HEIGHT = 220
#: How wide a letter is at that size, in a common sans serif; the widest of a kind counts for all.
_LETTERS = {**dict.fromkeys("fijlrtI|!.,:;'()[] ", 4.0), **dict.fromkeys("mwMW%@", 10.7)}
_CAPITAL, _LETTER = 8.3, 6.5

#: What is drawn in one place: (the number of its colour, how much).
Stack = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Chart:
    """A drawing for each width, and the series that its colours stand for, in their order."""

    drawings: Mapping[str, str]
    series: tuple[str, ...]


def months_chart(rows: Sequence[tuple[date, str, int]]) -> Chart:
    """Stacked columns: month × system. `rows`: month, system, categories."""
    systems = tuple(sorted({system for _, system, _ in rows}))
    months = _months([month for month, _, _ in rows])
    stacks = _stacked([(month.isoformat()[:7], systems.index(system), number) for month, system, number in rows])
    years = [(month[:4] if month.endswith("-01") else "", stacks.get(month, [])) for month in months]
    return Chart(_drawn(lambda width: _columns(years, _colours(len(systems)), width - 50, centred=False)), systems)


def purposes_chart(rows: Sequence[tuple[str, int, int]], names: Sequence[str]) -> Chart:
    """Stacked bars: purpose × (within a year, later). `rows`: purpose's title, within a year, later."""
    stacks = [(title, list(enumerate(numbers))) for title, *numbers in rows]
    scale = _Scale.of([sum(numbers) for _, *numbers in rows])

    def draw(width: int) -> str:
        titles, plot = (335, 520) if width > WIDTHS["narrow"] else (140, 120)
        marks = [(value, str(value)) for value in scale.fitting(plot)]
        return _bars(stacks, _colours(len(names)), marks, scale.top, (titles, plot), thick=14, step=24)

    return Chart(_drawn(draw), tuple(names))


def dispositions_chart(rows: Sequence[tuple[str, int, int, int, int]], names: Sequence[str]) -> Chart:
    """Bars of equal length: each system's shares. `rows`: system and its numbers in the order of `names`."""
    stacks = [
        (system, [(rank, number / (sum(numbers) or 1)) for rank, number in enumerate(numbers)])
        for system, *numbers in sorted(rows)
    ]
    marks: list[tuple[float, str]] = [(0, "0%"), (0.5, "50%"), (1, "100%")]
    titles = ceil(max(_length(system) for system, _ in stacks)) + _GAP
    colours = _colours(len(names), prefix="disposition")

    def draw(width: int) -> str:
        return _bars(stacks, colours, marks, 1, (titles, width - 80), thick=18, step=28)

    return Chart(_drawn(draw), tuple(names))


def years_chart(rows: Sequence[tuple[str, str, int]], colours: Mapping[str, str]) -> Chart:
    """Stacked columns: year × series. `rows`: year, the series' name, fields; `colours`: each's colour on the page."""
    names = list(colours)
    stacks = _stacked([(year, names.index(name), number) for year, name, number in rows])
    years = [(year, stacks[year]) for year in sorted(stacks)]
    drawings = _drawn(lambda width: _columns(years, list(colours.values()), width - 60, centred=True))
    return Chart(drawings, tuple(names))


def _colours(count: int, prefix: str = "series") -> list[str]:
    return [f"{prefix}-{number % _SERIES + 1}" for number in range(count)]


def _months(found: Sequence[date]) -> list[str]:
    """Every month from the first to the last, as YYYY-MM: also one in which nothing falls due has its place."""
    first, last = min(found), max(found)
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    begun = first.year * 12 + first.month - 1
    return [f"{(begun + each) // 12:04d}-{(begun + each) % 12 + 1:02d}" for each in range(count)]


def _stacked(rows: Sequence[tuple[str, int, int]]) -> dict[str, list[tuple[int, float]]]:
    """Place -> its stack, from rows of place, rank and number; one rank's numbers are added up."""
    totals: dict[str, dict[int, int]] = {}
    for place, rank, number in rows:
        stack = totals.setdefault(place, {})
        stack[rank] = stack.get(rank, 0) + number
    return {place: sorted(stack.items()) for place, stack in totals.items()}


# -- drawing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scale:
    """From nothing to a round number above everything."""

    top: int

    @classmethod
    def of(cls, values: Sequence[float]) -> _Scale:
        most = max([1, *values])
        step = _round_step(most, 10)
        return cls(ceil(most / step) * step)

    def ticks(self, about: int) -> list[int]:
        """Round numbers, about so many, in whole units."""
        return list(range(0, self.top + 1, _round_step(self.top, about)))

    def fitting(self, plot: int) -> list[int]:
        """At most some six round numbers that can be written beside each other on a line of so many pixels."""
        for about in (5, 3, 2):
            ticks = self.ticks(about)
            if plot / (self.top / ticks[1]) > _length(str(ticks[-1])) + _GAP:
                return ticks
        return [0, self.top]


def _round_step(span: float, about: int) -> int:
    """The step of 1, 2 or 5 times a power of ten that parts `span` into about so many."""
    raw = span / about
    if raw <= 1:
        return 1
    power = 10 ** floor(log10(raw))
    step = next((each for each, below in ((1, 2**0.5), (2, 10**0.5), (5, 50**0.5)) if raw / power < below), 10)
    return int(step * power)


def _drawn(draw: Callable[[int], str]) -> dict[str, str]:
    """The drawing for every width."""
    return {name: draw(width) for name, width in WIDTHS.items()}


def _columns(places: Sequence[tuple[str, Stack]], colours: Sequence[str], width: int, *, centred: bool) -> str:
    """Columns over a line, one at each place, with what is written below it; lines for round numbers behind them."""
    scale = _Scale.of([sum(value for _, value in stack) for _, stack in places])
    ticks = scale.ticks(4)
    left = _AROUND + _GAP + ceil(max(_length(str(tick)) for tick in ticks))
    bottom, step = _AROUND + _COLUMNS_HEIGHT, width / len(places)
    heights = {tick: bottom - tick / scale.top * _COLUMNS_HEIGHT for tick in ticks}
    parts = [_line(left, left + width, at, "rule") for at in heights.values()]
    parts += [_text(left - _GAP, at + 4, str(tick), "end") for tick, at in heights.items()]
    for number, (label, stack) in enumerate(places):
        x = left + number * step
        for colour, below, above in _ends(stack, colours, _COLUMNS_HEIGHT / scale.top):
            parts.append(_rectangle(x + step * 0.05, bottom - above, step * 0.9, above - below, colour))
        if label:
            parts.append(_text(x + step / 2, bottom + 17, label, "middle" if centred else "start"))
    parts.append(_line(left, left + width, bottom, "rule-strong"))
    return _svg(left + width + _RIGHT, bottom + 24, parts)


def _bars(
    places: Sequence[tuple[str, Stack]], colours: Sequence[str], marks: Sequence[tuple[float, str]], top: float,
    widths: tuple[int, int], *, thick: int, step: int,
) -> str:  # fmt: skip
    """Bars from left to right, one below the other, each behind its title; `marks` are written below.

    `widths`: how much room titles have, and bars.
    """
    titles, plot = widths
    left, bottom = _AROUND + titles, _AROUND + step * len(places)
    parts = []
    for number, (title, stack) in enumerate(places):
        middle = _AROUND + step * (number + 0.5)
        parts.append(_text(left - _GAP, middle + 4, _shortened(title, titles - _GAP), "end"))
        for colour, begin, end in _ends(stack, colours, plot / top):
            parts.append(_rectangle(left + begin, middle - thick / 2, end - begin, thick, colour))
    parts.append(_line(left, left + plot, bottom, "rule-strong"))
    for value, label in marks:
        x = left + value / top * plot
        parts.append(_line(x, x, bottom, "rule-strong", down=5))
        anchor = "start" if value == 0 else "end" if value == top else "middle"
        parts.append(_text(x, bottom + 22, label, anchor))
    return _svg(left + plot + _RIGHT, bottom + 29, parts)


def _ends(stack: Stack, colours: Sequence[str], unit: float) -> Iterator[tuple[str, float, float]]:
    """Of each part that is anything: its colour, where it begins and where it ends."""
    ends = list(accumulate((value * unit for _, value in stack), initial=0.0))
    for (rank, value), begin, end in zip(stack, ends, ends[1:], strict=False):
        if value:
            yield colours[rank], begin, end


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    """The drawing, silent: the page says in words what it shows."""
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} aria-hidden="true" focusable="false">'
    return f'{opening}<g font-family="sans-serif" font-size="{_LINE}">{"".join(parts)}</g></svg>'


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
    return f'<rect {place} fill="var(--{colour})" stroke="var(--paper)" stroke-width="0.5"/>'


def _line(x1: float, x2: float, y: float, colour: str, *, down: float = 0) -> str:
    """A line across, or down from `y`; on half a pixel, so that it is sharp."""
    first, last, at = floor(x1) + 0.5, floor(x2) + 0.5, floor(y) + 0.5
    place = f'x1="{_n(first)}" x2="{_n(last)}" y1="{_n(at)}" y2="{_n(at + down)}"'
    return f'<line {place} stroke="var(--{colour})"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" fill="var(--muted)">{escape(text)}</text>'


def _n(value: float) -> str:
    """A number of pixels, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _length(text: str) -> float:
    """About how long a text is, in pixels."""
    return sum(_LETTERS.get(letter, _CAPITAL if letter.isupper() else _LETTER) for letter in text)


def _shortened(text: str, room: float) -> str:
    """As much of a text as has room."""
    if _length(text) <= room:
        return text
    lengths = accumulate(_length(letter) for letter in text)
    fitting = sum(1 for length in lengths if length <= room - _length("m"))
    return text[:fitting].rstrip() + "…"
