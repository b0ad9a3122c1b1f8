"""Running a site and watching it: `run`, `ui`, `status`. The work is the Dagster job's; what it found is told here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli import alike
from orchestration.cli.options import (
    AsOfOption,
    JsonOption,
    PolicyOption,
    SiteOption,
    existing_site,
    given_day,
    warehouse_of,
)
from orchestration.cli.printing import as_json, complain, heading, say, table
from orchestration.cli.progress import progress

if TYPE_CHECKING:
    from assets.delivery.settling import Unproven
    from assets.ledger.issued import ManifestSummary
    from assets.manifests.left_out import LeftOut
    from assets.publication.status import Status
    from assets.retention.policy_versions import UnraisedVersion
    from assets.site import Site
    from orchestration.cli.summary import Summary
    from orchestration.running import Block, CycleOutcome, Rejected
    from orchestration.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("run")(run)
    app.command("ui")(ui)
    app.command("status")(status)


def run(
    as_of: AsOfOption = None,
    site: SiteOption = None,
    policy: PolicyOption = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who launches it, and so approves none of its manifests.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Evaluate every record anew, not only where something happened.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run the whole cycle.

    Takes in what arrived, evaluates, checks, seals, delivers what is approved, reads answers and publishes.

    Exit codes: 0 the cycle is complete, also when manifests now wait for approval, or a check that holds nothing up
    said no; 1 a critical check stopped it; 3 a delivery was rejected that no run had looked at, or a source blocks.
    """
    chosen, settings = existing_site(site, policy)
    on = given_day(as_of)
    today = datetime.now(settings.zone).date()
    if on is not None and on > today:
        complain(f"{on} is a day to come. It is evaluated, and nothing is destroyed before its last day has come.")
    from orchestration.cli.summary import read_summary
    from orchestration.running import run_cycle

    read: list[Summary] = []
    with progress("run", quiet=json) as doing:
        outcome = run_cycle(
            chosen, on, by=by, full=full, watch=doing.told, look=lambda warehouse: read.append(read_summary(warehouse))
        )
    summary = read[0] if read else _summary_anew(chosen, settings)
    code = exit_code(outcome)
    if json:
        as_json({"exit_code": code, "outcome": outcome, "summary": summary})
    else:
        tell_outcome(outcome)
        tell_summary(summary)
    raise typer.Exit(code)


def _summary_anew(site: Site, settings: Settings) -> Summary:
    from orchestration.cli.summary import read_summary

    with warehouse_of(site, settings) as warehouse:
        return read_summary(warehouse)


def status(as_of: AsOfOption = None, site: SiteOption = None, json: JsonOption = False) -> None:
    """How the site stands.

    Deliveries, what blocks, manifests by state, what is overdue. Reads what the last run published, so it can be
    asked while a run is under way.
    """
    chosen, settings = existing_site(site)
    from assets.publication.status import status as standing
    from orchestration.opening import LOST, is_lost

    found = standing(chosen, given_day(as_of) or datetime.now(settings.zone).date())
    if json:
        as_json(found)
        return
    if is_lost(chosen):
        say(f"{chosen.warehouse.name} {LOST}: `gallring restore FILE` brings it back.")
    if found.as_of or not is_lost(chosen):
        say(_last_day(found))
    if found.waiting:
        say(f"In the inbox, not taken in yet: {', '.join(found.waiting)}.")
    tell_rows("Latest delivery of each source", found.deliveries)
    tell_rows("What blocks", found.blocks)
    _tell_manifests_of(found)
    tell_rows("Overdue requests", found.overdue_requests)
    tell_unproven(found.unproven)
    tell_left_out(found.left_out)
    tell_unraised(found.unraised)
    tell_holding_nothing(found.holding_nothing)


def _last_day(found: Status) -> str:
    """What is told of: the last evaluated day, or why there is none."""
    if found.as_of:
        return f"Last evaluated as of {found.as_of}."
    if found.unpublished:
        return "Nothing is published yet, as after a restore, or a run that stopped midway: `gallring run` does it."
    return "Nothing has been run yet: `gallring run` does it."


def _tell_manifests_of(found: Status) -> None:
    """Where manifests stand; partners that stand alike in one line, what needs a person by name."""
    states, turns = alike.states_alike(found.manifests), alike.turns_alike(found.turns)
    overdue = alike.overdue_alike(found.overdue_items)
    tell_rows("Manifest items by system and state", states)
    tell_rows("Whose turn it is", turns)
    tell_rows("Overdue manifest items", overdue)
    if len(states) + len(turns) + len(overdue) < len(found.manifests) + len(found.turns) + len(found.overdue_items):
        say(f"\n{alike.EACH_BY_NAME}")


