"""A rehearsed policy as one page for whoever decides: what would change, by year, with the numbers in tables.

Draws and words what `assets.rehearsal.simulating` found; decides nothing. The page asks no other server for anything.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from markupsafe import Markup

from assets.publication.report.charts import years_chart
from assets.publication.report.rendering import FOLDER, template
from assets.rehearsal.simulating import DIRECTIONS, Simulation
from assets.writing import write_whole

TEMPLATE = "rehearsal.html.j2"
#: What each direction is called, the gravest first.
CALLED = {
    "erased_at_once": "erased at once",
    "to_review": "to be looked at by a person",
    "restricted": "restricted, for a duty alone",
    "released": "back in ordinary use",
    "kept_again": "kept after all",
    "shorter": "kept for a shorter time",
    "longer": "kept for a longer time",
}
#: The colour of each direction, among those of the report.
COLOURS = {
    "erased_at_once": "disposition-4", "to_review": "disposition-3", "restricted": "disposition-2",
    "released": "disposition-1", "kept_again": "series-3", "shorter": "series-6", "longer": "series-4",
}  # fmt: skip
#: In which year a field falls due whose end is not set.
NO_YEAR = "no end"


def write_page(found: Simulation, path: Path) -> None:
    """Write the page at `path`. The same simulation gives the same bytes."""
    write_whole(path, render(found).encode())


def render(found: Simulation) -> str:
    """The page as HTML."""
    there = [each for each in DIRECTIONS if any(flip.direction == each for flip in found.flips)]
    colours = {CALLED[each]: COLOURS[each] for each in there}
    by_year: Counter[tuple[str, str]] = Counter()
    for flip in found.flips:
        by_year[str(flip.year or NO_YEAR), CALLED[flip.direction]] += flip.fields
    rows = [(year, name, number) for (year, name), number in sorted(by_year.items())]
    chart = years_chart(rows, colours) if rows else None
    return template(TEMPLATE).render(
        found=found,
        called=CALLED,
        rows=rows,
        series=[(colour, name) for name, colour in colours.items()],
        drawings={name: Markup(svg) for name, svg in chart.drawings.items()} if chart else {},  # noqa: S704  our own
        style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704  our own file
    )
