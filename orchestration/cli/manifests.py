"""Sealed manifests: `manifest list`, `show` and `verify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from assets.errors import CheckFailed
from orchestration.cli.options import JsonOption, SiteOption, existing_site, warehouse_of
from orchestration.cli.printing import as_json, heading, say, table

verbs = typer.Typer(help="The sealed deletion manifests.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="manifest")


@verbs.command("list")
def list_manifests(
    system: Annotated[str | None, typer.Option("--system", help="One system's alone.")] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """The sealed manifests, oldest first."""
    chosen, settings = existing_site(site)
    from assets.manifests.ledger import manifests
    from orchestration.cli.cycle import counted

    with warehouse_of(chosen, settings) as warehouse:
        found = manifests(warehouse, system)
    if json:
        as_json(found)
        return
    table(
        ["manifest", "system", "as of", "respond by", "items", "actions", "states"],
        [
            [each.manifest_id[:16], each.system, each.as_of, each.respond_by, each.items, counted(each.actions),
             counted(each.states)]
            for each in found
        ],
    )  # fmt: skip


@verbs.command()
def show(
    manifest_id: Annotated[str, typer.Argument(metavar="ID", help="The manifest's id, or how it begins.")],
    items: Annotated[int, typer.Option("--items", min=0, help="How many items to show.")] = 20,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """One manifest: its document, and its first items with the reasons for them."""
    chosen, settings = existing_site(site)
    from assets.manifests.ledger import show as read
    from orchestration.cli.cycle import counted

    with warehouse_of(chosen, settings) as warehouse:
        found = read(warehouse, manifest_id, items)
    if json:
        as_json(found)
        return
    summary = found.summary
    say(f"{summary.manifest_id}\n{summary.system}, as of {summary.as_of}, to be answered by {summary.respond_by}, "
        f"{'signed' if found.signed else 'NOT signed'}: {counted(summary.actions)}")  # fmt: skip
    heading(f"The first {len(found.preview)} of {summary.items} items")
    table(
        ["record", "key", "action", "fields", "because", "state"],
        [
            [item.record_type, item.record_key, item.action, ", ".join(item.fields), _why(item.because), item.state]
            for item in found.preview
        ],
    )


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
    found = check(path, public)
    if json:
        as_json(found)
    else:
        say(f"{path}: {'verified' if found.ok else 'does not verify'}")
        for problem in found.problems:
            say(f"  {problem}")
    if not found.ok:
        raise CheckFailed(f"{path} does not verify: do not act on it, ask the sender for it again.")


def _why(because: Sequence[Mapping[str, Any]]) -> str:
    """The purposes that ended, and when."""
    return "; ".join(f"{reason.get('purpose', '')} {reason.get('ended_on') or ''}".strip() for reason in because)
