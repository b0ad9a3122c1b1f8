"""The evidence log for others: `evidence export` and `evidence verify`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from assets.errors import CheckFailed
from orchestration.cli.options import JsonOption, SiteOption, existing_site
from orchestration.cli.printing import as_json, say

verbs = typer.Typer(help="The hash-chained log of what was done.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.add_typer(verbs, name="evidence")


@verbs.command()
def export(
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A file that ends in .zip, or a folder; not there yet.")
    ] = Path("evidence.zip"),
    site: SiteOption = None,
) -> None:
    """Write the log as a bundle.

    Entries, signed head, policy, schema, public key, and a script that checks them offline.
    """
    chosen, settings = existing_site(site)
    from assets.evidence.bundles import export as write
    from orchestration.opening import PUBLIC_KEY, load_policy, load_signer

    written = write(chosen, load_policy(settings), load_signer(chosen), chosen.keys / PUBLIC_KEY, target)
    quoted = shlex.quote(str(written))
    say(f"{written} holds the evidence. Check it with `gallring evidence verify {quoted}`, or, without Gallring, with "
        "the verify_bundle.py in it.")  # fmt: skip


@verbs.command()
def verify(
    path: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="An exported bundle. [default: the site's own log]")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The sender's public key. [default: the bundle's, or the site's, own]"
        ),
    ] = None,
    site: SiteOption = None,
    json: JsonOption = False,
) -> None:
    """Check the log, offline.

    A changed, dropped or moved entry is found; exit code 1 when there is one.
    """
    if path is None:
        _verify_own(site, key, json)
        return
    from assets.evidence.bundles import check

    found = check(path, key)
    if json:
        as_json({"ok": found.ok, "check": found})
    else:
        say(f"{path}: {f'{found.entries} entries, all hold' if found.ok else 'does not hold'}")
        for problem in found.problems:
            say(f"  {problem}")
        if found.ok and key is None:
            say(f"Checked with the bundle's own key, whose file has the SHA-256 {found.key_sha256}: compare it with "
                "one that you got another way.")  # fmt: skip
    if not found.ok:
        raise CheckFailed(f"{path} is no evidence: ask whoever sent it for it again.")


def _verify_own(site: Path | None, key: Path | None, json: bool) -> None:
    chosen, _ = existing_site(site)
    from assets.evidence.chain import read_chain
    from assets.manifests.signatures import PublicKey
    from orchestration.opening import PUBLIC_KEY

    chain = read_chain(chosen, PublicKey.load(key or chosen.keys / PUBLIC_KEY))
    if json:
        as_json({"ok": True, "entries": len(chain.entries), "digest": chain.digest, "unfinished_bytes": chain.surplus})
        return
    say(f"{chosen.evidence}: {len(chain.entries)} entries, all hold.")
    if chain.surplus:
        say(f"{chain.surplus} bytes after them were never finished; the next run takes them away.")
