"""The report's charts are sound Vega-Lite, of the version that they are drawn by."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import altair
import pytest
import vl_convert
from jsonschema import ValidationError

from assets.publication.report.charts import (
    VEGA_LITE,
    WIDTHS,
    Chart,
    dispositions_chart,
    months_chart,
    purposes_chart,
    years_chart,
)

CHARTS: dict[str, Callable[[], Chart]] = {
    "months": lambda: months_chart([(date(2026, 11, 1), "crm", 5), (date(2027, 2, 1), "orders", 7)]),
    "purposes": lambda: purposes_chart([("Accounting", 3, 4), ("Quotes", 0, 9)], ["within a year", "later"]),
    "dispositions": lambda: dispositions_chart([("crm", 1, 2, 3, 4)], ["retain", "restrict", "review", "erase"]),
    "years": lambda: years_chart([("2026", "kept", 5), ("2027", "erased", 7)], {"kept": "one", "erased": "two"}),
}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What charts hand to the renderer."""
    handed: list[dict[str, Any]] = []

    def take(chart: str, *, vl_version: str) -> str:
        assert vl_version == VEGA_LITE
        handed.append(json.loads(chart))
        return "<svg></svg>"

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", take)
    return handed


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_keeps_to_the_grammar(name: str, written: list[dict[str, Any]]) -> None:
    """Nothing else would tell of a misspelt word: what a renderer does not know it leaves out."""
    CHARTS[name]()
    assert len(written) == len(WIDTHS)
    for chart in written:
        altair.Chart.from_dict(chart)
        chart["encoding"]["y"]["axsi"] = chart["encoding"]["y"].pop("axis")
        with pytest.raises(ValidationError):
            altair.Chart.from_dict(chart)


def test_they_are_written_in_the_version_that_altair_knows() -> None:
    """Another Altair, another version: look at the charts again."""
    assert altair.SCHEMA_VERSION.lstrip("v").rpartition(".")[0] == VEGA_LITE
    assert VEGA_LITE in vl_convert.get_vegalite_versions()


def test_drawing_them_imports_no_altair() -> None:
    """A quarter of a second, each night."""
    code = (
        "import sys; from assets.publication.report.charts import years_chart\n"
        "drawn = years_chart([('2026', 'kept', 5)], {'kept': 'one'}).drawings\n"
        "assert all(each.startswith('<svg') and '2026' in each for each in drawn.values())\n"
        "assert 'altair' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
