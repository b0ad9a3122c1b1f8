"""Who may be one person, and everything that is held on one: `people review` and `access-report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assets.errors import BadUsage, NeedsPerson
from orchestration.cli.desk import Desk, desk, warn_of_matches
from orchestration.cli.options import (
    MOST,
    ContactOption,
    CustomerOption,
    JsonOption,
    PolicyOption,
    SiteOption,
    trimmed,
)
from orchestration.cli.printing import as_json, complain, say, table

if TYPE_CHECKING:
    from assets.rights.matches import Match
    from assets.rights.people import Person
    from assets.rights.set_aside import SetAside

#: So many records that hang on rows that were set aside are named; the report names each.
_ORPHANS = 10
_BLOCKS = "A delivery blocks, and what it left out"
_MENDS_BLOCKS = "have it delivered whole, run the cycle and make the report anew, or look in the source."

verbs = typer.Typer(help="Who may be one person.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="people")
    app.command("access-report")(access_report)


@verbs.command("review")
def review_people(
    same: Annotated[
        str | None, typer.Option("--yes", metavar="PAIR", callback=trimmed, help="They are one person.")
    ] = None,
    different: Annotated[
        str | None, typer.Option("--no", metavar="PAIR", callback=trimmed, help="They are not.")
    ] = None,
    show: Annotated[
        str | None,
        typer.Option("--show", metavar="PAIR", callback=trimmed, help="What both rows hold, side by side: personal "
                     "data, on the screen alone; the evidence tells that it was read."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The decided ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="How many to show.")] = 50,
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
            decided = decide(at.warehouse, pair, same=same is not None, on=at.today, at=at.now)
            as_json(_told(decided)) if json else _tell_decided(decided)
            return
        found = matches(at.warehouse, every=every)
        _note_listing(at, found if json else found[:limit])
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


def _tell_decided(match: Match) -> None:
    what = (
        "give both rows the same personnummer, or the same address and name, in the source."
        if match.decided == "yes" else "they stay two people."
    )  # fmt: skip
    say(f"Remembered. Nothing is merged: {what}")


def _tell_matches(found: Sequence[Match]) -> None:
    table(
        ["pair", "how likely", "weight", "what speaks for it", "what against", "decided"],
        [[each.pair, each.strength, each.weight, ", ".join(each.speaks_for), ", ".join(each.speaks_against),
          each.decided] for each in found],
    )  # fmt: skip


def _show_pair(at: Desk, pair: str, *, json: bool) -> None:
    """One pair, side by side; the reading is noted before anything is shown."""
    from assets.ingest.registers import Entry, note
    from assets.rights.matches import find_match, side_by_side
    from assets.rights.readings import READINGS, RESTRICTED, any_restricted, records_named

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


def _note_listing(at: Desk, found: Sequence[Match]) -> None:
    """Note that the rows of these matches were told of."""
    from assets.rights.readings import note_reading, records_named

    sides = {side for match in found for side in ((match.first_type, match.first_key),
                                                  (match.second_type, match.second_key))}  # fmt: skip
    note_reading(at.warehouse, "matches_listed", "list", records_named(at.warehouse, sides), at.now)


def access_report(
    customer: CustomerOption = None,
    contact: ContactOption = None,
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
    them. Exit code 4 when rows about the person were set aside, and no delivery has brought their records whole since:
    they are held, and stand in no record. So too when a delivery blocks: what it left out is not in the report.
    """
    from assets.erasure.periods import last_day
    from assets.ingest.registers import Entry, note
    from assets.rights.access import gather
    from assets.rights.matches import undecided_pairs
    from assets.rights.people import records_of
    from assets.rights.readings import RESTRICTED, any_restricted
    from assets.rights.rendering import own_names
    from assets.rights.reports import report_name, write_report
    from assets.rights.set_aside import SetAside
    from orchestration.opening import periods_of

    looked_at = frozenset(_field_named(each) for each in checked or ())
    with desk(site, policy) as at:
        from assets.retention.explaining import require_evaluation

        require_evaluation(at.warehouse, at.policy)
        periods = periods_of(at.settings)
        person = _whoever_asks(at, periods.quarantine, customer=customer, contact=contact, email=email)
        warn_of_matches(undecided_pairs(at.warehouse, [person]))
        expires_on = last_day(at.today, periods.access_reports)
        report = gather(at.warehouse, at.policy, person, made_at=at.now, expires_on=expires_on, checked=looked_at,
                        quarantine=periods.quarantine)  # fmt: skip
        restricted = any_restricted(at.warehouse, records_of(at.warehouse, person))
        made = Entry("access_reports", report_name(report))
        note(at.warehouse, [made], at.now, "made", RESTRICTED if restricted else None)
        written = write_report(at.site, report, at.policy.register_path.parent, own_names(at.policy.contracts))
    if json:
        as_json(written)
    else:
        say(f"{written.folder} holds {', '.join(written.files)}: {written.records} records, {written.held_back} fields "
            f"held back, kept through {written.expires_on}.")  # fmt: skip
    aside = SetAside(tuple(report["set_aside"]), tuple(report["orphans"]))
    if whole := [each for each in aside.rows if each["delivered_since"]]:
        complain(f"Set aside, and held still, though their records have been delivered whole since and are in the "
                 f"report: {_counted_aside(whole)}.")  # fmt: skip
    missing = []
    if aside.missing:
        missing.append("Rows that are or may be about this person were set aside, and their values are not in the "
                       f"report: {_told_aside(aside)}")  # fmt: skip
    if written.incomplete:
        missing.append(f"{_BLOCKS} is not in the report ({', '.join(written.incomplete)}): {_MENDS_BLOCKS}")
    if missing:
        raise NeedsPerson(" ".join(missing))


