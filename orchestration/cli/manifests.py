"""Sealed manifests: `manifest list`, `show`, `approve`, `cancel`, `recipients` and `verify`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assets.errors import CheckFailed
from orchestration.cli.completing import manifest_ids, record_types, systems
from orchestration.cli.options import (
    MOST,
    JsonOption,
    KeyArgument,
    SiteOption,
    existing_site,
    trimmed,
    warehouse_of,
)
from orchestration.cli.printing import as_json, heading, say, table
from orchestration.cli.progress import progress

if TYPE_CHECKING:
    from assets.delivery.previewing import Preview
    from assets.delivery.sending import NotDelivered
    from assets.ledger.issued import Item, ManifestSummary
    from assets.warehouse import Warehouse

ManifestArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", autocompletion=manifest_ids, callback=trimmed, help="The manifest's id, or how it begins."
    ),
]
ManifestsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="ID…", autocompletion=manifest_ids, callback=trimmed,
        help="The manifests' ids, or how they begin: one or several.",
    ),
]  # fmt: skip
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]

verbs = typer.Typer(help="The sealed deletion manifests.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="manifest")


@verbs.command("list")
def list_manifests(
    system: Annotated[str | None, typer.Option("--system", autocompletion=systems, help="One system's alone.")] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """The sealed manifests, oldest first."""
    chosen, settings = existing_site(site)
    from assets.ledger.issued import manifests
    from orchestration.cli.cycle import tell_ledger

    with warehouse_of(chosen, settings) as warehouse:
        found = manifests(warehouse, system)
    if json:
        as_json(found)
    else:
        tell_ledger(found)


@verbs.command()
def show(
    manifest_id: ManifestArgument,
    items: Annotated[int, typer.Option("--items", min=0, max=MOST, help="How many items to show.")] = 20,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """One manifest: what to look at before approving it, and its first items with the reasons for them.

    Counts by record type and purpose, what changed against that system's manifest before, ten examples under
    pseudonyms, and why it waits for a person.
    """
    chosen, settings = existing_site(site)
    from assets.delivery.previewing import preview
    from assets.ledger.issued import show as read
    from orchestration.cli.cycle import counted

    with warehouse_of(chosen, settings) as warehouse:
        found = read(warehouse, manifest_id, items)
        review = preview(warehouse, settings.approval, found.summary.manifest_id)
    if json:
        as_json({**vars(found), "review": review})
        return
    summary = found.summary
    say(f"{summary.manifest_id}\n{summary.system}, as of {summary.as_of}, to be answered by {summary.respond_by}, "
        f"{'signed' if found.signed else 'NOT signed'}: {counted(summary.actions)}")  # fmt: skip
    say(f"States: {counted(summary.states)}")
    _tell_review(review, waits="issued" in summary.states)
    heading(f"The first {len(found.preview)} of {summary.items} items")
    table(
        ["record", "key", "action", "fields", "because", "state"],
        [
            [item.record_type, item.record_key, item.action, ", ".join(item.fields), _why(item.because), _stands(item)]
            for item in found.preview
        ],
    )
    for told in dict.fromkeys(f"{_stands(item)}: {item.next_step}" for item in found.preview):
        say(told)


@verbs.command()
def approve(
    manifest_ids: ManifestsArgument,
    by: ByOption,
    reason: ReasonOption,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Approve manifests for delivery, after a look at each with `manifest show`.

    Each is a decision of its own. All are looked at first: where one cannot be approved, none is.
    Exit code 4: someone else has to, because the run that sealed it was launched by the same person.
    """
    _decide("approve_manifest", manifest_ids, by, reason, site, json)


