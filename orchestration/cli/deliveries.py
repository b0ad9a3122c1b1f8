"""What a person may ask and say about deliveries: `quarantine` and `accept`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from assets.errors import BadInput, BadUsage
from orchestration.cli.completing import sources, tables
from orchestration.cli.options import MOST, JsonOption, SiteOption, existing_site, warehouse_of
from orchestration.cli.printing import as_json, say, table

if TYPE_CHECKING:
    from assets.warehouse import Warehouse
    from orchestration.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("quarantine")(quarantine)
    app.command("accept")(accept)


def quarantine(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", autocompletion=sources, help="One source's rows alone.")
    ] = None,
    show: Annotated[
        bool,
        typer.Option("--show", help="With the rows as they were written: personal data, on the screen alone."),
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Of earlier deliveries too, while they are kept.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="How many to show.")] = 50,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Which rows were kept out, and why.

    Of each source's latest delivery: file, row, column and rule, for whoever mends the source. The heading is row 1,
    and a row whose text goes over several lines counts once, as in a spreadsheet. The rows lie in the encrypted
    warehouse until their day (`gallring copies`), and never come into any decision.
    """
    chosen, settings = existing_site(site)
    from assets.ingest.kept_out import kept_out, records_kept_out
    from assets.rights.readings import note_reading

    with warehouse_of(chosen, settings) as warehouse:
        known = _sources(warehouse, settings)
        if source is not None and source not in known:
            raise BadUsage(f"No contract names a source {source}: the sources are {', '.join(known)}.")
        found = kept_out(warehouse, source, every=every, texts=show, most=limit)
        if show:
            about = records_kept_out(warehouse, source, every=every)
            note_reading(warehouse, "quarantine_shown", source or "", about, _now())
    if json:
        as_json(found)
    elif not found:
        say("No row was kept out.")
    else:
        rows = [[each.file, each.line, each.table, each.column, each.means, *([each.text] if show else [])]
                for each in found]  # fmt: skip
        table(["file", "row", "table", "column", "why", *(["as written"] if show else [])], rows)
        if len(found) == limit:
            say(f"These are the first {limit}: --limit shows more.")
        say("Mend them in their source, or its contract; the next full delivery brings them in.")


def _sources(warehouse: Warehouse, settings: Settings) -> list[str]:
    """The contracts' sources; while no contract can be read, and rows may be set aside for it, those that delivered."""
    from assets.ingest.tables import require_intake
    from orchestration.opening import load_policy

    try:
        return sorted({contract.source for contract in load_policy(settings).contracts.values()})
    except BadInput:
        require_intake(warehouse)
        return [source for (source,) in warehouse.rows("select distinct source from intake.deliveries order by all")]


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def accept(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", autocompletion=sources, help="The source, as `gallring status` names it.")
    ],
    table_name: Annotated[str, typer.Argument(metavar="TABLE", autocompletion=tables, help="The table that blocks.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is right.")],
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Say that a table which shrank, or in which a reference came empty, is as it should be.

    A full export that lost more rows than its contract tolerates blocks, however often it comes as short: a source can
    be cut off two nights running. So does one whose column names no record any more. Ask the source's owner first. The
    word holds for the delivery that blocks now.
    """
    chosen, settings = existing_site(site)
    from assets.ingest.accepting import accept_as_right

    with warehouse_of(chosen, settings) as warehouse:
        accepted = accept_as_right(
            warehouse, source, table_name, by=by, reason=reason, at=datetime.now(settings.zone).astimezone(UTC)
        )
    if json:
        as_json({"source": source, "table": table_name, "delivery_id": accepted})
        return
    following = f"Next: gallring run --site {chosen.argument}."
    say(f"{source} {table_name} of delivery {accepted} is accepted as whole. {following}")
