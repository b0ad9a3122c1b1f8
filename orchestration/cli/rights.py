"""The office's registers, and what a person can ask: `hold`, `request`, `people`, `access-report`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from assets.errors import BadUsage, CheckFailed, NeedsPerson
from orchestration.cli.options import JsonOption, PolicyOption, SiteOption, existing_site
from orchestration.cli.printing import as_json, complain, heading, say, table

if TYPE_CHECKING:
    from assets.policy import Policy
    from assets.rights.holds import Record
    from assets.rights.matches import Match
    from assets.rights.requests import Request
    from assets.site import Site
    from assets.warehouse import Warehouse
    from orchestration.settings import Settings

holds = typer.Typer(help="Legal holds: what stays, whatever the clocks say.", no_args_is_help=True,
                    rich_markup_mode=None)  # fmt: skip
requests = typer.Typer(help="What people asked for, and until when it is to be answered.", no_args_is_help=True,
                       rich_markup_mode=None)  # fmt: skip
people = typer.Typer(help="Who may be one person.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(holds, name="hold")
    app.add_typer(requests, name="request")
    app.add_typer(people, name="people")
    app.command("access-report")(access_report)


@dataclass(frozen=True)
class Desk:
    """A site's warehouse, open to write in its registers. `now` is UTC, `today` the day in the site's time zone."""

    site: Site
    settings: Settings
    policy: Policy
    warehouse: Warehouse
    now: datetime
    today: date


@contextmanager
def desk(path: Path | None, policy: Path | None = None) -> Iterator[Desk]:
    """Open the desk of the site at `path`."""
    chosen, settings = existing_site(path, policy)
    from assets.ingest.tables import prepare
    from orchestration.opening import load_policy, open_warehouse

    rules = load_policy(settings)
    now = datetime.now(UTC).replace(microsecond=0)
    with open_warehouse(chosen, settings) as warehouse:
        prepare(warehouse, rules)
        if not warehouse.exists("policy", "records"):
            rules.publish(warehouse)
        yield Desk(chosen, settings, rules, warehouse, now, now.astimezone(settings.zone).date())


def given_day(text: str | None, option: str) -> date | None:
    """A day that was given with an option, or None.

    Raises:
        BadUsage: it is no such day.
    """
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        raise BadUsage(f"{option} {text!r} is not a day: write it as YYYY-MM-DD, such as 2026-11-22.") from None


OnOption = Annotated[str | None, typer.Option("--on", metavar="DATE", help="The day it happened. [default: today]")]


# -- holds -------------------------------------------------------------------------------------------------------------


@holds.command("place")
def place_hold(
    reason: Annotated[str, typer.Option("--reason", help="dispute, claim, court, authority, audit, insurance, "
                                        "complaint or other.")],
    reviewer: Annotated[str, typer.Option("--reviewer", help="The role that looks at it again; no name.")],
    record: Annotated[tuple[str, str] | None, typer.Option("--record", metavar="RECORD KEY",
                                                           help="One record: its type and key.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="KEY",
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
    from assets.rights.holds import place

    placed_on, review_on = given_day(on, "--on"), given_day(review, "--review")
    with desk(site, policy) as at:
        records = _named(at.site, record, customer, query)
        numbers = place(
            at.warehouse, records, reason=reason, reviewer=reviewer, placed_on=placed_on or at.today, at=at.now,
            fields=fields or (), review_on=review_on, allow_unknown=unknown,
        )  # fmt: skip
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


@holds.command("release")
def release_hold(
    hold: Annotated[str, typer.Argument(metavar="ID", help="The hold, or the stem of several.")],
    on: OnOption = None,
    site: SiteOption = None,
) -> None:
    """Release a hold; what fell due meanwhile leaves in the first cycle after its last day."""
    from assets.rights.holds import release

    day = given_day(on, "--on")
    with desk(site) as at:
        numbers = release(at.warehouse, hold, day or at.today, at.now)
    say(f"Released: {len(numbers)} hold(s), last day {day or at.today}.")


@holds.command("list")
def list_holds(
    every: Annotated[bool, typer.Option("--all", help="The released ones too.")] = False,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """The holds that stand, and when each is to be looked at again."""
    from assets.rights.holds import holds as read

    with desk(site) as at:
        found = [hold for hold in read(at.warehouse, at.today) if every or hold.state != "released"]
    if json:
        as_json(found)
        return
    table(
        ["hold", "record", "key", "fields", "placed", "released", "reason", "reviewer", "review", "state"],
        [[hold.hold_id, hold.record_type, hold.record_key, hold.fields, hold.placed_on, hold.released_on, hold.reason,
          hold.reviewer, hold.review_on, hold.state] for hold in found],
    )  # fmt: skip


@holds.command("review")
def review_holds(
    hold: Annotated[str | None, typer.Argument(metavar="[ID]", help="A hold that was looked at and stays.")] = None,
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
            say(f"Reviewed; to be looked at again on {review(at.warehouse, hold, day or at.today, at.now, again)}.")
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


# -- requests ----------------------------------------------------------------------------------------------------------


@requests.command("add")
def add_request(
    kind: Annotated[str, typer.Option("--kind", help="erasure, access, portability, objection, withdrawal, "
                                      "restriction, rectification or termination.")],
    customer: Annotated[str | None, typer.Option("--customer", metavar="KEY", help="The customer who asks.")] = None,
    contact: Annotated[str | None, typer.Option("--contact", metavar="KEY", help="The contact who asks.")] = None,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="Whoever has this address.")] = None,
    scope: Annotated[str | None, typer.Option("--scope", help="A withdrawal's: newsletter or web_statistics.")] = None,
    received: Annotated[str | None, typer.Option("--received", metavar="DATE", help="[default: today]")] = None,
    verified: Annotated[str | None, typer.Option("--verified", metavar="DATE", help="Identity verified on.")] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Enter what a person asks for; it counts from the next evaluation on."""
    from assets.rights.arrivals import announce
    from assets.rights.letters import people_of
    from assets.rights.matches import undecided_pairs
    from assets.rights.requests import add, find

    came, proved = given_day(received, "--received"), given_day(verified, "--verified")
    with desk(site) as at:
        number = add(
            at.warehouse, kind, received_on=came or at.today, at=at.now, customer=customer, contact=contact,
            email=email, scope=scope, verified_on=proved,
        )  # fmt: skip
        entered = find(at.warehouse, number, at.today)
        resolved = at.warehouse.exists("core", "people")
        undecided = undecided_pairs(at.warehouse, people_of(at.warehouse, number)) if resolved else []
    announce(at.site, number)
    _warn_of_matches(undecided)
    if json:
        as_json(entered)
    else:
        say(f"{number} is to be answered by {entered.standing.due_on}. Next: gallring run --site {at.site.argument}")


