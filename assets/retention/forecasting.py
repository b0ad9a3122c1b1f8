"""What will fall due, by month, system and purpose, as the last evaluation saw it.

Reads the published file (`retention.forecast`, `retention.dispositions`) and adds up; decides nothing, and opens
nothing that a run needs. A new word, hold or payment changes tomorrow's forecast: it is none of what will be ordered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from assets.attaching import attached
from assets.catalogue.published import of_this_version
from assets.errors import BadUsage, CheckFailed
from assets.site import Site
from assets.warehouse import Warehouse

DEFAULT_MONTHS = 12
MOST_MONTHS = 1200


@dataclass(frozen=True)
class ForecastLine:
    """What one purpose lets go of in one system during a month. `month` is its first day.

    Of the `categories` a person may have to look at `in_doubt` first: a claim on them is in doubt, or the record's
    parent is unknown.
    """

    month: date
    system: str
    purpose: str
    records: int
    categories: int
    in_doubt: int


@dataclass(frozen=True)
class Forecast:
    """The months from that of the day of evaluation on.

    `categories` count data categories of records in which a field holds a value: those that fall due in the lines,
    those that do so `later` (of these `later_in_doubt`, as in the lines), and those `without_end` (open-ended, or
    frozen by Art 18). Together they are all that is kept.
    """

    as_of: date
    months: int
    lines: tuple[ForecastLine, ...]
    later: int
    later_in_doubt: int
    without_end: int

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: a month as YYYY-MM."""
        lines = [
            {"month": line.month.strftime("%Y-%m"), "system": line.system, "purpose": line.purpose,
             "records": line.records, "categories": line.categories, "in_doubt": line.in_doubt}
            for line in self.lines
        ]  # fmt: skip
        return {
            "as_of": self.as_of.isoformat(),
            "months": self.months,
            "lines": lines,
            "later": self.later,
            "later_in_doubt": self.later_in_doubt,
            "without_end": self.without_end,
        }


def forecast(site: Site, months: int = DEFAULT_MONTHS) -> Forecast:
    """What falls due in the month of the last evaluation and the `months` - 1 after it.

    Raises:
        BadUsage: `months` is no number of months.
        CheckFailed: nothing has been published yet, or not by this version.
    """
    if not 1 <= months <= MOST_MONTHS:
        raise BadUsage(f"--months {months} is no number of months: give 1 to {MOST_MONTHS}.")
    if not site.analytics.exists():
        raise CheckFailed(f"Nothing has been run on {site.path} yet: `gallring run --site {site.argument}` does it.")
    with (
        Warehouse.in_memory() as reader,
        attached(reader, site.analytics, "site", read_only=True),
        of_this_version(reader, site),
    ):
        return read_forecast(reader, months)


def read_forecast(reader: Warehouse, months: int) -> Forecast:
    """The forecast of the published file that `reader` has attached as `site`."""
    as_of = reader.value("select as_of from site.about")
    params = {"months": months}
    lines = reader.rows(
        """
        select month, system, purpose, cast(sum(records) as bigint), cast(sum(categories) as bigint),
            cast(sum(in_doubt) as bigint)
        from site.retention.forecast
        where month < add_months(date_trunc('month', as_of)::date, $months)
        group by month, system, purpose
        order by month, system, purpose
        """,
        params,
    )
    ((later, later_in_doubt),) = reader.rows(
        "select coalesce(sum(categories), 0)::bigint, coalesce(sum(in_doubt), 0)::bigint from site.retention.forecast "
        "where month >= add_months(date_trunc('month', as_of)::date, $months)",
        params,
    )
    without_end = reader.value(
        "select count(*) from site.retention.dispositions "
        "where disposition in ('retain', 'restrict') and has_value and keep_until is null"
    )
    return Forecast(as_of, months, tuple(ForecastLine(*line) for line in lines), later, later_in_doubt, without_end)
