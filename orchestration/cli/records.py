"""Asking why, and whether the rules hold: `explain` and `scenario`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from assets.errors import BadInput, BadUsage, CheckFailed
from orchestration.cli.completing import record_types
from orchestration.cli.options import (
    JsonOption,
    KeyArgument,
    PolicyOption,
    SiteOption,
    chosen_policy,
    existing_site,
    given_day,
    warehouse_of,
)
from orchestration.cli.printing import as_json, complain, say

if TYPE_CHECKING:
    from assets.policy import Policy
    from assets.rehearsal.scenarios import ScenarioOutcome
    from assets.site import Site
    from assets.warehouse import Warehouse


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("explain")(explain)
    app.command("scenario")(scenario)


def explain(
    record: Annotated[
        str,
        typer.Argument(
            metavar="RECORD", autocompletion=record_types, help="The record's type: customer, order, invoice …"
        ),
    ],
    key: KeyArgument,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="A day to evaluate anew, YYYY-MM-DD. [default: the last run's]"),
    ] = None,
    language: Annotated[Literal["sv", "en"], typer.Option("--language", help="Swedish or English.")] = "en",
    whole: Annotated[bool, typer.Option("--whole", help="A customer with every record of theirs.")] = False,
    site: SiteOption = None,
    policy: PolicyOption = None,
    json: JsonOption = False,
) -> None:
    """Why a record's fields are kept or not.

    Every claim, end and reason, and where what was ordered of it stands. Tells of the last run; with --as-of, of that
    day, without orders, which changes nothing that is stored.
    """
    chosen, settings = existing_site(site, policy)
    on = given_day(as_of)
    from assets.policy import Policy

    rules = Policy.load(settings.policy)
    with warehouse_of(chosen, settings) as warehouse:
        _note(warehouse, record, key, whole=whole)
        with _looked_at(warehouse, rules, on) as is_another_day:
            if whole:
                _explain_whole(
                    chosen, warehouse, rules, record, key, language, with_orders=not is_another_day, json=json
                )
            else:
                _explain_record(warehouse, rules, record, key, language, with_orders=not is_another_day, json=json)


def _explain_record(
    warehouse: Warehouse,
    policy: Policy,
    record: str,
    key: str,
    language: Literal["sv", "en"],
    *,
    with_orders: bool,
    json: bool,
) -> None:
    """Why each field of a record is kept or not, and what became of it; of one that is gone, what was ordered of it."""
    from assets.delivery.outcomes import outcome_of, render_gone
    from assets.delivery.outcomes import render as render_outcome
    from assets.retention.explaining import explain, render, require_evaluation

    as_of = require_evaluation(warehouse, policy)
    outcome = outcome_of(warehouse, record, key) if with_orders else None
    try:
        explanation = explain(warehouse, policy, record, key, language)
    except BadInput:
        if outcome is None or not outcome.orders:
            raise
        if json:
            as_json({"record_type": record, "record_key": key, "fields": [], **vars(outcome)})
        else:
            source = next(each.source for each in policy.contracts.values() if each.record_type == record)
            say("\n".join(render_gone(outcome, record, key, source, as_of, language)))
        return
    if json:
        as_json(vars(explanation) | (vars(outcome) if outcome else {}))
        return
    say(render(explanation))
    if outcome is not None:
        say("\n" + "\n".join(render_outcome(outcome, explanation.source, language)))


def _explain_whole(
    site: Site,
    warehouse: Warehouse,
    policy: Policy,
    record: str,
    key: str,
    language: Literal["sv", "en"],
    *,
    with_orders: bool,
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
    found = timeline(warehouse, policy, key, language, with_orders=with_orders)
    if json:
        as_json(found)
        return
    name = f"{found.as_of}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    page = as_page(found, policy.register_path.parent).encode()
    folder = write_folder(site.reports / TIMELINES / name, {f"timeline.{language}.html": page})
    say(as_text(found))
    say(f"\n{folder} holds the page.")


def _note(warehouse: Warehouse, record: str, key: str, *, whole: bool) -> None:
    """Note the reading of a restricted person's record, before it is told of."""
    from datetime import UTC, datetime

    from assets.rights.readings import note_reading, records_named
    from assets.rights.timeline import records_of_customer

    if not warehouse.exists("triggers", "restricted_records"):
        return  # nothing has been decided yet, and so nothing is told
    about = records_named(warehouse, [(record, key)])
    if whole and record == "customer":
        about = records_of_customer(warehouse, key)
    reading: Literal["timeline_made", "explained"] = "timeline_made" if whole else "explained"
    note_reading(warehouse, reading, f"{record}/{key}", about, datetime.now(UTC).replace(microsecond=0))


def scenario(
    files: Annotated[list[Path], typer.Argument(metavar="FILES…", help="Scenario files, YAML.")],
    site: SiteOption = None,
    policy: PolicyOption = None,
    json: JsonOption = False,
) -> None:
    """Run scenario files against the policy.

    The same SQL on an in-memory warehouse; exit code 1 when one of them differs, 3 when one is no scenario.
    """
    rules = chosen_policy(site, policy)
    from assets.rehearsal.scenarios import run

    outcomes: list[tuple[Path, ScenarioOutcome]] = []
    refused: dict[Path, str] = {}
    for path in files:
        try:
            outcome = run(path, rules)
        except BadInput as error:
            refused[path] = error.message
            continue
        outcomes.append((path, outcome))
        if not json:
            _tell_outcome(path, outcome)
    if json:
        as_json([
            {"file": path, "name": each.name, "passed": each.passed, "expectations": each.expectations,
             "differences": each.differences, "left_aside": each.left_aside}
            for path, each in outcomes
        ])  # fmt: skip
    failed = sum(not outcome.passed for _, outcome in outcomes)
    differ = f"{failed} of {len(outcomes)} scenario files differ."
    if refused:
        raise BadInput("\n".join([*refused.values(), *([differ] if failed else [])]))
    if failed:
        raise CheckFailed(differ)


@contextmanager
def _looked_at(warehouse: Warehouse, rules: Policy, on: date | None) -> Iterator[bool]:
    """The warehouse as it would be evaluated on another day, for as long as the block runs; nothing of it is stored.

    Gives whether it is another day than the last run's.
    """
    from assets.retention.evaluation import evaluate
    from assets.retention.explaining import require_evaluation

    if on is None or on == require_evaluation(warehouse, rules):
        yield False
        return
    with warehouse.taken_back():
        evaluate(warehouse, rules, on)
        yield True


def _tell_outcome(path: Path, outcome: ScenarioOutcome) -> None:
    verdict = "ok" if outcome.passed else "DIFFERS"
    say(f"{verdict:8}{path} ({outcome.expectations} expectations)")
    for note in outcome.left_aside:
        complain(f"  {note}.")
    for difference in outcome.differences:
        complain(f"  {difference}")