def ui(
    site: SiteOption = None,
    policy: PolicyOption = None,
    port: Annotated[int, typer.Option("--port", help="Where the web UI listens, on this machine alone.")] = 3000,
) -> None:
    """Show the site in Dagster's web UI."""
    chosen, _ = existing_site(site, policy)
    from orchestration.initialising import make_home

    make_home(chosen)
    workspace = Path(__file__).resolve().parents[2] / "workspace.yaml"
    os.environ.update(GALLRING_SITE=str(chosen.path), DAGSTER_HOME=str(chosen.dagster))  # for what it starts
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(workspace)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    say(f"http://127.0.0.1:{port} shows {chosen.path}; stop it with Ctrl+C.")
    served = subprocess.Popen(command, cwd=workspace.parent, start_new_session=True)  # noqa: S603  our own interpreter
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        raise typer.Exit(served.wait())
    except KeyboardInterrupt:
        _stop(served)


def _stop(served: subprocess.Popen[bytes]) -> None:
    """End a server with everything that it started: politely, and after a while for certain."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(served.pid, how)
        with suppress(subprocess.TimeoutExpired):
            served.wait(timeout=5)


def exit_code(outcome: CycleOutcome) -> int:
    """0 the cycle is complete, 1 a check stopped it (or the program is at fault), 3 an input is bad or blocks."""
    codes = [1 if failure.exit_code is None else failure.exit_code for failure in outcome.failures]
    if codes:
        return codes[0]
    if not outcome.success:
        return 1
    return 3 if outcome.blocks or outcome.rejected else 0


def tell_outcome(outcome: CycleOutcome) -> None:
    """Whether the run went well, and what did not."""
    from assets.ingest.blocking import LOST

    verdict = "complete" if outcome.success else "stopped"
    say(f"Run {outcome.run_id[:8]} as of {outcome.as_of}: {verdict}.")
    for failure in outcome.failures:
        complain(f"{failure.step}: {failure.message}")
    for check in outcome.failed_checks:
        rows = "1 row breaks" if check.unexpected == 1 else f"{check.unexpected} rows break"
        stands = "; it holds nothing up" if check.severity == "critical" and not check.blocking else ""
        complain(f"{check.severity} check {check.name} on {check.table}: {rows} its claim{stands}.")
    for (source, reason, why), tables in _blocks_alike(outcome).items():
        named = f"{source}/{tables[0]}" if len(tables) == 1 else f"{source} ({', '.join(tables)})"
        mend = "" if LOST in why else _MENDS_BLOCK.get(reason, "")
        complain(f"{named} blocks ({reason}{why}): nothing that depends on it is sealed.{mend}")

    for delivery in outcome.rejected:
        named = f"{delivery.source}/{delivery.delivery_id}"
        if not any(_is_about(block, delivery) for block in outcome.blocks):
            complain(f"{named} was rejected, and holds up nobody: {delivery.reason}. quarantine/ holds it.")


def _is_about(block: Block, delivery: Rejected) -> bool:
    """Whether a block tells of the delivery already."""
    return (block.source, block.reason) == (delivery.source, "rejected") and block.detail.startswith(
        f"delivery {delivery.delivery_id}"
    )


#: What to do about a table that blocks, by the reason; what has shrunk, or was lost, says it in its detail.
_MENDS_BLOCK = {
    "never_arrived": " Deliver it.",
    "stale": " Deliver it again, whole.",
    "barred": " Let this account in (owner, mode), or mount the disk in the link's place; the next run looks again.",
    "rejected": " Mend it and deliver it again whole (--mode full): a delta lifts no block; quarantine/ holds it.",
}


def _blocks_alike(outcome: CycleOutcome) -> dict[tuple[str, str, str], list[str]]:
    """The tables that block, by their source and the reason and detail that they share."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for block in outcome.blocks:
        why = f": {block.detail}" if block.detail else ""
        alike.setdefault((block.source, block.reason, why), []).append(block.table)
    return alike