@verbs.command()
def cancel(
    manifest_ids: ManifestsArgument,
    by: ByOption,
    reason: ReasonOption,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Cancel manifests that were not delivered; the next run proposes anew what still stands.

    Each is a decision of its own. All are looked at first: where one cannot be cancelled, none is.
    """
    _decide("cancel_manifest", manifest_ids, by, reason, site, json)


def _decide(job: str, named: list[str], by: str, reason: str, site: Path | None, json: bool) -> None:
    """Run the job that the web UI's launchpad runs, and say where the manifests stand then."""
    chosen, settings = existing_site(site)
    from assets.delivery.sending import held_back
    from assets.errors import GallringError
    from orchestration.cli.cycle import counted
    from orchestration.running import run_cycle

    warehouse_of(chosen, settings).close()
    config = {"manifest_id": named[0], "further": named[1:], "by": by, "reason": reason}
    looked: list[ManifestSummary] = []
    held: list[NotDelivered] = []

    def look(warehouse: Warehouse) -> None:
        looked.extend(_look(warehouse, named))
        held.extend(held_back(warehouse, chosen))

    outcome = run_cycle(chosen, job=job, config=config, look=look)
    for failure in outcome.failures:
        raise GallringError(failure.message, 1 if failure.exit_code is None else failure.exit_code)
    if not looked:  # the machine gave up on that opening
        with warehouse_of(chosen, settings) as warehouse:
            look(warehouse)
    if json:
        as_json(looked[0] if len(named) == 1 else looked)
        return
    for summary in looked:
        say(f"{summary.manifest_id} ({summary.system}): {counted(summary.states)}.")
    if job == "approve_manifest":
        for line in told_next(looked, held):
            say(line)


def told_next(approved: Sequence[ManifestSummary], held: Sequence[NotDelivered]) -> Iterator[str]:
    """What becomes of manifests that were approved now: what waits here for another one, and that the rest leaves."""
    waits = {each.manifest_id: each.message for each in held}
    staying = [each.manifest_id for each in approved if each.manifest_id in waits]
    for manifest_id in staying:
        yield f"{manifest_id} waits here. {waits[manifest_id]}"
    leaving = len(approved) - len(staying)
    if leaving:
        them = "them" if leaving > 1 else "the other" if staying else "it"
        yield f"The next run delivers {them}: `gallring run`, the job deliver_manifests, or the sensor approval_given."


def _look(warehouse: Warehouse, named: list[str]) -> list[ManifestSummary]:
    """Where the manifests stand that were named, in that order."""
    from assets.ledger.issued import full_ids, manifests

    standing = {each.manifest_id: each for each in manifests(warehouse)}
    return [standing[full_id] for full_id in full_ids(warehouse, named)]


@verbs.command()
def recipients(
    record: Annotated[
        str,
        typer.Argument(metavar="RECORD", autocompletion=record_types, help="customer, contact, order, delivery, ..."),
    ],
    key: KeyArgument,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Who received the data of a record, were they told to let go of it, and what did they answer?

    Of a customer, everything that hangs on it is looked at. A record that is in no source any more is still answered
    for, as long as a partner had it.
    """
    chosen, settings = existing_site(site)
    from assets.ledger.issued import recipients as read
    from assets.retention.explaining import evaluated_on, find_record
    from assets.rights.recipients import keys_hanging_on

    with warehouse_of(chosen, settings) as warehouse:
        found = read(warehouse, record, key, keys_hanging_on(warehouse, key) if record == "customer" else ())
        if not found:
            find_record(warehouse, record, key, evaluated_on(warehouse))
    if json:
        as_json(found)
        return
    if not found:
        say("No partner is on record for it.")
        return
    table(
        ["partner", "role", "record", "key", "given on", "fields", "told on", "state", "answered on"],
        [
            [each.partner_id, each.role, each.record_type, each.record_key, each.given_on, ", ".join(each.fields),
             each.told_on, each.state, each.answered_on]
            for each in found
        ],
    )  # fmt: skip


@verbs.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A manifest's folder, as it stands in an outbox.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The sender's public key. [default: the site's own]")
    ] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Check a manifest with the public key.

    Signature, digests, form and chain; exit code 1 when one of them does not hold.
    """
    from assets.manifests.signatures import PublicKey
    from assets.manifests.verifying import verify as check
    from orchestration.opening import PUBLIC_KEY

    public = PublicKey.load(key if key is not None else existing_site(site)[0].keys / PUBLIC_KEY)
    with progress("verify", quiet=json):
        found = check(path, public)
    if json:
        as_json(found)
    else:
        say(f"{path}: {'verified' if found.ok else 'does not verify'}")
        for problem in found.problems:
            say(f"  {problem}")
    if not found.ok:
        raise CheckFailed(f"{path} does not verify: do not act on it, ask the sender for it again.")


def _stands(item: Item) -> str:
    """The item's state, with the code that was given for it."""
    return f"{item.state} ({item.reason})" if item.reason else item.state


def _why(because: Sequence[Mapping[str, Any]]) -> str:
    """The purposes that ended, and when; where none did, what the order rests on."""
    return "; ".join(
        f"{reason.get('purpose') or reason.get('reason') or ''} {reason.get('ended_on') or ''}".strip()
        for reason in because
    )


def _tell_review(review: Preview, *, waits: bool) -> None:
    """What a person looks at before approving."""
    heading("Items by record type, ended purpose and action")
    table(["record", "purpose", "action", "items"],
          [[each.record_type, each.purpose, each.action, each.items] for each in review.counts])  # fmt: skip
    heading("Against the manifest before")
    table(["record", "action", "items", "before"],
          [[each.record_type, each.action, each.items, each.items_before] for each in review.changes])  # fmt: skip
    heading(f"{len(review.examples)} examples, under pseudonyms")
    table(
        ["record", "action", "fields", "because", "kept for"],
        [
            [f"{each.record_type} {each.pseudonym[:8]}", each.action, ", ".join(each.fields), _why(each.because),
             ", ".join(str(kept.get("purpose")) for kept in each.kept)]
            for each in review.examples
        ],
    )  # fmt: skip
    if waits:
        heading("Waits for a person")
        for concern in review.concerns:
            say(f"- {'ANOMALY: ' if concern.is_anomaly else ''}{concern.text}.")
