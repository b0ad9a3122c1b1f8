"""Looking ahead, showing and examining: `forecast`, `report`, `doctor`.

The first two read what the last run published, also during another run.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from assets.errors import CheckFailed
from orchestration.cli.options import JsonOption, SiteOption, existing_site
from orchestration.cli.printing import as_json, say, table


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("forecast")(forecast)
    app.command("report")(report)
    app.command("doctor")(doctor)


def forecast(
    months: Annotated[int, typer.Option("--months", help="How many months, from that of the last evaluation.")] = 12,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """What will fall due, by month, system and purpose.

    As the last run saw it: data categories of records, under the purpose that is the last to let go of them. What is
    in doubt (a claim without its trigger, a record without its parent) a person may have to look at first.
    """
    chosen, _ = existing_site(site)
    from assets.retention.forecasting import forecast as look_ahead

    found = look_ahead(chosen, months)
    if json:
        as_json(found.to_json())
        return
    say(f"As evaluated on {found.as_of}, {found.months} months:")
    table(
        ["month", "system", "purpose", "records", "data categories", "in doubt"],
        [[f"{line.month:%Y-%m}", line.system, line.purpose, line.records, line.categories, line.in_doubt]
         for line in found.lines],
    )  # fmt: skip
    say(f"Later: {found.later} (in doubt: {found.later_in_doubt}). Without an end yet: {found.without_end}.")


def report(site: SiteOption = None, json: JsonOption = False) -> None:
    """Write the retention report anew.

    Every run writes it; this does so without a run, from what the last one published.
    """
    chosen, settings = existing_site(site)
    from assets.publication.report.building import build_report
    from orchestration.opening import open_reader

    with open_reader(chosen, settings) as reader:
        written = build_report(chosen, reader)
    if json:
        as_json(written)
        return
    say(f"{written.page} tells how things stand on {written.as_of}; beside it: "
        f"{', '.join(path.name for path in written.files if path != written.page)}.")  # fmt: skip


def doctor(site: SiteOption = None, json: JsonOption = False) -> None:
    """Examine a site, and say how to mend it.

    Keys, modes, policy, versions, disk, runs that died, clocks, transports. Exit code 1 when something is wrong.
    """
    from orchestration.doctor import examine
    from orchestration.settings import chosen_site

    found = examine(chosen_site(site), datetime.now(UTC))
    wrong = [each for each in found if each.verdict == "error"]
    if json:
        as_json(found)
    else:
        table(["", "subject", "found"], [[each.verdict, each.subject, each.found] for each in found])
        for each in found:
            if each.mend:
                say(f"\n{each.verdict}: {each.subject}: {each.found}\n  {each.mend}")
    if wrong:
        raise CheckFailed(f"{len(wrong)} of {len(found)} things are wrong with this site: see above.")
