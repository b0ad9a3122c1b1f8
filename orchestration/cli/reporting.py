"""Looking ahead: `forecast`. Reads what the last run published, so it can be asked while one is under way."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.options import JsonOption, SiteOption, existing_site
from orchestration.cli.printing import as_json, say, table


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("forecast")(forecast)


def forecast(
    months: Annotated[int, typer.Option("--months", help="How many months, from that of the last evaluation.")] = 12,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """What will fall due, by month, system and purpose.

    As the last run saw it: data categories of records, under the purpose that is the last to let go of them.
    """
    chosen, _ = existing_site(site)
    from assets.retention.forecasting import forecast as look_ahead

    found = look_ahead(chosen, months)
    if json:
        as_json(found.to_json())
        return
    say(f"As evaluated on {found.as_of}, {found.months} months:")
    table(
        ["month", "system", "purpose", "records", "data categories"],
        [[f"{line.month:%Y-%m}", line.system, line.purpose, line.records, line.categories] for line in found.lines],
    )
    say(f"Later: {found.later}. Without an end yet: {found.without_end}.")
