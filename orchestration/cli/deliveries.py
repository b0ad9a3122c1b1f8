"""What a person may say about a delivery: `accept`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestration.cli.completing import sources, tables
from orchestration.cli.options import JsonOption, SiteOption, existing_site, warehouse_of
from orchestration.cli.printing import as_json, say


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("accept")(accept)


def accept(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", autocompletion=sources, help="The source, as `gallring status` names it.")
    ],
    table: Annotated[
        str, typer.Argument(metavar="TABLE", autocompletion=tables, help="The table that is blocked for having shrunk.")
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why fewer rows are right.")],
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Say that a table which shrank is as it should be.

    A full export that lost more rows than its contract tolerates blocks, however often it comes as short: a source can
    be cut off two nights running. Ask the source's owner first. The word holds for the delivery that blocks now.
    """
    chosen, settings = existing_site(site)
    from assets.ingest.accepting import accept_shrunk_table

    with warehouse_of(chosen, settings) as warehouse:
        accepted = accept_shrunk_table(
            warehouse, source, table, by=by, reason=reason, at=datetime.now(settings.zone).astimezone(UTC)
        )
    if json:
        as_json({"source": source, "table": table, "delivery_id": accepted})
        return
    say(f"{source} {table} of delivery {accepted} is accepted as whole. Next: gallring run --site {chosen.path}.")