def _warn_of_matches(undecided: Sequence[str]) -> None:
    """Say which pairs nobody has decided on: what one of the two asks does not reach the other."""
    if undecided:
        complain(f"Undecided whether they are one person: {', '.join(undecided)}. Look at each with "
                 "`gallring people review --show PAIR`, then say --yes or --no PAIR.")  # fmt: skip


@requests.command("verify")
def verify_request(
    request: Annotated[str, typer.Argument(metavar="ID")],
    asked: Annotated[bool, typer.Option("--asked", help="Not verified yet: the person was asked to show who they are; "
                                        "the clock is paused.")] = False,
    on: OnOption = None,
    site: SiteOption = None,
) -> None:  # fmt: skip
    """Note that the person's identity was verified, or, while it is doubted, that they were asked for it."""
    from assets.rights.arrivals import announce
    from assets.rights.requests import ask, find, verify

    day = given_day(on, "--on")
    with desk(site) as at:
        (ask if asked else verify)(at.warehouse, request, day or at.today, at.now)
        due = find(at.warehouse, request, max(day or at.today, at.today)).standing.due_on
    if not asked:
        announce(at.site, f"{request}-verified")
    say(f"{request} is {'paused until identity is verified' if due is None else f'to be answered by {due}'}.")


@requests.command("extend")
def extend_request(
    request: Annotated[str, typer.Argument(metavar="ID")], on: OnOption = None, site: SiteOption = None
) -> None:
    """Note that the person was told that the answer takes up to two months more."""
    from assets.rights.requests import extend

    day = given_day(on, "--on")
    with desk(site) as at:
        extended = extend(at.warehouse, request, day or at.today, at.now)
    say(f"{request} is extended, to be answered by {extended.standing.due_on or 'a day to come: it is paused'}.")


