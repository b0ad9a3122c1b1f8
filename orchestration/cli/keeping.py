"""The product's own copies: `backup`, `restore`, `rotate-key` and `copies`, the register of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.errors import BadUsage, CheckFailed, NeedsPerson
from orchestration.cli.options import AsOfOption, JsonOption, SiteOption, existing_site, given_day, warehouse_of
from orchestration.cli.printing import as_json, complain, say, table

if TYPE_CHECKING:
    from assets.erasure.erasing import Erasure
    from assets.erasure.restoring import Replayed
    from assets.ingest.registers import Forgotten


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("rotate-key")(rotate_key)
    app.command("copies")(copies)


def backup(site: SiteOption = None, json: JsonOption = False) -> None:
    """Write an encrypted backup of the warehouse.

    Consistent and proved, into the site's backups/; its name says until when it is kept. Waits for a run to end.
    """
    chosen, settings = existing_site(site)
    from assets.erasure.restoring import back_up

    with warehouse_of(chosen, settings) as warehouse:
        now = datetime.now(settings.zone)
        written, until = back_up(warehouse, chosen, made_at=now, period=settings.keeping.backups)
    if json:
        as_json({"file": written.path, "until": until, "rows": written.rows, "bytes": written.size_bytes})
        return
    say(f"{written.path} holds {written.rows} rows, proved equal, encrypted with the warehouse's key.")
    say(f"It is destroyed after {until}. Keep the keys of keys/ somewhere else: without them nobody can read it.")


def restore(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A backup, as it stands in backups/.")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Only replay, on the warehouse that is there.")] = False,
    as_of: AsOfOption = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Bring back a backup of the warehouse.

    Everything that was sealed since is recorded again, and what it ordered erased leaves the warehouse, before the
    backup takes the warehouse's place.

    Holds, requests and decisions on matches that were entered since come along from the warehouse that makes way. Exit
    code 4: it cannot be read; they are lost, and have to be entered again before the next run. Or deliveries that were
    read since are not in the inbox; their sources block until these are put back, or come whole. Or another version has
    left something in them that the backup has no place for; nothing is restored then.
    """
    if (file is None) != replay:
        raise BadUsage("Name the backup to bring back, or give --replay for the warehouse that is there; not both.")
    chosen, settings = existing_site(site)
    from orchestration.restoring import replay_here, restore_file

    today = datetime.now(settings.zone).date()
    on = min(given_day(as_of) or today, today)  # a day to come is none on which anything is over
    if file is None:
        outcome = replay_here(chosen, settings, on)
    else:
        outcome = restore_file(chosen, settings, file, on, today=today)
    replayed, erased = outcome
    if json:
        as_json({"replayed": replayed, "erased": erased})
    else:
        _tell_restored(replayed, erased)
    lost = [*_told_lost(replayed)]
    if lost:
        raise NeedsPerson(" ".join(lost))


def _tell_restored(replayed: Replayed, erased: Erasure) -> None:
    say(f"Replayed {replayed.manifests} manifests sealed since, with {replayed.items} items.")
    say(f"Erased {erased.fields_erased} values of {erased.records} records that they ordered erased.")
    if replayed.taken_over:
        say(f"Holds, requests and decisions on matches entered since came along; steps: {replayed.taken_over}.")
    say("What evidence/ does not tell of approvals and cancellations since has to be given again. Next: gallring run.")


def _told_lost(replayed: Replayed) -> Iterator[str]:
    """What the backup lacks and a person has to bring back."""
    if replayed.forgotten:
        yield (
            f"Entered at the site since the backup, and lost: {_named(replayed.forgotten)}. Enter it again before the "
            "next run, which would decide without it."
        )
    if replayed.lost:
        named = ", ".join(f"{each.source}/{each.delivery_id}" for each in replayed.lost)
        yield (
            f"Read since the backup, and lost: {named}. Put the folders back into inbox/; where they are gone, have "
            "their sources deliver every table whole. Until then nothing that depends on them is sealed."
        )


#: How a line of the journal is told, by its register.
_REGISTERS = {"holds": "hold", "requests": "request", "matches": "possible match"}


def _named(forgotten: Sequence[Forgotten]) -> str:
    """Which entries, what was done with them, and on which day."""
    return ", ".join(
        f"{' '.join(filter(None, (_REGISTERS[each.register], each.entry)))} ({each.event} {each.happened_at[:10]})"
        for each in forgotten
    )


def rotate_key(site: SiteOption = None, json: JsonOption = False) -> None:
    """Encrypt the warehouse and its backups with a new key.

    Writes them anew; the old key is forgotten. Cut off in the middle, everything still opens: run it again.
    """
    chosen, settings = existing_site(site)
    from orchestration.rotating import rotate_key as rotate

    found = rotate(chosen, settings)
    if json:
        as_json(found)
        return
    say(f"The warehouse ({found.rows} rows) and {found.backups} backups are encrypted with the new key.")
    if found.in_environment:
        say("Set GALLRING_WAREHOUSE_KEY to the new key now, and take GALLRING_NEXT_WAREHOUSE_KEY away.")
    else:
        say(f"Back up {chosen.keys / 'warehouse.key'} now, apart from the backups.")
    say(
        f"Backups that are kept elsewhere open with the old key alone: replace them by those of {chosen.backups}, "
        "and destroy copies of the old key once they are replaced, or destroyed."
    )


def copies(site: SiteOption = None, json: JsonOption = False) -> None:
    """The register of files that can hold personal data.

    Each with its purpose and last day. Exit code 1 when a file stands in the site that is not on it, or that the last
    run should have destroyed.
    """
    chosen, settings = existing_site(site)
    from assets.erasure.copies import copy_register, outlived
    from orchestration.opening import periods_of

    with warehouse_of(chosen, settings) as warehouse:
        register = copy_register(chosen, warehouse, periods_of(settings))
        late = outlived(warehouse, register, datetime.now(settings.zone).date())
    if json:
        told = {each.name: getattr(register, each.name) for each in fields(register)}
        as_json({**told, "outlived": [copy.path for copy in late]})
    else:
        table(
            ["path", "kind", "last day", "bytes", "purpose"],
            [[str(copy.path), copy.kind, copy.last_day, copy.size_bytes, copy.purpose] for copy in register.copies],
        )
        if register.lingering is not None:
            say(
                f"Since {register.lingering.since} erased values have left every table of warehouse.duckdb; their "
                f"bytes leave the file when it is written anew, by {register.lingering.until}."
            )
        for stranger in register.strangers:
            complain(f"{stranger} is not on the register.")
        for copy in late:
            complain(f"{copy.path} should have been destroyed after {copy.last_day}, and the last run left it.")
    failed = []
    if register.strangers:
        failed.append(
            f"{len(register.strangers)} files are not on the register: move them away, or destroy them. Where this "
            "account may not look into a folder, let it in."
        )
    if late:
        failed.append(
            f"{len(late)} copies have outlived their last day: where another account owns one, destroy it there, or "
            "let this account write to its folder. Else `gallring run` destroys it, once a source is fresh."
        )
    if failed:
        raise CheckFailed(" ".join(failed))