def _whoever_asks(at: Desk, period: str, **named: str | None) -> Person:
    """The person that is named.

    Raises:
        NobodyKnown: nobody is known by that name; what blocks, and may have left that person out, is told with it.
        NeedsPerson: so, and rows that name it were set aside: they are held, and no report can be made of them.
    """
    from assets.rights.incomplete import who_may_be_missing
    from assets.rights.people import NobodyKnown, find_person
    from assets.rights.set_aside import rows_of_unknown

    try:
        return find_person(at.warehouse, **named)
    except NobodyKnown as error:
        told = [error.message]
        aside = rows_of_unknown(at.warehouse, period, **named)
        if aside.rows:
            told.append(f"What was set aside is held all the same: {_told_aside(aside)}")
        kinds = [kind for kind in ("customer", "contact") if named[kind]] or ["customer", "contact", "subscriber"]
        if blocking := who_may_be_missing(at.warehouse, kinds):
            told.append(f"{_BLOCKS} was not taken in ({', '.join(blocking)}): who is asked about may be in it; "
                        f"{_MENDS_BLOCKS}")  # fmt: skip
        raise (NeedsPerson if aside.rows else NobodyKnown)(" ".join(told)) from None


def _told_aside(aside: SetAside) -> str:
    """Rows that were set aside and came whole in no delivery since, how to see them, and what hangs on them."""
    shown = " and ".join(
        f"`gallring quarantine {source} --show --all`" for source in sorted({e["source"] for e in aside.missing})
    )
    named = [f"{each['record_type']} {each['record_key']}" for each in aside.orphans]
    more = f" and {len(named) - _ORPHANS} more" if len(named) > _ORPHANS else ""
    hanging = f" Taken in, and hanging on them alone: {', '.join(named[:_ORPHANS])}{more}." if named else ""
    return (f"{_counted_aside(aside.missing)}. {shown} shows them: give the person what is theirs (Art 15), and have "
            f"the source mend the rows, so that they are taken in.{hanging}")  # fmt: skip


def _counted_aside(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows that were set aside by table, rule and last day."""
    from assets.ingest.kept_out import RULES

    return "; ".join(
        f"{each['rows']} of {each['source']} {each['record_type']}"
        f" ({each['column'] + ': ' if each['column'] else ''}{RULES.get(each['rule'], each['rule'])})"
        + (f", kept through {each['kept_through']}" if each["kept_through"] else "")
        for each in rows
    )


def _field_named(text: str) -> tuple[str, str, str]:
    record_type, _, rest = text.partition("/")
    key, _, field = rest.rpartition("/")
    record_type, key, field = trimmed((record_type, key, field))
    if not (record_type and key and field):
        raise BadUsage(f"--checked {text!r}: write it as RECORD/KEY/FIELD, such as interaction/T9001/body.")
    return record_type, key, field
