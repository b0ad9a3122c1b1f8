"""What people ask for: `request add`, `verify`, `extend`, `list` and `answer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from assets.errors import BadUsage, CheckFailed, NeedsPerson
from orchestration.cli.desk import OnOption, desk, warn_of_matches, warn_of_twins, warn_of_undated
from orchestration.cli.options import (
    ContactOption,
    CustomerOption,
    JsonOption,
    PolicyOption,
    SiteOption,
    given_day,
    trimmed,
)
from orchestration.cli.printing import as_json, complain, heading, say, table

if TYPE_CHECKING:
    from assets.rights.requests import Request

verbs = typer.Typer(help="What people asked for, and until when it is to be answered.", no_args_is_help=True,
                    rich_markup_mode=None)  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="request")


@verbs.command("add")
def add_request(
    kind: Annotated[str, typer.Option("--kind", help="erasure, access, portability, objection, withdrawal, "
                                      "restriction, rectification or termination.")],
    customer: CustomerOption = None,
    contact: ContactOption = None,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="Whoever has this address.")] = None,
    scope: Annotated[str | None, typer.Option("--scope", help="A withdrawal's: newsletter or web_statistics.")] = None,
    received: Annotated[str | None, typer.Option("--received", metavar="DATE", help="[default: today]")] = None,
    verified: Annotated[str | None, typer.Option("--verified", metavar="DATE", help="Identity verified on.")] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Enter what a person asks for; it counts from the next evaluation on.

    Exit code 4 when it reaches several people by their address: it is entered, and nobody knows yet who asks.
    """
    from assets.rights.arrivals import announce
    from assets.rights.matches import undecided_pairs
    from assets.rights.people import people_of, reached_together
    from assets.rights.requests import NEED_IDENTITY, add, asked_already, find

    came, proved = given_day(received, "--received"), given_day(verified, "--verified")
    with desk(site) as at:
        number = add(
            at.warehouse, kind, received_on=at.happened(came, "--received"), at=at.now, customer=customer,
            contact=contact, email=email, scope=scope,
            verified_on=None if proved is None else at.happened(proved, "--verified"),
        )  # fmt: skip
        entered = find(at.warehouse, number, at.today)
        twins = asked_already(at.warehouse, number, at.today)
        resolved = at.warehouse.exists("core", "people")
        people = people_of(at.warehouse, number) if resolved else []
        undecided = undecided_pairs(at.warehouse, people) if resolved else []
        together = reached_together(at.warehouse, number) if resolved else []
    announce(at.site, number)
    warn_of_twins(number, twins, "answered")
    warn_of_matches(undecided)
    if email is not None and resolved and not people:
        complain(f"No record that is known has that address: look at its spelling. {number} stands, and reaches "
                 "whoever is delivered with it.")  # fmt: skip
    if json:
        as_json(entered)
    else:
        say(f"{number} is to be answered by {entered.standing.due_on}. Next: gallring run --site {at.site.argument}")
    _require_one(together, number, "entered", counts=kind not in NEED_IDENTITY or proved is not None)


@verbs.command("verify")
def verify_request(
    request: Annotated[str, typer.Argument(metavar="ID", callback=trimmed)],
    asked: Annotated[bool, typer.Option("--asked", help="Not verified yet: the person was asked to show who they are; "
                                        "the clock is paused.")] = False,
    on: OnOption = None,
    site: SiteOption = None,
) -> None:  # fmt: skip
    """Note that the person's identity was verified, or, while it is doubted, that they were asked for it.

    Exit code 4 when the request is verified, and reaches several people by their address.
    """
    from assets.rights.arrivals import announce
    from assets.rights.people import reached_together
    from assets.rights.requests import ask, find, verify

    day = given_day(on, "--on")
    with desk(site) as at:
        (ask if asked else verify)(at.warehouse, request, at.happened(day, "--on"), at.now)
        due = find(at.warehouse, request, at.today).standing.due_on
        told_together = not asked and at.warehouse.exists("core", "people")
        together = reached_together(at.warehouse, request) if told_together else []
    if not asked:
        announce(at.site, f"{request}-verified")
    say(f"{request} is {'paused until identity is verified' if due is None else f'to be answered by {due}'}.")
    _require_one(together, request, "verified", counts=True)


