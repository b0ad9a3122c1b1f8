"""Legal holds: `hold place`, `release`, `list` and `review`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from assets.errors import BadUsage, NeedsPerson
from orchestration.cli.desk import OnOption, desk, warn_of_twins
from orchestration.cli.options import JsonOption, PolicyOption, SiteOption, given_day, trimmed
from orchestration.cli.printing import as_json, say, table

if TYPE_CHECKING:
    from assets.rights.holds import Record
    from assets.site import Site

verbs = typer.Typer(help="Legal holds: what stays, whatever the clocks say.", no_args_is_help=True,
                    rich_markup_mode=None)  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="hold")


@verbs.command("place")
def place_hold(
    reason: Annotated[str, typer.Option("--reason", help="dispute, claim, court, authority, audit, insurance, "
                                        "complaint or other.")],
    reviewer: Annotated[str, typer.Option("--reviewer", help="The role that looks at it again; no name.")],
    record: Annotated[tuple[str, str] | None, typer.Option("--record", metavar="RECORD KEY", callback=trimmed,
                                                           help="One record: its type and key.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="KEY", callback=trimmed,
                                                 help="A customer, with every record of theirs.")] = None,
    query: Annotated[str | None, typer.Option("--query", metavar="SQL", help="Records that a query over the published "
                                              "tables names as record_type and record_key.")] = None,
    fields: Annotated[list[str] | None, typer.Option("--field", help="A field; repeat it. [default: all]")] = None,
    on: OnOption = None,
    review: Annotated[str | None, typer.Option("--review", metavar="DATE", help="Look again on. [P6M]")] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Also what no source has delivered.")] = False,
    site: SiteOption = None,
    policy: PolicyOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Place a hold: on a record, a customer, or what a query names."""
    from assets.rights.holds import held_already, place

    day, review_on = given_day(on, "--on"), given_day(review, "--review")
    with desk(site, policy) as at:
        placed_on = at.happened(day, "--on")
        records = _named(at.site, record, customer, query)
        numbers = place(
            at.warehouse, records, reason=reason, reviewer=reviewer, placed_on=placed_on, at=at.now,
            fields=fields or (), review_on=review_on, allow_unknown=unknown,
        )  # fmt: skip
        twins = held_already(at.warehouse, numbers)
    warn_of_twins(numbers[0].partition(".")[0], twins, "released")
    if json:
        as_json(numbers)
    else:
        say(f"{numbers[0].partition('.')[0]} holds {len(records)} record(s) from the next evaluation on. "
            f"Next: gallring run --site {at.site.argument}")  # fmt: skip


def _named(site: Site, record: tuple[str, str] | None, customer: str | None, query: str | None) -> list[Record]:
    from assets.rights.holds import Record, chosen_by

    if sum(given is not None for given in (record, customer, query)) != 1:
        raise BadUsage("A hold names one of --record, --customer and --query.")
    if query is not None:
        return chosen_by(site, query)
    return [Record(*record)] if record is not None else [Record("customer", customer or "")]


@verbs.command("release")
def release_hold(
    hold: Annotated[str, typer.Argument(metavar="ID", callback=trimmed, help="The hold, or the stem of several.")],
    on: OnOption = None,
    site: SiteOption = None,
) -> None:
    """Release a hold; what fell due meanwhile leaves in the first cycle after its last day."""
    from assets.rights.holds import release

    day = given_day(on, "--on")
    with desk(site) as at:
        last = at.happened(day, "--on")
        numbers = release(at.warehouse, hold, last, at.now)
    say(f"Released: {len(numbers)} hold(s), last day {last}.")


@verbs.command("list")
def list_holds(
    every: Annotated[bool, typer.Option("--all", help="The released ones too.")] = False,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """The holds that stand, and when each is to be looked at again."""
    from assets.rights.holds import holding_nothing
    from assets.rights.holds import holds as read
    from orchestration.cli.cycle import tell_holding_nothing

    with desk(site) as at:
        nothing = holding_nothing(at.warehouse, at.today)
        found = [hold for hold in read(at.warehouse, at.today) if every or hold.state != "released"]
    tell_holding_nothing(nothing)
    if json:
        as_json(found)
        return
    table(
        ["hold", "record", "key", "fields", "placed", "released", "reason", "reviewer", "review", "state"],
        [[hold.hold_id, hold.record_type, hold.record_key, hold.fields, hold.placed_on, hold.released_on, hold.reason,
          hold.reviewer, hold.review_on, hold.state] for hold in found],
    )  # fmt: skip


@verbs.command("review")
def review_holds(
    hold: Annotated[
        str | None, typer.Argument(metavar="[ID]", callback=trimmed, help="A hold that was looked at and stays.")
    ] = None,
    on: OnOption = None,
    next_review: Annotated[str | None, typer.Option("--next", metavar="DATE", help="Look again on. [P6M]")] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Which holds are due for review and what fell due under hold; with ID: note that it was reviewed and stays.

    Exit code 4 while a review is due.
    """
    from assets.rights.holds import fallen_due, review
    from assets.rights.holds import holds as read

    day, again = given_day(on, "--on"), given_day(next_review, "--next")
    with desk(site) as at:
        if hold is not None:
            looked = at.happened(day, "--on")
            due_on = review(at.warehouse, hold, looked, at.now, again)
            as_json({"hold": hold, "review_on": due_on}) if json else say(
                f"Reviewed; to be looked at again on {due_on}."
            )
            return
        due = [each for each in read(at.warehouse, day or at.today) if each.state == "review_due"]
        count, kept = fallen_due(at.warehouse)
    if json:
        as_json({"reviews_due": due, "fallen_due": count, "records": kept})
    else:
        _tell_held(count, kept)
    if due:
        named = ", ".join(f"{each.hold_id} (since {each.review_on})" for each in due[:20])
        raise NeedsPerson(f"{len(due)} hold(s) are due for review: {named}. Release it, or `gallring hold review ID`.")


def _tell_held(count: int, kept: Sequence[object]) -> None:
    from orchestration.cli.cycle import tell_rows

    say(f"{count} record(s) fell due and are kept by a hold alone.")
    tell_rows("They leave in the first cycle after the hold's release", kept)
