"""The receiver's side: `receive`. Needs no site and no warehouse: a manifest, a public key, a folder for answers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import JsonOption
from orchestration.cli.printing import as_json, heading, say, table

if TYPE_CHECKING:
    from assets.delivery.receiving import Answered, Received

_SHOWN = 20


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("receive")(receive)


def receive(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST_DIR", help="The folder of the manifest that came.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The sender's public key, in PEM.")],
    previous: Annotated[
        Path | None,
        typer.Option("--previous", metavar="DIR", help="The manifest before, if this system begins in mid-chain."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="CSV", help="The filled-in table: writes the receipt.")
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="Where the receipt goes. [default: where the sender looks]"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a manifest that came, and answer it.

    Signature, digests, form, chain, and whether it came before. Without --answers: prints the work list and writes a
    table to fill in. With --answers: writes the receipt. Exit code 1: do not act on it.
    """
    from assets.delivery import receiving
    from assets.manifests.signatures import PublicKey

    public = PublicKey.load(key)
    folder = receiving.default_receipts(manifest)  # what came is remembered there, wherever a receipt goes
    received = receiving.receive(manifest, public, folder, previous=previous, answering=answers is not None)
    if answers is None:
        beside = receipt.parent if receipt is not None else folder
        _hand_out(received, beside / f"{received.manifest_id}-answers.csv", json)
        return
    given = receiving.read_answers(received, answers, at=datetime.now().astimezone())
    written = receiving.write_receipt(received, given, folder, receipt)
    _tell_receipt(received, given, written, json)


def _hand_out(received: Received, template: Path, json: bool) -> None:
    from assets.delivery.receiving import write_template

    written = not template.exists()
    if written:
        write_template(received, template)
    if json:
        as_json({"manifest_id": received.manifest_id, "system": received.system, "respond_by": received.respond_by,
                 "table": template, "tasks": received.tasks})  # fmt: skip
        return
    say(f"{received.manifest_id} verified: from {received.controller} to {received.system}, decided as of "
        f"{received.as_of}, to be answered by {received.respond_by}.")  # fmt: skip
    heading("What is to be done")
    table(
        ["record", "action", "items"],
        [[record_type, action, count] for (record_type, action), count in received.counts.items()],
    )
    for record_type in dict.fromkeys(task.record_type for task in received.tasks):
        tasks = [task for task in received.tasks if task.record_type == record_type]
        heading(f"{record_type}: {len(tasks)}" + (f", the first {_SHOWN}" if len(tasks) > _SHOWN else ""))
        table(["key", "action", "fields"], [[task.key, task.action, ", ".join(task.fields)] for task in tasks[:_SHOWN]])
    say(f"\n{'Fill in' if written else 'Being filled in:'} {template}\n"
        "Give each row its status, then run this again with --answers and that file.")  # fmt: skip


def _tell_receipt(received: Received, given: Answered, written: Path, json: bool) -> None:
    if json:
        as_json({"manifest_id": received.manifest_id, "receipt": written, "statuses": given.statuses,
                 "unanswered": given.unanswered})  # fmt: skip
        return
    counts = ", ".join(f"{number} {status}" for status, number in given.statuses.items())
    say(f"{written}: {counts}; {given.unanswered} not answered yet.")