def _require_one(together: Sequence[str], request: str, done: str, *, counts: bool) -> None:
    """Ask for a person where a request reaches several people by their address: it stands, for a word is kept.

    Raises:
        NeedsPerson: it does.
    """
    from assets.rights.people import told

    if not together:
        return
    who = f"{len(together)} people who have its address: {told(together)}"
    if counts:
        raise NeedsPerson(f"{request} is {done}, and counts for each of {who}. Find out who asked, and tell whoever "
                          "did not.")  # fmt: skip
    raise NeedsPerson(f"{request} is {done}, and is about {who}. Once identity is verified it counts for each of them. "
                      f"Where one alone asks, enter it for that --customer or --contact, and leave {request} "
                      "unverified.")  # fmt: skip


@verbs.command("extend")
def extend_request(
    request: Annotated[str, typer.Argument(metavar="ID", callback=trimmed)],
    on: OnOption = None,
    site: SiteOption = None,
) -> None:
    """Note that the person was told that the answer takes up to two months more."""
    from assets.rights.requests import extend

    day = given_day(on, "--on")
    with desk(site) as at:
        extended = extend(at.warehouse, request, at.happened(day, "--on"), at.now)
    say(f"{request} is extended, to be answered by {extended.standing.due_on or 'a day to come: it is paused'}.")


@verbs.command("list")
def list_requests(
    every: Annotated[bool, typer.Option("--all", help="The answered ones too.")] = False,
    on: OnOption = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """The requests and how their clocks stand; exit code 1 when one is overdue."""
    from assets.rights.requests import requests as read
    from assets.rights.requests import without_day

    day = given_day(on, "--on")
    with desk(site) as at:
        found = [each for each in read(at.warehouse, day or at.today) if every or not each.is_answered]
        undated = without_day(at.warehouse, day or at.today)
    warn_of_undated(undated)
    as_json(found) if json else _tell_requests(found)
    late = [each.request_id for each in found if each.standing.state == "overdue"]
    if late:
        raise CheckFailed(f"Overdue: {', '.join(late)}. `gallring request answer ID` drafts the answer.")


def _tell_requests(found: list[Request]) -> None:
    heading("Requests")
    table(
        ["request", "kind", "scope", "named by", "received", "verified", "due", "state", "extension", "answered"],
        [[each.request_id, each.kind, each.scope, each.named_by, each.clock.received_on, each.clock.verified_on,
          each.standing.due_on, each.standing.state, each.standing.extension, each.clock.answered_on]
         for each in found],
    )  # fmt: skip


@verbs.command("answer")
def answer_request(
    request: Annotated[str, typer.Argument(metavar="ID", callback=trimmed)],
    sent: Annotated[str | None, typer.Option("--sent", metavar="DATE", help="The answer went out on this day.")] = None,
    notice_given: Annotated[
        str | None, typer.Option("--notice-given", metavar="DATE", help="The person was told that a restriction ends.")
    ] = None,
    site: SiteOption = None,
    policy: PolicyOption = None,
    json: JsonOption = False,
) -> None:
    """Draft the answer, in Swedish and English, as text and page; with --sent: note that it went out.

    Exit code 4 when something speaks against sending the draft as it is.
    """
    from assets.retention.explaining import require_evaluation
    from assets.rights.letters import draft, records_about
    from assets.rights.readings import note_reading
    from assets.rights.requests import answered
    from orchestration.opening import periods_of

    day, told = given_day(sent, "--sent"), given_day(notice_given, "--notice-given")
    if told is not None and day is None:
        raise BadUsage("--notice-given is noted with the answer: give --sent DATE too.")
    with desk(site, policy) as at:
        if day is not None:
            sent_on = at.happened(day, "--sent")
            closed = answered(at.warehouse, request, sent_on, at.now, notice_given_on=told)
            as_json(closed) if json else say(
                f"{request} is answered: {closed.standing.state.replace('_', ' ')} (due {closed.standing.due_on})."
            )
            return
        require_evaluation(at.warehouse, at.policy)
        note_reading(at.warehouse, "answer_drafted", request, records_about(at.warehouse, request), at.now)
        written = draft(at.warehouse, at.policy, at.site, request, at.today, at.policy.register_path.parent,
                        periods_of(at.settings).quarantine)  # fmt: skip
    if json:
        as_json(written)
    else:
        say(f"{written.folder} holds the draft: {', '.join(written.files)}. Read it, send it, then: "
            f"gallring request answer {request} --sent DATE --site {at.site.argument}")  # fmt: skip
    if written.warnings:
        raise NeedsPerson(" ".join(written.warnings))