def tell_rows(title: str, lines: Sequence[Any]) -> None:
    """Dataclasses of one kind as a table under a title; nothing where there are none."""
    if lines:
        heading(title)
        names = [each.name for each in fields(lines[0])]
        table([name.replace("_", " ") for name in names], [[getattr(line, name) for name in names] for line in lines])


def tell_summary(summary: Summary) -> None:
    """The summary as tables, in the order in which the data walks."""
    tell_rows("Latest delivery of each source", summary.deliveries)
    tell_rows("Rows quarantined, by file and rule (`gallring quarantine` tells which rows)", summary.quarantined)
    if summary.systems:
        what = "data categories of records; due: those to erase that are not empty"
        tell_rows(f"Dispositions on {summary.as_of}, by system ({what})", summary.systems)
        tell_rows("What each purpose holds, by system (data categories of records)", summary.purposes)
    tell_manifests(summary)
    for each in alike.undelivered_alike(summary.undelivered):
        one = f"manifest {each.manifest_id[:16]} is approved and was not delivered"
        several = f"manifests of {each.system} are approved and were not delivered; the first"
        complain(f"{one if each in summary.undelivered else several} ({each.code}): {each.message}")
    tell_unproven(summary.unproven)
    tell_left_out(summary.left_out)
    tell_unraised(summary.unraised)
    tell_holding_nothing(summary.holding_nothing)
    if not summary.unread:
        return
    from assets.delivery.receipts import NOT_TAKEN

    for line in alike.unread_alike(summary.unread):
        often = f", {line.times} times" if line.times > 1 else ""
        what = "were not taken" if line.code in NOT_TAKEN else "could not be read"
        complain(f"answers of {line.system or 'no system known'} {what} ({line.code}{often}): {line.message}")


def tell_unproven(found: Sequence[Unproven]) -> None:
    """What is gone and cannot be proved, with what to do."""
    for each in found:
        what = f"{each.items} items of {each.system} are seen no more, and no export proves it"
        complain(f"{what} ({each.reason}): {each.message}")


def tell_left_out(found: Sequence[LeftOut]) -> None:
    """Of how many records no order is given before a row is read, with what to do."""
    if not found:
        return
    from assets.manifests.left_out import WHAT_TO_DO

    each = ", ".join(f"{one.records} of {one.system}" for one in found)
    complain(f"records are left out of the manifests ({each}): {WHAT_TO_DO}")


def tell_unraised(found: UnraisedVersion | None) -> None:
    """That a policy was changed while its version stayed, with what to do."""
    if found is not None:
        complain(found.message)


#: How many holds that name no record are told by number.
_NAMED = 20


def tell_holding_nothing(numbers: Sequence[str]) -> None:
    """Which holds name no record, with what to do."""
    if numbers:
        more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
        complain(f"These holds name no record that has been taken in: {', '.join(numbers[:_NAMED])}{more}. Look at "
                 "type and key, in the office's register where they come from there.")  # fmt: skip


def tell_manifests(summary: Summary) -> None:
    """The sealed manifests; partners' that stand alike in one line."""
    heading("Sealed manifests")
    if not summary.manifests:
        say("None.")
        return
    together = alike.manifests_alike(summary.manifests)
    tell_ledger(together)
    if len(together) < len(summary.manifests):
        say(alike.EACH_BY_NAME)


#: How many manifests a table shows beside those that are still to be answered: a week's or more.
_SHOWN = 40


def tell_ledger(found: Sequence[ManifestSummary]) -> None:
    """Manifests as a table: the last ones, and of those before them what its system has yet to answer."""
    from assets.publication.status import SETTLED

    earlier = [each for each in found[:-_SHOWN] if not set(each.states) <= set(SETTLED)]
    shown = [*earlier, *found[-_SHOWN:]]
    table(
        ["manifest", "system", "as of", "respond by", "items", "actions", "states"],
        [
            [each.manifest_id[:16], each.system, each.as_of, each.respond_by, each.items, counted(each.actions),
             counted(each.states)]
            for each in shown
        ],
    )  # fmt: skip
    if len(shown) < len(found):
        hidden = sum(map(alike.manifests_in, found)) - sum(map(alike.manifests_in, shown))
        say(
            f"{hidden} earlier ones, with nothing left to answer, are not shown: "
            "`gallring manifest list --json` tells of them all."
        )


def counted(counts: dict[str, int]) -> str:
    """`{"erase": 2, "lift": 1}` as `2 erase, 1 lift`."""
    return ", ".join(f"{number} {name}" for name, number in counts.items())