@requests.command("list")
def list_requests(
    every: Annotated[bool, typer.Option("--all", help="The answered ones too.")] = False,
    on: OnOption = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """The requests and how their clocks stand; exit code 1 when one is overdue."""
    from assets.rights.requests import requests as read

    day = given_day(on, "--on")
    with desk(site) as at:
        found = [each for each in read(at.warehouse, day or at.today) if every or each.clock.answered_on is None]
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


@requests.command("answer")
def answer_request(
    request: Annotated[str, typer.Argument(metavar="ID")],
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
    from assets.rights.letters import draft, records_about
    from assets.rights.readings import note_reading
    from assets.rights.requests import answered

    day, told = given_day(sent, "--sent"), given_day(notice_given, "--notice-given")
    with desk(site, policy) as at:
        if day is not None:
            closed = answered(at.warehouse, request, day, at.now, notice_given_on=told)
            say(f"{request} is answered: {closed.standing.state.replace('_', ' ')} (due {closed.standing.due_on}).")
            return
        written = draft(at.warehouse, at.policy, at.site, request, at.today, at.policy.register_path.parent)
        note_reading(at.warehouse, "answer_drafted", request, records_about(at.warehouse, request), at.now)
    if json:
        as_json(written)
    else:
        say(f"{written.folder} holds the draft: {', '.join(written.files)}. Read it, send it, then: "
            f"gallring request answer {request} --sent DATE --site {at.site.argument}")  # fmt: skip
    if written.warnings:
        raise NeedsPerson(" ".join(written.warnings))


# -- access ------------------------------------------------------------------------------------------------------------


def access_report(
    customer: Annotated[str | None, typer.Option("--customer", metavar="KEY", help="A customer's key.")] = None,
    contact: Annotated[str | None, typer.Option("--contact", metavar="KEY", help="A contact's key.")] = None,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="An address.")] = None,
    checked: Annotated[
        list[str] | None,
        typer.Option("--checked", metavar="RECORD/KEY/FIELD",
                     help="A field that was held back and that a person has found to be this person's own; repeat it."),
    ] = None,
    site: SiteOption = None,
    policy: PolicyOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Everything that is held on a person, for that person: JSON, a page in each language, and what is portable.

    Fields that are or may be about someone else are held back and listed. The files expire; the nightly cycle destroys
    them.
    """
    from assets.erasure.periods import last_day
    from assets.rights.access import gather
    from assets.rights.matches import undecided_pairs
    from assets.rights.people import find_person, records_of
    from assets.rights.readings import RESTRICTED, any_restricted
    from assets.rights.registers import Entry, note
    from assets.rights.reports import write_report
    from orchestration.opening import periods_of

    looked_at = frozenset(_field_named(each) for each in checked or ())
    with desk(site, policy) as at:
        from assets.retention.explaining import require_evaluation

        require_evaluation(at.warehouse, at.policy)
        person = find_person(at.warehouse, customer=customer, contact=contact, email=email)
        _warn_of_matches(undecided_pairs(at.warehouse, [person]))
        expires_on = last_day(at.today, periods_of(at.settings).access_reports)
        report = gather(at.warehouse, at.policy, person, made_at=at.now, expires_on=expires_on, checked=looked_at)
        written = write_report(at.site, report, at.policy.register_path.parent)
        restricted = any_restricted(at.warehouse, records_of(at.warehouse, person))
        made = Entry("access_reports", written.folder.name)
        note(at.warehouse, [made], at.now, "made", RESTRICTED if restricted else None)
    if json:
        as_json(written)
        return
    say(f"{written.folder} holds {', '.join(written.files)}: {written.records} records, {written.held_back} fields "
        f"held back, kept through {written.expires_on}.")  # fmt: skip


def _field_named(text: str) -> tuple[str, str, str]:
    record_type, _, rest = text.partition("/")
    key, _, field = rest.rpartition("/")
    if not (record_type and key and field):
        raise BadUsage(f"--checked {text!r}: write it as RECORD/KEY/FIELD, such as interaction/T9001/body.")
    return record_type, key, field


def explain_whole(
    site: Site,
    warehouse: Warehouse,
    policy: Policy,
    record: str,
    key: str,
    language: Literal["sv", "en"],
    *,
    json: bool,
) -> None:
    """Everything about one customer in sentences, and as a page with a drawn timeline beside the access reports.

    Nothing is noted here of the reading: the warehouse may be one that is looked at for another day.
    """
    import hashlib

    from assets.rights.reports import TIMELINES, write_folder
    from assets.rights.timeline import as_page, as_text, timeline

    if record != "customer":
        raise BadUsage("--whole explains a customer: gallring explain customer KEY --whole.")
    found = timeline(warehouse, policy, key, language)
    if json:
        as_json(found)
        return
    name = f"{found.as_of}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    page = as_page(found, policy.register_path.parent).encode()
    folder = write_folder(site.reports / TIMELINES / name, {f"timeline.{language}.html": page})
    say(as_text(found))
    say(f"\n{folder} holds the page.")


# -- people ------------------------------------------------------------------------------------------------------------


@people.command("review")
def review_people(
    same: Annotated[str | None, typer.Option("--yes", metavar="PAIR", help="They are one person.")] = None,
    different: Annotated[str | None, typer.Option("--no", metavar="PAIR", help="They are not.")] = None,
    show: Annotated[
        str | None,
        typer.Option("--show", metavar="PAIR", help="What both rows hold, side by side: personal data, on the screen "
                     "alone; the evidence tells that it was read."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The decided ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to show.")] = 50,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Rows that may be one person, with what speaks for it; --yes and --no are remembered, and merge nothing.

    Exit code 4 while some are undecided.
    """
    from assets.rights.matches import decide, matches

    if sum(given is not None for given in (same, different, show)) > 1:
        raise BadUsage("One pair at a time: --show, --yes or --no.")
    with desk(site) as at:
        if show is not None:
            _show_pair(at, show, json=json)
            return
        pair = same or different
        if pair is not None:
            decide(at.warehouse, pair, same=same is not None, on=at.today, at=at.now)
            say("Remembered. Nothing is merged: " + ("give both rows the same personnummer, or the same address and "
                "name, in the source." if same is not None else "they stay two people."))  # fmt: skip
            return
        found = matches(at.warehouse, every=every)
        _note_matches(at, "matches_listed", "list", found if json else found[:limit])
    as_json([_told(match) for match in found]) if json else _tell_matches(found[:limit])
    undecided = sum(each.decided is None for each in found)
    if undecided:
        counted = "1 possible match" if undecided == 1 else f"{undecided} possible matches"
        raise NeedsPerson(
            f"{counted}: look at one with `gallring people review --show PAIR`, then say --yes or --no PAIR."
        )


def _told(match: Match) -> dict[str, object]:
    """A match for a machine: what agrees, no value of it."""
    return {
        "pair": match.pair, "weight": match.weight, "strength": match.strength, "for": match.speaks_for,
        "against": match.speaks_against, "agreement": match.agreement, "decided": match.decided,
    }  # fmt: skip


def _tell_matches(found: Sequence[Match]) -> None:
    table(
        ["pair", "how likely", "weight", "what speaks for it", "what against", "decided"],
        [[each.pair, each.strength, each.weight, ", ".join(each.speaks_for), ", ".join(each.speaks_against),
          each.decided] for each in found],
    )  # fmt: skip


def _show_pair(at: Desk, pair: str, *, json: bool) -> None:
    """One pair, side by side; the reading is noted before anything is shown."""
    from assets.rights.matches import find_match, side_by_side
    from assets.rights.readings import READINGS, RESTRICTED, any_restricted, records_named
    from assets.rights.registers import Entry, note

    match = find_match(at.warehouse, pair)
    sides = [(match.first_type, match.first_key), (match.second_type, match.second_key)]
    restricted = any_restricted(at.warehouse, records_named(at.warehouse, sides))
    note(at.warehouse, [Entry(READINGS, pair)], at.now, "match_shown", RESTRICTED if restricted else None)
    rows = side_by_side(at.warehouse, match)
    if json:
        as_json({**_told(match), "values": [dict(zip(("attribute", "first", "second"), row, strict=True))
                                            for row in rows]})  # fmt: skip
        return
    table(["", *(f"{record_type} {key}" for record_type, key in sides)], rows)
    say(f"{match.strength.capitalize()} (weight {match.weight}). For: {', '.join(match.speaks_for) or 'nothing'}. "
        f"Against: {', '.join(match.speaks_against) or 'nothing'}.")  # fmt: skip


def _note_matches(at: Desk, reading: Literal["matches_listed"], subject: str, found: Sequence[Match]) -> None:
    from assets.rights.readings import note_reading, records_named

    sides = {side for match in found for side in ((match.first_type, match.first_key),
                                                  (match.second_type, match.second_key))}  # fmt: skip
    note_reading(at.warehouse, reading, subject, records_named(at.warehouse, sides), at.now)
